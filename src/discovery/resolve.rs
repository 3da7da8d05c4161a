//! The agent's host name to addresses, for ureq.
//!
//! ureq's own resolver starts a thread for every request, connected already or
//! not. This one asks the system on the thread that needs the answer (a
//! discovery thread, which nobody waits for), and keeps the answer for a while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::name_lookup::{ask, without_asking};

/// How long an answer is used if connecting to it succeeds.
const KEEP: Duration = Duration::from_secs(60);

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
        let addresses = ask(host, port)?;
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

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
