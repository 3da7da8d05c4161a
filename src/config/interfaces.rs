//! `interfaces`: which address of the host is advertised or listened on
//! (SPEC §10).
//!
//! Pure: the host's addresses are given. The first specification of the list
//! that matches any of them decides.

use std::net::{IpAddr, Ipv6Addr};

/// What holds if a file has no `interfaces`.
pub(crate) const DEFAULT: [&str; 2] = ["eth0:inet", "inet"];

/// The longest name that Linux gives an interface (IFNAMSIZ less its NUL).
const LONGEST_NAME: usize = 15;

/// The addresses of the host's interfaces, in the order in which they are
/// considered: by interface name, then by bytes, IPv4 as IPv4-in-IPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Vec<(String, IpAddr)>);

impl Addresses {
    /// Puts the addresses of a host in order.
    pub fn new(mut addresses: Vec<(String, IpAddr)>) -> Self {
        addresses.sort_unstable_by(|(name, address), (other_name, other)| {
            (name, bytes(*address)).cmp(&(other_name, bytes(*other)))
        });
        Self(addresses)
    }

    /// The address that the first matching one of `specifications` names.
    ///
    /// # Errors
    /// Says which specification can't be understood, or that none matches and
    /// which addresses there are.
    pub fn choose<S: AsRef<str>>(&self, specifications: &[S]) -> Result<IpAddr, String> {
        let parsed: Result<Vec<Specification<'_>>, String> = specifications
            .iter()
            .map(|text| Specification::parse(text.as_ref()))
            .collect();
        for specification in parsed? {
            if let Some(address) = self.first_match(&specification) {
                return Ok(address);
            }
        }
        Err(self.no_match(specifications))
    }

    fn first_match(&self, specification: &Specification<'_>) -> Option<IpAddr> {
        if let Specification::Static(address) = specification {
            return Some(*address);
        }
        let (mut interface, mut index) = ("", 0);
        for (name, address) in &self.0 {
            index = if interface == name { index + 1 } else { 0 };
            interface = name;
            if specification.matches(name, index, *address) {
                return Some(*address);
            }
        }
        None
    }

    fn no_match<S: AsRef<str>>(&self, specifications: &[S]) -> String {
        let wanted: Vec<&str> = specifications.iter().map(AsRef::as_ref).collect();
        let found: Vec<String> = self
            .0
            .iter()
            .map(|(name, ip)| format!("{name} {ip}"))
            .collect();
        let found = match found.is_empty() {
            true => "no addresses at all".to_owned(),
            false => found.join(", "),
        };
        let hint: String = wanted.iter().map(|text| hint(text)).collect();
        format!(
            "{} matches no address of this host ({found}){hint}",
            wanted.join(", ")
        )
    }
}

/// What is meant by an address where the name of an interface is expected.
fn hint(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => format!("; did you mean \"static:{address}\"?"),
        Err(_) => String::new(),
    }
}

/// The bytes by which addresses are ordered.
fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// One specification of the list.
#[derive(Debug, PartialEq, Eq)]
enum Specification<'t> {
    /// `inet`, `inet6`: any address of the family that is not a loopback one.
    Any { v6: bool },
    /// `eth0`, `eth0:inet`, `eth0:inet6`.
    Family { interface: &'t str, v6: bool },
    /// `eth0[1]`: the interface's address with this index.
    Indexed { interface: &'t str, index: usize },
    /// `10.0.0.0/8`, `fd00::/8`: any address of the network, which is given by
    /// its family, its bits and how many of them count.
    Network { v6: bool, bits: u128, prefix: u32 },
    /// `static:10.0.0.7`: this address, whether the host has it or not.
    Static(IpAddr),
}

impl<'t> Specification<'t> {
    fn parse(text: &'t str) -> Result<Self, String> {
        match text {
            "inet" => return Ok(Self::Any { v6: false }),
            "inet6" => return Ok(Self::Any { v6: true }),
            _ => {}
        }
        let parsed = if let Some(address) = text.strip_prefix("static:") {
            address.parse().ok().map(Self::Static)
        } else if let Some((address, prefix)) = text.split_once('/') {
            network(address, prefix)
        } else if let Some((interface, family)) = text.split_once(':') {
            match family {
                "inet" => Some(Self::Family {
                    interface,
                    v6: false,
                }),
                "inet6" => Some(Self::Family {
                    interface,
                    v6: true,
                }),
                _ => None,
            }
        } else if let Some((interface, index)) = text.split_once('[') {
            let index = index.strip_suffix(']').and_then(|index| index.parse().ok());
            index.map(|index| Self::Indexed { interface, index })
        } else {
            Some(Self::Family {
                interface: text,
                v6: false,
            })
        };
        parsed.filter(Self::names_an_interface).ok_or_else(|| {
            format!(
                "{text:?} is no interface specification (allowed: eth0, eth0:inet, eth0:inet6, \
                 eth0[1], 10.0.0.0/8, fd00::/8, inet, inet6, static:10.0.0.7){}",
                hint(text)
            )
        })
    }

    /// Whether the name of the interface, if there is one, can be one.
    fn names_an_interface(&self) -> bool {
        match self {
            Self::Family { interface, .. } | Self::Indexed { interface, .. } => {
                let odd = |c: char| c.is_whitespace() || c.is_control() || c == ']';
                (1..=LONGEST_NAME).contains(&interface.len()) && !interface.contains(odd)
            }
            Self::Any { .. } | Self::Network { .. } | Self::Static(_) => true,
        }
    }

    fn matches(&self, name: &str, position: usize, address: IpAddr) -> bool {
        match self {
            Self::Any { v6 } => address.is_ipv6() == *v6 && !address.is_loopback(),
            Self::Family { interface, v6 } => *interface == name && address.is_ipv6() == *v6,
            Self::Indexed { interface, index } => *interface == name && *index == position,
            Self::Network {
                v6,
                bits: network,
                prefix,
            } => {
                let differing = bits(address) ^ network;
                address.is_ipv6() == *v6 && differing.leading_zeros() >= *prefix
            }
            Self::Static(own) => *own == address,
        }
    }
}

fn network(address: &str, prefix: &str) -> Option<Specification<'static>> {
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv6() { 128 } else { 32 };
    let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix: u32 = prefix
        .parse()
        .ok()
        .filter(|prefix| digits && *prefix <= longest)?;
    Some(Specification::Network {
        v6: address.is_ipv6(),
        bits: bits(address),
        prefix,
    })
}

/// The bits of an address, the first one highest.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn host() -> Addresses {
        let address = |(name, ip): &(&str, &str)| ((*name).to_owned(), ip.parse().unwrap());
        let found = [
            ("lo", "::1"),
            ("eth2", "10.1.0.200"),
            ("eth1", "10.0.0.200"),
            ("eth0", "fdc6:238c:c4bc::1"),
            ("eth1", "10.0.0.100"),
            ("eth0", "10.2.0.1"),
            ("eth10", "2001:db8::7"),
            ("br-lan", "192.168.1.100"),
            ("eth0", "fe80::1"),
            ("eth1", "fdc6:238c:c4bc::2"),
            ("lo", "127.0.0.1"),
            ("eth0.100", "10.5.0.1"),
        ];
        Addresses::new(found.iter().map(address).collect())
    }

    #[test]
    fn the_first_specification_that_matches_decides() {
        for (specifications, address) in [
            (&["eth0"] as &[&str], "10.2.0.1"),
            (&["eth0:inet"], "10.2.0.1"),
            (&["eth0:inet6"], "fdc6:238c:c4bc::1"),
            (&["eth0[0]"], "10.2.0.1"),
            (&["eth0[1]"], "fdc6:238c:c4bc::1"),
            (&["eth0[2]"], "fe80::1"),
            (&["eth1"], "10.0.0.100"),
            (&["eth1[1]"], "10.0.0.200"),
            (&["eth1[2]"], "fdc6:238c:c4bc::2"),
            (&["eth0[3]", "eth2"], "10.1.0.200"),
            (&["eth10:inet6"], "2001:db8::7"),
            (&["eth10", "eth2"], "10.1.0.200"),
            (&["br-lan"], "192.168.1.100"),
            (&["eth0.100"], "10.5.0.1"),
            (&["inet"], "192.168.1.100"),
            (&["inet6"], "fdc6:238c:c4bc::1"),
            (&["lo"], "127.0.0.1"),
            (&["lo:inet6"], "::1"),
            (&["10.0.0.0/16"], "10.0.0.100"),
            (&["10.1.0.0/16"], "10.1.0.200"),
            (&["10.1.77.77/16"], "10.1.0.200"),
            (&["0.0.0.0/0"], "192.168.1.100"),
            (&["10.0.0.200/32"], "10.0.0.200"),
            (&["10.0.0.0/24", "eth0"], "10.0.0.100"),
            (&["172.16.0.0/12", "192.168.0.0/16"], "192.168.1.100"),
            (&["fdc6:238c:c4bc::/48"], "fdc6:238c:c4bc::1"),
            (&["fdc6:238c:c4bc::2/128"], "fdc6:238c:c4bc::2"),
            (&["::/0"], "fdc6:238c:c4bc::1"),
            (&["static:192.0.2.7"], "192.0.2.7"),
            (&["static:2001:db8::1"], "2001:db8::1"),
            (&["nosuch", "static:192.0.2.7", "eth0"], "192.0.2.7"),
            (&["eth0", "static:192.0.2.7"], "10.2.0.1"),
            (&DEFAULT, "10.2.0.1"),
        ] {
            let chosen = host().choose(specifications);
            assert_eq!(chosen, Ok(address.parse().unwrap()), "{specifications:?}");
        }
    }

    #[test]
    fn the_default_falls_back_to_any_ipv4_address() {
        let address = |ip: &str| ip.parse::<IpAddr>().unwrap();
        let found = vec![
            ("wlan0".to_owned(), address("10.9.9.9")),
            ("lo".to_owned(), address("127.0.0.1")),
        ];
        assert_eq!(
            Addresses::new(found).choose(&DEFAULT),
            Ok(address("10.9.9.9"))
        );
    }

    #[test]
    fn no_match_lists_what_was_wanted_and_what_there_is() {
        let lo = vec![("lo".to_owned(), "127.0.0.1".parse().unwrap())];
        assert_eq!(
            Addresses::new(lo).choose(&DEFAULT),
            Err("eth0:inet, inet matches no address of this host (lo 127.0.0.1)".to_owned())
        );
        assert_eq!(
            Addresses::default().choose(&["eth9[1]"]),
            Err("eth9[1] matches no address of this host (no addresses at all)".to_owned())
        );
        let own = vec![("lo".to_owned(), "127.0.0.1".parse().unwrap())];
        assert_eq!(
            Addresses::new(own).choose(&["10.0.0.7"]),
            Err(
                "10.0.0.7 matches no address of this host (lo 127.0.0.1); did you mean \
                 \"static:10.0.0.7\"?"
                    .to_owned()
            )
        );
        let error = host().choose(&["fd00::7"]).unwrap_err();
        assert!(
            error.ends_with("; did you mean \"static:fd00::7\"?"),
            "{error}"
        );
        for specification in ["eth0[9]", "172.16.0.0/12", "eth2:inet6", "ETH0"] {
            assert!(host().choose(&[specification]).is_err(), "{specification}");
        }
    }

    #[test]
    fn what_is_no_specification_is_an_error_even_behind_a_match() {
        for text in [
            "",
            "eth0:",
            "eth0:ipv4",
            "eth0[]",
            "eth0[a]",
            "eth0[-1]",
            "eth0[1",
            "eth0]",
            "[1]",
            ":inet",
            "static:",
            "static:eth0",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "fd00::/",
            "a b",
            "sixteen-letters-",
            "eth0 ",
        ] {
            let error = host().choose(&["inet", text]).unwrap_err();
            assert!(
                error.starts_with(&format!("{text:?} is no interface specification")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_v4_network_never_matches_a_v6_address() {
        let v6 = vec![("eth0".to_owned(), "a00::1".parse().unwrap())];
        assert!(Addresses::new(v6).choose(&["10.0.0.0/8"]).is_err());
    }
}
