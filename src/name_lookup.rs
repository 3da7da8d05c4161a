//! Names of hosts to addresses.
//!
//! Asks the C library and blocks for as long as that does, on the caller's own
//! thread; there is no way to interrupt it, so only threads that nobody waits for
//! may call it. Knows `localhost` without a hosts file, which minimal images
//! lack.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// How many addresses of a name are of use to anybody.
const MOST: usize = 4;

/// The addresses of a host that nobody needs to be asked for: those of a literal,
/// which may stand in brackets, or of `localhost` (RFC 6761, 6.3).
pub fn without_asking(host: &str) -> Option<Vec<IpAddr>> {
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

/// The addresses that the C library knows for a name: those of `/etc/hosts`, or of
/// the name servers.
///
/// # Errors
/// What it says if there are none.
pub fn ask(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.take(MOST).collect())
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
}
