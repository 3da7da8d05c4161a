//! Network namespaces joined by a cable: hosts of their own, as far as the
//! network is concerned; and rough ends of connections.

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use super::{command, is_root, run, skip};

/// Makes the kernel send a reset instead of a proper end when a connection is
/// closed.
pub(crate) fn reset_when_closed(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap();
    // SAFETY: the socket is open and the option points to a live `linger`.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
}

/// Two hosts, `10.77.0.1` and `10.77.0.2`, and the cable between them.
#[derive(Debug)]
pub(crate) struct Cable {
    ends: [String; 2],
}

impl Cable {
    /// Two new hosts; `None`, and said so, where they cannot be made.
    pub(crate) fn new() -> Option<Self> {
        if !is_root() {
            skip("network namespaces need root");
            return None;
        }
        let id = std::process::id();
        let ends = [1, 2].map(|end| format!("cp-test-{id}-{end}"));
        let cable = Self { ends };
        for end in &cable.ends {
            ip(&["netns", "add", end]);
        }
        let [left, right] = &cable.ends;
        let pair = ["link", "add", "cable", "netns", left, "type", "veth"];
        ip(&[&pair[..], &["peer", "name", "cable", "netns", right]].concat());
        for (place, end) in cable.ends.iter().enumerate() {
            let address = format!("{}/24", address(place));
            ip(&["-n", end, "addr", "add", &address, "dev", "cable"]);
            ip(&["-n", end, "link", "set", "lo", "up"]);
            ip(&["-n", end, "link", "set", "cable", "up"]);
        }
        Some(cable)
    }

    /// The name of the namespace and its address on the cable.
    pub(crate) fn host(&self, place: usize) -> (&str, std::net::Ipv4Addr) {
        (&self.ends[place], address(place).parse().unwrap())
    }

    /// Pulls the plug, or puts it back in.
    pub(crate) fn plug(&self, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        ip(&["-n", &self.ends[0], "link", "set", "cable", state]);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for end in &self.ends {
            let mut delete = command::command("ip");
            // One that was never made cannot be deleted, either.
            let _missing = run(delete.args(["netns", "delete", end]));
        }
    }
}

fn address(place: usize) -> String {
    format!("10.77.0.{}", place + 1)
}

#[track_caller]
fn ip(words: &[&str]) {
    run(command::command("ip").args(words)).success();
}
