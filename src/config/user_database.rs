//! The users and groups of the host, from `/etc/passwd` and `/etc/group` alone
//! (passwd(5), group(5)).
//!
//! The C library is not asked: a static binary would load the host's modules
//! for name services into PID 1, or crash on them. A file is read when it is
//! first needed, so a configuration that names nobody reads none. Whatever takes
//! the name of a user or group asks here: the context of a job, the owner of the
//! control socket.

use std::cell::OnceCell;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::source::{self, cause};
use super::suggest;
use crate::hash::HashMap;

/// A user, as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its primary group; that of the user itself if the host does
    /// not know it.
    pub gid: u32,
    /// What the host says of it; a number needs no account.
    pub account: Option<Account>,
}

/// What `/etc/passwd` says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its home directory.
    pub home: String,
    /// Its login shell.
    pub shell: String,
}

/// The users and groups of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDatabase {
    passwd: File<Users>,
    group: File<Groups>,
}

impl UserDatabase {
    /// Those of this host.
    pub fn of_host() -> Self {
        Self {
            passwd: File::at("/etc/passwd"),
            group: File::at("/etc/group"),
        }
    }

    /// Those that the texts of `/etc/passwd` and `/etc/group` name.
    pub fn of(passwd: &str, group: &str) -> Self {
        Self {
            passwd: File::of("/etc/passwd", passwd),
            group: File::of("/etc/group", group),
        }
    }

    /// The user of this name or number.
    ///
    /// # Errors
    /// Why there is none, for an operator.
    pub fn user(&self, text: &str) -> Result<User, String> {
        let uid = number(text)?;
        let users = self.passwd.content()?;
        let place = match uid {
            Some(uid) => users.and_then(|users| users.by_uid.get(&uid)),
            None => users.and_then(|users| users.by_name.get(text)),
        };
        let known = users
            .zip(place)
            .and_then(|(users, place)| users.all.get(*place));
        match (known, uid) {
            (Some(user), _) => Ok(user.clone()),
            (None, Some(uid)) => Ok(User {
                uid,
                gid: uid,
                account: None,
            }),
            (None, None) => {
                let all = users.into_iter().flat_map(|users| &users.all);
                let accounts = all.filter_map(|user| user.account.as_ref());
                let names = accounts.map(|account| account.name.as_str());
                Err(self.passwd.unknown("user", text, names))
            }
        }
    }

    /// The number of the group of this name or number.
    ///
    /// # Errors
    /// Why there is none, for an operator.
    pub fn group(&self, text: &str) -> Result<u32, String> {
        if let Some(gid) = number(text)? {
            return Ok(gid);
        }
        let groups = self.group.content()?;
        let gid = groups.and_then(|groups| groups.by_name.get(text));
        gid.copied().ok_or_else(|| {
            let names = groups.into_iter().flat_map(|groups| &groups.names);
            self.group.unknown("group", text, names.map(String::as_str))
        })
    }

    /// The groups of a user with this primary group: that one first, then all
    /// that have the user as a member, each once (initgroups(3)).
    ///
    /// # Errors
    /// Why they can't be told, for an operator.
    pub fn groups_of(&self, user: &User, primary: u32) -> Result<Vec<u32>, String> {
        let mut gids = vec![primary];
        let Some(account) = &user.account else {
            return Ok(gids);
        };
        let groups = self.group.content()?;
        let gids_of = groups.and_then(|groups| groups.of_member.get(&account.name));
        let others = gids_of.into_iter().flatten();
        gids.extend(others.filter(|gid| **gid != primary));
        Ok(gids)
    }
}

/// What `/etc/passwd` says; of a name or a number that comes twice the first entry
/// counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Users {
    all: Vec<User>,
    by_name: HashMap<String, usize>,
    by_uid: HashMap<u32, usize>,
}

impl From<&str> for Users {
    /// A line that names no user is passed over, as the C library does.
    fn from(text: &str) -> Self {
        let mut users = Self::default();
        for line in text.lines() {
            let Some([name, _password, uid, gid, _comment, home, shell]) = fields(line) else {
                continue;
            };
            let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
                continue;
            };
            let place = users.all.len();
            users.by_name.entry(name.to_owned()).or_insert(place);
            users.by_uid.entry(uid).or_insert(place);
            let account = Some(Account {
                name: name.to_owned(),
                home: home.to_owned(),
                shell: shell.to_owned(),
            });
            users.all.push(User { uid, gid, account });
        }
        users
    }
}

/// What `/etc/group` says; of a name that comes twice the first entry counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    names: Vec<String>,
    by_name: HashMap<String, u32>,
    /// The groups of each user that is named as a member, each once.
    of_member: HashMap<String, Vec<u32>>,
}

impl From<&str> for Groups {
    fn from(text: &str) -> Self {
        let mut groups = Self::default();
        for line in text.lines() {
            let Some([name, _password, gid, members]) = fields(line) else {
                continue;
            };
            let Some(gid) = id(gid) else {
                continue;
            };
            groups.names.push(name.to_owned());
            groups.by_name.entry(name.to_owned()).or_insert(gid);
            let members = members.split(',').map(str::trim);
            for member in members.filter(|member| !member.is_empty()) {
                let gids = groups.of_member.entry(member.to_owned()).or_default();
                if !gids.contains(&gid) {
                    gids.push(gid);
                }
            }
        }
        groups
    }
}

/// The fields of a line; fewer than `N` are filled up, further ones passed over.
/// Comments and what NIS adds are no entries.
fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    if line.is_empty() || line.starts_with(['#', '+', '-', ':']) {
        return None;
    }
    let mut parts = line.split(':');
    Some([(); N].map(|()| parts.next().unwrap_or_default()))
}

/// The id of a user or a group; -1 is nobody's, it means "as it is" to the kernel
/// (setresuid(2)): who asked for it would stay root.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

/// The id that a text of digits is; nothing if it is a name.
fn number(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    id(text).map(Some).ok_or_else(|| {
        format!(
            "{text} is no number of a user or group: {} is the greatest",
            u32::MAX - 1
        )
    })
}

/// A file of the database, once it was read: nothing if it does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct File<T> {
    path: PathBuf,
    content: OnceCell<Result<Option<T>, String>>,
}

impl<T: for<'t> From<&'t str>> File<T> {
    fn at(path: &str) -> Self {
        Self {
            path: path.into(),
            content: OnceCell::new(),
        }
    }

    fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            content: OnceCell::from(Ok(Some(text.into()))),
        }
    }

    /// What the file says; nothing if it does not exist.
    fn content(&self) -> Result<Option<&T>, String> {
        let read = || match source::read_bytes(&self.path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).as_ref().into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {:?}: {}", self.path, cause(&error))),
        };
        let content = self.content.get_or_init(read).as_ref();
        content.map(Option::as_ref).map_err(Clone::clone)
    }

    /// That the file has no such entry, and what was probably meant.
    fn unknown<'n>(&self, what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
        let path = self.path.display();
        match self.content() {
            Ok(None) => {
                format!("there is no {what} {name:?}: {path} does not exist; write its number")
            }
            _ => format!(
                "there is no {what} {name:?} in {path}{}",
                suggest::quick_hint(name, names)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
# a comment:x:5:5::/:
+nis:x:6:6::/:
app:x:1000:1000:The App,,,:/srv/app:/usr/sbin/nologin
twin:x:1000:7::/srv/twin:/bin/sh
short:x:8:8
broken:x:many:8::/:
root-by-uid:x:4294967295:9::/:
root-by-gid:x:9:4294967295::/:
app:x:9:9:a second one:/:/bin/sh
";

    const GROUP: &str = "\
root:x:0:
app:x:1000:
video:x:44:root,app
audio:x:63: twin , app
again:x:44:app
nobody:x:65534
kept:x:4294967295:root,app
";

    fn database() -> UserDatabase {
        UserDatabase::of(PASSWD, GROUP)
    }

    fn user(text: &str) -> Result<(u32, u32, Option<String>), String> {
        let user = database().user(text)?;
        Ok((user.uid, user.gid, user.account.map(|account| account.name)))
    }

    #[test]
    fn users_go_by_name_or_number_and_the_first_entry_counts() {
        for (text, expected) in [
            ("root", (0, 0, Some("root"))),
            ("0", (0, 0, Some("root"))),
            ("app", (1000, 1000, Some("app"))),
            ("1000", (1000, 1000, Some("app"))),
            ("twin", (1000, 7, Some("twin"))),
            ("short", (8, 8, Some("short"))),
            ("4294967294", (4_294_967_294, 4_294_967_294, None)),
            ("5", (5, 5, None)),
        ] {
            let (uid, gid, name) = expected;
            assert_eq!(
                user(text),
                Ok((uid, gid, name.map(str::to_owned))),
                "{text}"
            );
        }
        let account = database().user("app").unwrap().account.unwrap();
        assert_eq!(account.home, "/srv/app");
        assert_eq!(account.shell, "/usr/sbin/nologin");
    }

    #[test]
    fn groups_go_by_name_or_number() {
        for (text, gid) in [("video", 44), ("nobody", 65534), ("7", 7), ("007", 7)] {
            assert_eq!(database().group(text), Ok(gid), "{text}");
        }
    }

    #[test]
    fn who_is_not_there_is_an_error_with_what_was_meant() {
        for (text, error) in [
            (
                "ap",
                "there is no user \"ap\" in /etc/passwd; did you mean \"app\"?",
            ),
            ("nobody", "there is no user \"nobody\" in /etc/passwd"),
            ("broken", "there is no user \"broken\" in /etc/passwd"),
            ("+nis", "there is no user \"+nis\" in /etc/passwd"),
            (
                "root-by-uid",
                "there is no user \"root-by-uid\" in /etc/passwd",
            ),
            (
                "root-by-gid",
                "there is no user \"root-by-gid\" in /etc/passwd",
            ),
            ("", "there is no user \"\" in /etc/passwd"),
            (
                "4294967295",
                "4294967295 is no number of a user or group: 4294967294 is the greatest",
            ),
        ] {
            assert_eq!(user(text), Err(error.to_owned()), "{text}");
        }
        assert_eq!(
            database().group("kept"),
            Err("there is no group \"kept\" in /etc/group".to_owned())
        );
        assert_eq!(
            database().group("vidoe"),
            Err("there is no group \"vidoe\" in /etc/group; did you mean \"video\"?".to_owned())
        );
    }

    #[test]
    fn the_groups_of_a_user_are_its_primary_one_and_those_it_is_a_member_of() {
        let database = database();
        for (text, primary, groups) in [
            ("app", 1000, [1000, 44, 63].as_slice()),
            ("app", 44, &[44, 63]),
            ("twin", 7, &[7, 63]),
            ("root", 0, &[0, 44]),
            ("5", 5, &[5]),
        ] {
            let user = database.user(text).unwrap();
            assert_eq!(
                database.groups_of(&user, primary).unwrap(),
                groups,
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_need_no_files_and_names_say_that_there_are_none() {
        let nothing = UserDatabase {
            passwd: File::at("/no/such/passwd"),
            group: File::at("/no/such/group"),
        };
        let user = nothing.user("1000").unwrap();
        assert_eq!((user.uid, user.gid, &user.account), (1000, 1000, &None));
        assert_eq!(nothing.groups_of(&user, 1000), Ok(vec![1000]));
        assert_eq!(nothing.group("12"), Ok(12));
        assert_eq!(
            nothing.user("app").unwrap_err(),
            "there is no user \"app\": /no/such/passwd does not exist; write its number"
        );
        let directory = UserDatabase {
            passwd: File::at("/"),
            ..nothing
        };
        assert_eq!(
            directory.user("7").unwrap_err(),
            "cannot read \"/\": it is a directory"
        );
    }

    #[test]
    fn this_host_knows_root() {
        let root = UserDatabase::of_host().user("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
    }
}
