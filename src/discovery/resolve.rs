//! The agent's host name to addresses, for ureq.
//!
//! ureq's own resolver starts a thread for every request, connected already or
//! not. This one asks the system on the thread that needs the answer (a
//! discovery thread, which nobody waits for), keeps the answer for a while, and
//! knows `localhost` without a hosts file, which minimal images lack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is used if connecting to it succeeds.
const KEEP: Duration = Duration::from_secs(60);

/// How many addresses of a name are tried.
const MOST: usize = 4;

/// Looks up the one host that an agent of ureq's talks to.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    last: Arc<Mutex<Option<Answer>>>,
}

#[derive(Debug)]
struct Answer {
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Names {
    /// Looks the name up anew next time; called when the address it led to did
    /// not answer.
    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        if let Some(addresses) = without_asking(host) {
            return Ok(addresses
                .into_iter()
                .map(|ip| SocketAddr::new(ip, port))
                .collect());
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*last
            && answer.at.elapsed() < KEEP
        {
            return Ok(answer.addresses.clone());
        }
        drop(last);
        let addresses: Vec<_> = (host, port).to_socket_addrs()?.take(MOST).collect();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Answer {
            at: Instant::now(),
            addresses: addresses.clone(),
        });
        Ok(addresses)
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let port = uri.port_u16().ok_or(Error::HostNotFound)?;
        let mut found = self.empty();
        for address in self.look_up(host, port)? {
            found.push(address);
        }
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(found)
    }
}

/// The addresses of a literal or of `localhost` (RFC 6761, 6.3).
fn without_asking(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(ip) = bare.parse() {
        return Some(vec![ip]);
    }
    let name = bare.strip_suffix('.').unwrap_or(bare);
    name.eq_ignore_ascii_case("localhost")
        .then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_localhost_need_no_resolver() {
        let v4: IpAddr = Ipv4Addr::LOCALHOST.into();
        let v6: IpAddr = Ipv6Addr::LOCALHOST.into();
        for (host, expected) in [
            ("127.0.0.1", Some(vec![v4])),
            ("::1", Some(vec![v6])),
            ("[::1]", Some(vec![v6])),
            ("localhost", Some(vec![v4, v6])),
            ("LocalHost.", Some(vec![v4, v6])),
            ("consul", None),
            ("consul.localhost", None),
            ("1.2.3", None),
        ] {
            assert_eq!(without_asking(host), expected, "{host}");
        }
    }

    #[test]
    fn an_answer_is_kept_until_it_is_forgotten() {
        let names = Names::default();
        let kept: SocketAddr = (Ipv4Addr::LOCALHOST, 8500).into();
        if let Ok(mut last) = names.last.lock() {
            *last = Some(Answer {
                at: Instant::now(),
                addresses: vec![kept],
            });
        }
        let name = "no-such-host.invalid";
        assert_eq!(names.look_up(name, 8500).ok(), Some(vec![kept]));
        names.forget();
        assert!(names.look_up(name, 8500).is_err());
    }
}
