//! The context of a job's processes: as whom, where, with which environment and
//! limits they run (SPEC §15).
//!
//! Names are resolved and files read here, when the configuration is: what can
//! be known to be wrong is never found out by a start. A job that says nothing of
//! all this has no context, and its start costs nothing more.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use crate::environment::Environment;

use super::decode::{Decode, Integer, mismatch};
use super::env_file;
use super::findings::{Findings, Path};
use super::limits::{Limit, RawLimits};
use super::octal::Octal;
use super::pairs::Pairs;
use super::table::Shape;
use super::user_database::{User, UserDatabase};
use super::value::Value;
use super::variables::Variables;

#[cfg(test)]
mod tests;

/// Where a login shell may not lead to.
const NO_SHELLS: [&str; 2] = ["nologin", "false"];

/// The context of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContextSpec {
    /// Who it is, if not the supervisor's user.
    pub user: Option<Identity>,
    /// Its supplementary groups, in order and each once, if not those of `user`.
    pub groups: Option<Vec<u32>>,
    /// Its working directory, absolute, if not the supervisor's.
    pub cwd: Option<PathBuf>,
    /// Which permissions its new files do not get.
    pub umask: Option<u32>,
    /// Its nice value.
    pub nice: Option<i32>,
    /// How likely the kernel kills it when memory runs out.
    pub oom_score_adj: Option<i32>,
    /// Its resource limits.
    pub limits: Vec<Limit>,
    /// Whether it can never gain privileges by executing a program.
    pub no_new_privileges: bool,
    /// Whether it has the supervisor's stdin, and is the foreground process of the
    /// terminal that this may be. No file can say so.
    pub foreground: bool,
    /// What `user` changes of the environment.
    pub login: Variables,
    /// What `env` of the file changes.
    pub common: Arc<Variables>,
    /// What the files of `envFile` change.
    pub files: Variables,
    /// What `env` of the job changes.
    pub own: Variables,
}

/// A user with its groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its number.
    pub uid: u32,
    /// The number of its primary group.
    pub gid: u32,
    /// All its groups, in order and each once.
    pub groups: Vec<u32>,
}

impl ContextSpec {
    /// Changes the environment that the process would have without a context.
    pub fn apply(&self, environment: &mut Environment) {
        for variables in [&self.login, &*self.common, &self.files, &self.own] {
            variables.apply(environment);
        }
    }
}

/// What all jobs of a configuration take their contexts from.
pub(crate) struct Surroundings<'a> {
    /// Who there is.
    pub(crate) users: &'a UserDatabase,
    /// What file names are relative to.
    pub(crate) directory: &'a FilePath,
    /// `env` of the file.
    pub(crate) common: Arc<Variables>,
}

/// A nice value; a smaller one gets more of the processor.
pub(crate) type Nice = Integer<-20, 19>;

/// What is added to the badness by which the kernel chooses whom to kill.
pub(crate) type OomScoreAdj = Integer<-1000, 1000>;

/// A user, and perhaps a group. One that a template renders to nothing is an
/// error: the job would run as the supervisor's user, most likely root.
#[derive(Debug)]
pub(crate) struct RawUser {
    user: String,
    group: Option<String>,
}

impl Decode for RawUser {
    const SHAPE: Shape = Shape::Name;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let wanted = "a user or user:group, each a name or a number";
        if value.is_empty_text() {
            return mismatch(&value, wanted, at, findings);
        }
        let text = String::decode(value, at, findings)?;
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text.as_str(), None),
        };
        if user.is_empty() || group.is_some_and(str::is_empty) {
            return mismatch(&Value::Text(text.into()), wanted, at, findings);
        }
        Some(Self {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        })
    }
}

/// Groups; an empty one is an error, as with [`RawUser`].
#[derive(Debug)]
pub(crate) struct RawGroups(Vec<String>);

impl Decode for RawGroups {
    const SHAPE: Shape = Shape::Texts;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        Vec::decode(value, at, findings).map(Self)
    }
}

/// The context, as a job of the file has it.
#[derive(Debug, Default)]
pub(crate) struct RawContext {
    pub(crate) user: Option<RawUser>,
    pub(crate) groups: Option<RawGroups>,
    pub(crate) cwd: Option<String>,
    pub(crate) umask: Option<Octal<0o777>>,
    pub(crate) env: Option<Pairs>,
    pub(crate) env_file: Option<Vec<String>>,
    pub(crate) nice: Option<Nice>,
    pub(crate) oom_score_adj: Option<OomScoreAdj>,
    pub(crate) limits: Option<RawLimits>,
    pub(crate) no_new_privileges: Option<bool>,
}

impl RawContext {
    /// The first of the keys that are set.
    fn first_key(&self) -> Option<&'static str> {
        let limits = self.limits.as_ref();
        let keys = [
            ("user", self.user.is_some()),
            ("groups", self.groups.is_some()),
            ("cwd", self.cwd.is_some()),
            ("umask", self.umask.is_some()),
            ("env", self.env.is_some()),
            ("envFile", self.env_file.is_some()),
            ("nice", self.nice.is_some()),
            ("oomScoreAdj", self.oom_score_adj.is_some()),
            ("limits", limits.is_some_and(|limits| !limits.is_empty())),
            ("noNewPrivileges", self.no_new_privileges == Some(true)),
        ];
        let mut set = keys.iter().filter(|(_, is_set)| *is_set);
        set.next().map(|(key, _)| *key)
    }

    /// Warns of settings that no process of the job will have.
    pub(crate) fn warn_unused(&self, at: &Path<'_>, findings: &mut Findings) {
        if let Some(key) = self.first_key() {
            let message = "has no effect: the job executes nothing";
            findings.warn(&at.key(key), message);
        }
    }

    /// What the settings mean; nothing if they change nothing. Anything if an
    /// error was added.
    pub(crate) fn into_spec(
        self,
        around: &Surroundings<'_>,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<Arc<ContextSpec>> {
        if self.first_key().is_none() && around.common.is_empty() {
            return None;
        }
        let mut spec = ContextSpec {
            cwd: self.cwd.and_then(|cwd| absolute(&cwd, at, findings)),
            umask: self.umask.map(|Octal(umask)| umask),
            nice: self.nice.and_then(|Integer(nice)| nice.try_into().ok()),
            oom_score_adj: self
                .oom_score_adj
                .and_then(|Integer(score)| score.try_into().ok()),
            limits: self.limits.map(RawLimits::into_spec).unwrap_or_default(),
            no_new_privileges: self.no_new_privileges.unwrap_or_default(),
            common: Arc::clone(&around.common),
            ..ContextSpec::default()
        };
        if let Some(RawUser { user, group }) = self.user {
            let at = at.key("user");
            let become_user = |spec| become_user(spec, &user, group.as_deref(), around.users);
            if let Err(why) = become_user(&mut spec) {
                findings.error(&at, why);
            }
        }
        if let Some(RawGroups(names)) = self.groups {
            spec.groups = Some(groups(&names, around.users, &at.key("groups"), findings));
        }
        if let Some(names) = self.env_file {
            spec.files = env_file::read(&names, around.directory, &at.key("envFile"), findings);
        }
        if let Some(pairs) = self.env {
            spec.own = Variables::of(pairs, &at.key("env"), findings);
        }
        Some(Arc::new(spec))
    }
}

fn absolute(cwd: &str, at: &Path<'_>, findings: &mut Findings) -> Option<PathBuf> {
    let path = PathBuf::from(cwd);
    if path.is_absolute() {
        return Some(path);
    }
    findings.error(
        &at.key("cwd"),
        format!("{cwd:?} is not an absolute path, beginning with \"/\""),
    );
    None
}

/// Fills in what follows from a user: its groups, and what a login sets in the
/// environment.
fn become_user(
    spec: &mut ContextSpec,
    user: &str,
    group: Option<&str>,
    users: &UserDatabase,
) -> Result<(), String> {
    let user = users.user(user)?;
    let gid = match group {
        Some(group) => users.group(group)?,
        None => user.gid,
    };
    spec.user = Some(Identity {
        uid: user.uid,
        gid,
        groups: in_order(users.groups_of(&user, gid)?),
    });
    spec.login = login(&user);
    Ok(())
}

fn groups(
    names: &[String],
    users: &UserDatabase,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Vec<u32> {
    let mut gids = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match users.group(name) {
            Ok(gid) => gids.push(gid),
            Err(why) => findings.error(&Path::Index(at, index), why),
        }
    }
    in_order(gids)
}

/// As the kernel keeps groups: who belongs to the same ones is unchanged.
fn in_order(mut gids: Vec<u32>) -> Vec<u32> {
    gids.sort_unstable();
    gids.dedup();
    gids
}

/// What tells a process who it is: the supervisor's own would be wrong. A user
/// without an account has only a home, the root directory.
fn login(user: &User) -> Variables {
    let mut variables = Variables::default();
    let account = user.account.as_ref();
    let home = account.map(|account| account.home.clone());
    let home = home.filter(|home| !home.is_empty());
    variables.set("HOME", Some(home.unwrap_or_else(|| "/".to_owned())));
    for variable in ["USER", "LOGNAME"] {
        variables.set(variable, account.map(|account| account.name.clone()));
    }
    let shell = account.map(|account| match account.shell.as_str() {
        "" => "/bin/sh",
        shell => shell,
    });
    let leads_somewhere =
        |shell: &&str| !NO_SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default());
    variables.set("SHELL", shell.filter(leads_somewhere).map(str::to_owned));
    variables
}
