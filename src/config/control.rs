//! `control`: where the control plane listens (SPEC §8).

use std::path::PathBuf;

use super::findings::{Findings, Path};
use super::octal::Octal;
use super::table::{Preset, object};
use super::user_database::UserDatabase;

/// Where the control plane listens by default.
pub const DEFAULT_SOCKET: &str = "/var/run/containerpilot.socket";

/// The longest path of a Unix socket: `sun_path` less its NUL, see unix(7).
const LONGEST_PATH: usize = 107;

/// What the owner must be able to do to connect, see unix(7).
const OWNERS: u32 = 0o600;

/// Where the control plane listens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSpec {
    /// The path of the Unix socket.
    pub socket: PathBuf,
    /// Who may connect.
    pub access: Access,
}

impl ControlSpec {
    /// A socket for the supervisor's own user alone.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            access: Access::default(),
        }
    }
}

/// Who may connect to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The permission bits of its file.
    pub mode: u32,
    /// Its owner; the supervisor's user if there is none.
    pub owner: Option<u32>,
    /// Its group; the supervisor's if there is none.
    pub group: Option<u32>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            mode: OWNERS,
            owner: None,
            group: None,
        }
    }
}

object! {
    /// Where the control plane listens, as the file has it.
    RawControl in "control" {
        socket: String = "socket", Preset::Text(DEFAULT_SOCKET),
            "The Unix socket of the control plane; its directory is made if there is none.";
        mode: Octal<0o777> = "mode", Preset::Text("0600"),
            "Who may connect: the permissions of the socket's file.";
        owner: String = "owner", Preset::Depends("the supervisor's user"),
            "The name or number of the user that the socket belongs to.";
        group: String = "group", Preset::Depends("the supervisor's group"),
            "The name or number of the group that the socket belongs to.";
    }
}

impl RawControl {
    /// Where the control plane listens, and for whom.
    pub(crate) fn into_spec(
        self,
        users: &UserDatabase,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> ControlSpec {
        let owner = self.owner.as_deref().map(|owner| users.user(owner));
        let owner = owner.map(|user| user.map(|user| user.uid)).transpose();
        let group = self.group.as_deref().map(|group| users.group(group));
        let mut known = |key, number: Result<Option<u32>, String>| {
            number.unwrap_or_else(|why| {
                findings.error(&at.key(key), why);
                None
            })
        };
        let owner = known("owner", owner);
        let group = known("group", group.transpose());
        let mode = self.mode.map_or(OWNERS, |Octal(mode)| mode);
        if mode & OWNERS != OWNERS {
            let message = format!("{mode:04o} keeps the owner out: 06.. lets it connect");
            findings.error(&at.key("mode"), message);
        }
        ControlSpec {
            access: Access { mode, owner, group },
            socket: self.into_socket(at, findings),
        }
    }

    /// Where the control plane listens.
    pub(crate) fn into_socket(self, at: &Path<'_>, findings: &mut Findings) -> PathBuf {
        let socket = self.socket.unwrap_or_default();
        if socket.len() > LONGEST_PATH {
            let message = format!(
                "is {} bytes long; the path of a Unix socket has at most {LONGEST_PATH}",
                socket.len()
            );
            findings.error(&at.key("socket"), message);
        }
        socket.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::{self, Host};
    use crate::environment::Environment;

    fn control(text: &str) -> Result<ControlSpec, String> {
        let mut host = Host::new("here", Vec::new());
        host.users = UserDatabase::of("app:x:10:20::/:/bin/sh\n", "ops:x:30:\n");
        let text = format!("{{ control: {text} }}");
        let config = config::parse(&text, &Environment::default(), &host);
        config
            .map(|config| config.control.unwrap())
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn only_the_supervisor_itself_may_connect_unless_others_are_named() {
        let socket = "{ socket: '/s' }";
        assert_eq!(control(socket), Ok(ControlSpec::at("/s")));
        let named = "{ socket: '/s', mode: '0660', owner: 'app', group: 'ops' }";
        let numbers = "{ socket: '/s', mode: 660, owner: 10, group: '30' }";
        for text in [named, numbers] {
            let access = control(text).unwrap().access;
            assert_eq!(
                (access.mode, access.owner, access.group),
                (0o660, Some(10), Some(30))
            );
        }
    }

    #[test]
    fn who_is_not_there_or_kept_out_is_an_error() {
        for (text, expected) in [
            ("{ owner: 'ap' }", "control.owner"),
            ("{ group: 'app' }", "control.group"),
            (
                "{ mode: '0060' }",
                "control.mode: 0060 keeps the owner out: 06.. lets it connect",
            ),
            ("{ mode: '0888' }", "control.mode"),
            ("{ mod: '0600' }", "did you mean \"mode\"?"),
        ] {
            let error = control(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_client_finds_the_socket_though_its_owner_is_unknown_here() {
        let text = "{ control: { socket: '/s', owner: 'nobody of this container' } }";
        let found = config::parse_control_socket(text);
        assert_eq!(found.unwrap(), PathBuf::from("/s"));
    }
}
