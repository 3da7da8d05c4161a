//! `init`: what the supervisor does beyond its jobs where it is the init of a
//! machine (SPEC §18).

use std::path::PathBuf;
use std::time::Duration;

use super::decode::{Span, Word};
use super::findings::{Findings, Path};
use super::table::{Preset, object};

/// The longest host name: `HOST_NAME_MAX`, see gethostname(2).
const LONGEST_HOSTNAME: usize = 64;

/// The duties of the init of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitSpec {
    /// Whether the kernel's file systems are mounted where they are not.
    pub mounts: bool,
    /// The device that becomes stdin, stdout and stderr.
    pub console: Option<PathBuf>,
    /// The name of the host.
    pub hostname: Option<String>,
    /// What resets a machine that hangs.
    pub watchdog: Option<WatchdogSpec>,
    /// What becomes of the machine in the end.
    pub on_shutdown: Ending,
}

/// A device that resets the machine unless it is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchdogSpec {
    /// Its path.
    pub device: PathBuf,
    /// For how long it bears not to be fed; whole seconds.
    pub timeout: Duration,
}

impl WatchdogSpec {
    /// How often it is fed: once more than needed, should a turn be late.
    pub fn period(&self) -> Duration {
        self.timeout / 2
    }
}

/// What becomes of the machine when there is nothing left to supervise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It is switched off.
    #[default]
    PowerOff,
    /// It starts again.
    Reboot,
    /// It stands still, switched on.
    Halt,
    /// The supervisor exits: right in a container, the end of a kernel elsewhere.
    Exit,
}

impl Word for Ending {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("poweroff", Self::PowerOff),
        ("reboot", Self::Reboot),
        ("halt", Self::Halt),
        ("exit", Self::Exit),
    ];
}

object! {
    /// The duties of an init, as the file has them.
    RawInit in "init" {
        mounts: bool = "mounts", Preset::Bool(true),
            "Whether `/proc`, `/sys`, `/dev`, `/dev/pts` and `/run` are mounted where they are not.";
        console: String = "console", Preset::Absent,
            "The device that becomes stdin, stdout and stderr, such as `/dev/ttyS0`; without it they are what the kernel opened.";
        hostname: String = "hostname", Preset::Absent,
            "The name of the host.";
        watchdog: RawWatchdog = "watchdog", Preset::Depends("none"),
            "What resets the machine if it hangs.";
        on_shutdown: Ending = "onShutdown", Preset::Text("poweroff"),
            "What becomes of the machine when everything has ended; `reboot` at Ctrl-Alt-Del.";
    }
}

object! {
    /// A watchdog, as the file has it.
    RawWatchdog in "init.watchdog" {
        device: String = "device", Preset::Text("/dev/watchdog"),
            "The watchdog's device.";
        timeout: Span<2000> = "timeout", Preset::Text("30s"),
            "For how long it bears not to be fed, in whole seconds; it is fed twice in that time.";
    }
}

impl RawInit {
    /// The duties; anything if an error was added.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> InitSpec {
        let hostname = self.hostname.filter(|name| !name.is_empty());
        if let Some(name) = &hostname
            && let Some(fault) = fault_of_hostname(name)
        {
            findings.error(&at.key("hostname"), format!("{name:?} {fault}"));
        }
        let console = self.console.filter(|path| !path.is_empty());
        if let Some(path) = &console {
            refuse_relative(path, &at.key("console"), findings);
        }
        InitSpec {
            mounts: self.mounts.unwrap_or_default(),
            console: console.map(PathBuf::from),
            hostname,
            watchdog: self
                .watchdog
                .map(|raw| raw.into_spec(&at.key("watchdog"), findings)),
            on_shutdown: self.on_shutdown.unwrap_or_default(),
        }
    }
}

impl RawWatchdog {
    fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> WatchdogSpec {
        let device = self.device.unwrap_or_default();
        refuse_relative(&device, &at.key("device"), findings);
        let Span(timeout) = self.timeout.unwrap_or_default();
        if timeout.subsec_nanos() != 0 {
            findings.error(
                &at.key("timeout"),
                "is not a whole number of seconds, which is all that a watchdog understands",
            );
        }
        WatchdogSpec {
            device: device.into(),
            timeout,
        }
    }
}

/// A machine that starts has no directory that a path could be relative to.
fn refuse_relative(path: &str, at: &Path<'_>, findings: &mut Findings) {
    if !path.starts_with('/') {
        findings.error(at, format!("{path:?} does not begin with \"/\""));
    }
}

/// What is wrong with the name of a host (RFC 1123 §2.1).
fn fault_of_hostname(name: &str) -> Option<String> {
    if name.len() > LONGEST_HOSTNAME {
        let length = name.len();
        return Some(format!(
            "is {length} bytes long; the name of a host has at most {LONGEST_HOSTNAME}"
        ));
    }
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty()
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fault = "is no name of a host: letters, digits, and inside of it \"-\" and \".\"";
    (!name.split('.').all(is_label)).then(|| fault.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::decode::Decode;

    fn init(text: &str) -> (Option<InitSpec>, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("init");
        let raw = RawInit::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        let spec = raw.map(|raw| raw.into_spec(&at, &mut findings));
        (spec, findings)
    }

    #[test]
    fn what_is_left_out_is_as_the_manual_says() {
        let default = InitSpec {
            mounts: true,
            ..InitSpec::default()
        };
        let watchdog = |device: &str, seconds| WatchdogSpec {
            device: device.into(),
            timeout: Duration::from_secs(seconds),
        };
        for (text, expected) in [
            ("{}", default.clone()),
            ("{console: '', hostname: ''}", default.clone()),
            (
                "{watchdog: {}}",
                InitSpec {
                    watchdog: Some(watchdog("/dev/watchdog", 30)),
                    ..default.clone()
                },
            ),
            (
                "{mounts: false, console: '/dev/ttyS0', hostname: 'box-1.example',
                  watchdog: {device: '/dev/watchdog1', timeout: 60}, onShutdown: 'reboot'}",
                InitSpec {
                    mounts: false,
                    console: Some("/dev/ttyS0".into()),
                    hostname: Some("box-1.example".to_owned()),
                    watchdog: Some(watchdog("/dev/watchdog1", 60)),
                    on_shutdown: Ending::Reboot,
                },
            ),
        ] {
            let (spec, findings) = init(text);
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
            assert_eq!(spec, Some(expected), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_is_an_error() {
        for (text, error) in [
            (
                "{hostname: 'my box'}",
                "init.hostname: \"my box\" is no name of a host: letters, digits, and inside of it \"-\" and \".\"",
            ),
            (
                "{hostname: '-box'}",
                "init.hostname: \"-box\" is no name of a host: letters, digits, and inside of it \"-\" and \".\"",
            ),
            (
                "{console: 'ttyS0'}",
                "init.console: \"ttyS0\" does not begin with \"/\"",
            ),
            (
                "{watchdog: {timeout: '2500ms'}}",
                "init.watchdog.timeout: is not a whole number of seconds, which is all that a watchdog understands",
            ),
            (
                "{watchdog: {timeout: 1}}",
                "init.watchdog.timeout: 1 is shorter than 2s, the least allowed",
            ),
            (
                "{onShutdown: 'powerof'}",
                "init.onShutdown: \"powerof\" is not one of poweroff, reboot, halt, exit; did you mean \"poweroff\"?",
            ),
        ] {
            let errors = init(text).1.finish("").unwrap_err();
            assert_eq!(errors.to_string(), error, "{text}");
        }
        let long = format!("{{hostname: '{}'}}", "a".repeat(65));
        let errors = init(&long).1.finish("").unwrap_err().to_string();
        assert!(errors.ends_with("is 65 bytes long; the name of a host has at most 64"));
    }
}
