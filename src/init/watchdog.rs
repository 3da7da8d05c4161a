//! A watchdog device: the machine is reset unless it is fed in time.
//!
//! The main loop feeds it, so that a supervisor that hangs counts as a machine
//! that does. It stays armed to the very end: a shutdown that hangs is a hang
//! too. See the kernel's watchdog-api.rst.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::system::check;
use crate::config::init::WatchdogSpec;

/// `WDIOC_SETTIMEOUT` of linux/watchdog.h: `_IOWR('W', 6, int)`.
const SET_TIMEOUT: u32 = 0xc004_5706;

/// A watchdog, armed as soon as there is one: its driver may be a module that a
/// job loads.
#[derive(Debug)]
pub struct Watchdog {
    spec: WatchdogSpec,
    device: Option<File>,
    /// Whether what is wrong now was told already.
    told: bool,
}

impl Watchdog {
    /// A watchdog to be.
    pub fn new(spec: WatchdogSpec) -> Self {
        Self {
            spec,
            device: None,
            told: false,
        }
    }

    /// How often it is to be fed.
    pub fn period(&self) -> Duration {
        self.spec.period()
    }

    /// Feeds it, or arms it if it is not yet. A failure is told once; a machine
    /// that is reset then tells the rest.
    pub fn feed(&mut self) {
        let path = self.spec.device.display();
        let result = match &mut self.device {
            Some(device) => device
                .write_all(b"\0")
                .map_err(|error| format!("cannot feed {path}, the machine may be reset: {error}")),
            None => open(&self.spec)
                .map(|device| {
                    log::info!("the watchdog {path} watches over this machine");
                    self.device = Some(device);
                    self.told = false;
                })
                .map_err(|error| format!("the watchdog {path} does not watch yet: {error}")),
        };
        if let Err(text) = result
            && !std::mem::replace(&mut self.told, true)
        {
            log::error!("{text}");
        }
    }

    /// Says goodbye, so that the end of the program is no hang.
    pub fn disarm(self) {
        if let Some(device) = self.device {
            say_goodbye(device);
        }
    }
}

fn open(spec: &WatchdogSpec) -> io::Result<File> {
    let device = OpenOptions::new().write(true).open(&spec.device)?;
    let seconds = spec.timeout.as_secs();
    let mut timeout = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: the request reads and writes one int.
    let set = unsafe { libc::ioctl(device.as_raw_fd(), SET_TIMEOUT as _, &raw mut timeout) };
    let problem = match check(set) {
        // The driver tells what it has really set, and may know no longer one.
        Ok(()) if is_long_enough(timeout, spec.period()) => return Ok(device),
        Ok(()) => format!("it resets the machine after {timeout} s"),
        Err(error) => error.to_string(),
    };
    say_goodbye(device);
    let text = format!("its timeout cannot be {seconds} s: {problem}");
    Err(io::Error::other(text))
}

/// Whether one that resets the machine after so many seconds can be fed this often,
/// with as much time again as half of that to be late.
fn is_long_enough(seconds: libc::c_int, period: Duration) -> bool {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Duration::from_secs(seconds) >= period.saturating_mul(3) / 2
}

/// A device that cannot be disarmed takes this for food.
fn say_goodbye(mut device: File) {
    let _stays_armed = device.write_all(b"V");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_must_leave_time_to_be_late() {
        for (seconds, period, enough) in [(60, 30, true), (45, 30, true), (44, 30, false)] {
            let period = Duration::from_secs(period);
            assert_eq!(is_long_enough(seconds, period), enough, "{seconds}");
        }
        assert!(!is_long_enough(-1, Duration::from_secs(1)));
    }
}
