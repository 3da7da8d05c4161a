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
    passwd: File,
    group: File,
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
        let file = |path: &str, text: &str| File {
            path: path.into(),
            text: OnceCell::from(Ok(Some(text.to_owned()))),
        };
        Self {
            passwd: file("/etc/passwd", passwd),
            group: file("/etc/group", group),
        }
    }

    /// The user of this name or number.
    ///
    /// # Errors
    /// Why there is none, for an operator.
    pub fn user(&self, text: &str) -> Result<User, String> {
        let Some(uid) = number(text)? else {
            let named = self.users()?.find(|(name, _)| *name == text);
            let names = || self.users().into_iter().flatten().map(|(name, _)| name);
            return named
                .map(|(_, user)| user)
                .ok_or_else(|| self.passwd.unknown("user", text, names()));
        };
        let known = self.users()?.find(|(_, user)| user.uid == uid);
        Ok(known.map_or_else(
            || User {
                uid,
                gid: uid,
                account: None,
            },
            |(_, user)| user,
        ))
    }

    /// The number of the group of this name or number.
    ///
    /// # Errors
    /// Why there is none, for an operator.
    pub fn group(&self, text: &str) -> Result<u32, String> {
        if let Some(gid) = number(text)? {
            return Ok(gid);
        }
        let named = self.groups()?.find(|group| group.name == text);
        let names = || self.groups().into_iter().flatten().map(|group| group.name);
        named
            .map(|group| group.gid)
            .ok_or_else(|| self.group.unknown("group", text, names()))
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
        for group in self.groups()? {
            let mut members = group.members.split(',').map(str::trim);
            if members.any(|member| member == account.name) && !gids.contains(&group.gid) {
                gids.push(group.gid);
            }
        }
        Ok(gids)
    }

    /// The users by their names; a line that names none is passed over, as the C
    /// library does.
    fn users(&self) -> Result<impl Iterator<Item = (&str, User)>, String> {
        let users = self.passwd.lines()?.filter_map(|line| {
            let [name, _password, uid, gid, _comment, home, shell] = fields(line)?;
            let account = Account {
                name: name.to_owned(),
                home: home.to_owned(),
                shell: shell.to_owned(),
            };
            let user = User {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                account: Some(account),
            };
            Some((name, user))
        });
        Ok(users)
    }

    fn groups(&self) -> Result<impl Iterator<Item = Group<'_>>, String> {
        let groups = self.group.lines()?.filter_map(|line| {
            let [name, _password, gid, members] = fields(line)?;
            let gid = gid.parse().ok()?;
            Some(Group { name, gid, members })
        });
        Ok(groups)
    }
}

/// A line of `/etc/group`.
struct Group<'t> {
    name: &'t str,
    gid: u32,
    members: &'t str,
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

/// The id that a text of digits is; nothing if it is a name.
fn number(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        // -1 means "as it is" to the kernel.
        Ok(id) if id != u32::MAX => Ok(Some(id)),
        _ => Err(format!(
            "{text} is no number of a user or group: {} is the greatest",
            u32::MAX - 1
        )),
    }
}

/// A file of the database, once it was read: nothing if it does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct File {
    path: PathBuf,
    text: OnceCell<Result<Option<String>, String>>,
}

impl File {
    fn at(path: &str) -> Self {
        Self {
            path: path.into(),
            text: OnceCell::new(),
        }
    }

    /// The lines of the file; none if it does not exist.
    fn lines(&self) -> Result<impl Iterator<Item = &str>, String> {
        let text = self.text().as_ref().map_err(Clone::clone)?;
        Ok(text.as_deref().unwrap_or_default().lines())
    }

    fn text(&self) -> &Result<Option<String>, String> {
        let refuse = |why: &str| Err(format!("cannot read {:?}: {why}", self.path));
        self.text
            .get_or_init(|| match source::read_bytes(&self.path) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => refuse(&cause(&error)),
            })
    }

    /// That the file has no such entry, and what was probably meant.
    fn unknown<'n>(&self, what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
        let path = self.path.display();
        match self.text() {
            Ok(None) => {
                format!("there is no {what} {name:?}: {path} does not exist; write its number")
            }
            _ => format!(
                "there is no {what} {name:?} in {path}{}",
                suggest::hint(name, names)
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
app:x:9:9:a second one:/:/bin/sh
";

    const GROUP: &str = "\
root:x:0:
app:x:1000:
video:x:44:root,app
audio:x:63: twin , app
again:x:44:app
nobody:x:65534
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
            ("", "there is no user \"\" in /etc/passwd"),
            (
                "4294967295",
                "4294967295 is no number of a user or group: 4294967294 is the greatest",
            ),
        ] {
            assert_eq!(user(text), Err(error.to_owned()), "{text}");
        }
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
