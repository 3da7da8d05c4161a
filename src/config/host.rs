//! The host as a configuration sees it: its name, its addresses and its users.
//!
//! An input of the configuration, so that reading one is the same everywhere;
//! only that of [`Host::current`] asks the kernel. What few configurations need
//! is found out when it is first needed.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::interfaces::Addresses;
use super::user_database::UserDatabase;

/// The host as a configuration sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, which ends the id of every service.
    pub name: String,
    /// The addresses of its interfaces, or why they can't be told.
    addresses: OnceCell<Result<Addresses, String>>,
    /// Its users and groups.
    pub users: UserDatabase,
}

impl Host {
    /// A host of this name with these addresses of its interfaces, and without
    /// users.
    pub fn new(name: impl Into<String>, interfaces: Vec<(String, IpAddr)>) -> Self {
        Self {
            name: name.into(),
            addresses: OnceCell::from(Ok(Addresses::new(interfaces))),
            users: UserDatabase::of("", ""),
        }
    }

    /// The same host with these users.
    #[must_use]
    pub fn with_users(self, users: UserDatabase) -> Self {
        Self { users, ..self }
    }

    /// The host this process runs on.
    ///
    /// # Errors
    /// The kernel's, if it does not tell the name.
    pub fn current() -> io::Result<Self> {
        Ok(Self {
            name: name()?,
            addresses: OnceCell::new(),
            users: UserDatabase::of_host(),
        })
    }

    /// The addresses of its interfaces.
    ///
    /// # Errors
    /// Why the kernel does not tell them, for an operator.
    pub fn addresses(&self) -> Result<&Addresses, String> {
        let found = self.addresses.get_or_init(|| {
            interfaces()
                .map(Addresses::new)
                .map_err(|error| format!("cannot find out the addresses of this host: {error}"))
        });
        found.as_ref().map_err(String::clone)
    }
}

/// gethostname(2); what is no UTF-8 is replaced.
fn name() -> io::Result<String> {
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as long as it is said to be.
    let status = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len()) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    let name = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// getifaddrs(3): every IP address with the name of its interface.
fn interfaces() -> io::Result<Vec<(String, IpAddr)>> {
    let mut first = std::ptr::null_mut();
    // SAFETY: `first` receives a list that is freed once, below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = first.cast_const();
    // SAFETY: every pointer of the list is null or valid until it is freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: the address of an entry is null or a socket address of the
        // size that its family has.
        if let Some(address) = unsafe { ip_address(entry.ifa_addr) } {
            // SAFETY: the name of an entry ends with a NUL.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            found.push((interface_name(&name.to_string_lossy()), address));
        }
        next = entry.ifa_next;
    }
    // SAFETY: getifaddrs made the list, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(found)
}

/// The interface of an address: libc gives the label of an IPv4 address, which
/// for an alias is `eth0:1`.
fn interface_name(label: &str) -> String {
    label.split(':').next().unwrap_or_default().to_owned()
}

/// The address in a socket address, if its family is IPv4 or IPv6.
///
/// # Safety
/// `address` must be null or point to a socket address that is as long as its
/// family says.
unsafe fn ip_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or valid, says the caller.
    let family = unsafe { address.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one; it may be unaligned.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn this_host_has_a_name_and_a_loopback_address() {
        let host = Host::current().unwrap();
        assert!(!host.name.is_empty());
        let lo = host.addresses().unwrap().choose(&["lo:inet"]).unwrap();
        assert_eq!(lo, IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn an_alias_belongs_to_its_interface() {
        assert_eq!(interface_name("eth0:1"), "eth0");
        assert_eq!(interface_name("br-lan"), "br-lan");
    }
}
