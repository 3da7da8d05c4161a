//! `limits`: how much of the system's resources the processes of a job may use
//! (SPEC §15; getrlimit(2)).

use super::decode::{Decode, mismatch};
use super::findings::{Findings, Path};
use super::table::{Preset, Shape, object};
use super::value::Value;

/// The bound of a resource without one.
pub const UNLIMITED: u64 = u64::MAX;

/// The resources by their names in the file.
const RESOURCES: [(&str, Resource); 9] = [
    ("nofile", Resource::OpenFiles),
    ("nproc", Resource::Processes),
    ("core", Resource::Core),
    ("memlock", Resource::LockedMemory),
    ("stack", Resource::Stack),
    ("as", Resource::AddressSpace),
    ("fsize", Resource::FileSize),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
];

/// A resource that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table of keys says what they are")]
pub enum Resource {
    OpenFiles,
    Processes,
    Core,
    LockedMemory,
    Stack,
    AddressSpace,
    FileSize,
    Cpu,
    Data,
}

impl Resource {
    /// Its number to the kernel.
    pub fn number(self) -> i64 {
        i64::from(match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::Processes => libc::RLIMIT_NPROC,
            Self::Core => libc::RLIMIT_CORE,
            Self::LockedMemory => libc::RLIMIT_MEMLOCK,
            Self::Stack => libc::RLIMIT_STACK,
            Self::AddressSpace => libc::RLIMIT_AS,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::Cpu => libc::RLIMIT_CPU,
            Self::Data => libc::RLIMIT_DATA,
        })
    }

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        let mut known = RESOURCES.iter();
        known
            .find(|(_, resource)| *resource == self)
            .map_or("", |(name, _)| name)
    }
}

/// How much of a resource a process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// What holds; the process may raise it itself, up to the hard bound.
    pub soft: u64,
    /// The greatest soft bound.
    pub hard: u64,
}

object! {
    /// The limits, as the file has them.
    RawLimits in "job.limits" {
        nofile: Bounds = "nofile", Preset::Absent,
            "One more than the greatest file descriptor; `unlimited` is what the kernel allows at most.";
        nproc: Bounds = "nproc", Preset::Absent,
            "Processes and threads of its user.";
        core: Bounds = "core", Preset::Absent,
            "Bytes of a core dump.";
        memlock: Bounds = "memlock", Preset::Absent,
            "Bytes of memory that it may lock.";
        stack: Bounds = "stack", Preset::Absent,
            "Bytes of the main thread's stack.";
        r#as: Bounds = "as", Preset::Absent,
            "Bytes of its address space.";
        fsize: Bounds = "fsize", Preset::Absent,
            "Bytes of a file that it writes.";
        cpu: Bounds = "cpu", Preset::Absent,
            "Seconds of processor time.";
        data: Bounds = "data", Preset::Absent,
            "Bytes of its data and heap.";
    }
}

impl RawLimits {
    /// What is given, in the order of the table.
    fn bounds(&self) -> [Option<Bounds>; 9] {
        [
            self.nofile,
            self.nproc,
            self.core,
            self.memlock,
            self.stack,
            self.r#as,
            self.fsize,
            self.cpu,
            self.data,
        ]
    }

    /// Whether nothing is limited.
    pub(crate) fn is_empty(&self) -> bool {
        self.bounds().iter().all(Option::is_none)
    }

    /// The limits that are set.
    pub(crate) fn into_spec(self) -> Vec<Limit> {
        let pairs = RESOURCES.iter().zip(self.bounds());
        pairs
            .filter_map(|((_, resource), bounds)| {
                let Bounds { soft, hard } = bounds?;
                let resource = *resource;
                Some(Limit {
                    resource,
                    soft,
                    hard,
                })
            })
            .collect()
    }
}

/// A soft and a hard bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    soft: u64,
    hard: u64,
}

/// What stands for no bound.
pub(crate) fn words() -> Vec<&'static str> {
    vec!["unlimited"]
}

impl Decode for Bounds {
    const SHAPE: Shape = Shape::Limit;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let (soft, hard) = match &value {
            Value::List(list) => match list.as_slice() {
                [soft, hard] => {
                    let soft = bound(soft, &Path::Index(at, 0), ONE, findings);
                    (soft, bound(hard, &Path::Index(at, 1), ONE, findings))
                }
                items => {
                    let message = format!("a list of {} is not [soft, hard]", items.len());
                    findings.error(at, message);
                    return None;
                }
            },
            both => {
                let both = bound(both, at, ONE_OR_BOTH, findings);
                (both, both)
            }
        };
        let (soft, hard) = (soft?, hard?);
        if soft > hard {
            let message = "its soft bound, the first one, is greater than the hard one";
            findings.error(at, message);
            return None;
        }
        Some(Self { soft, hard })
    }
}

/// Other words for no bound, elsewhere.
const FOREIGN: [&str; 4] = ["infinity", "infinite", "none", "max"];

/// What one of two bounds may be.
const ONE: &str = "an integer of at least 0 or \"unlimited\"";

/// What may stand for both bounds.
const ONE_OR_BOTH: &str = "an integer of at least 0, \"unlimited\" or [soft, hard]";

/// One bound, or `None` after an error that says what is `allowed` was added.
fn bound(value: &Value<'_>, at: &Path<'_>, allowed: &str, findings: &mut Findings) -> Option<u64> {
    let integer = match value {
        Value::Text(text) if text.eq_ignore_ascii_case("unlimited") => return Some(UNLIMITED),
        Value::Text(text) => text.parse().ok(),
        other => other.as_integer(),
    };
    let bound = integer.and_then(|integer: i64| u64::try_from(integer).ok());
    bound.or_else(|| mismatch(value, &format!("{allowed}{}", hint(value)), at, findings))
}

/// The likely fix of a bound that is none.
fn hint(value: &Value<'_>) -> String {
    let unlimited = || "; did you mean \"unlimited\"?".to_owned();
    match value {
        Value::Integer(-1) => unlimited(),
        Value::Text(text) if FOREIGN.contains(&&**text) || text == "-1" => unlimited(),
        Value::Text(text) => super::suggest::hint(text, words()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn limits(text: &str) -> Result<Vec<(&'static str, u64, u64)>, String> {
        let mut findings = Findings::default();
        let at = Path::Root.key("limits");
        let raw = RawLimits::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        findings.finish("").map_err(|errors| errors.to_string())?;
        let limits = raw.unwrap().into_spec().into_iter();
        Ok(limits
            .map(|limit| (limit.resource.name(), limit.soft, limit.hard))
            .collect())
    }

    #[test]
    fn a_limit_is_one_bound_or_two() {
        for (text, expected) in [
            ("{}", vec![]),
            ("{nofile: 1024}", vec![("nofile", 1024, 1024)]),
            ("{core: '0'}", vec![("core", 0, 0)]),
            (
                "{memlock: 'unlimited', stack: [8388608, 'UNLIMITED']}",
                vec![
                    ("memlock", UNLIMITED, UNLIMITED),
                    ("stack", 8_388_608, UNLIMITED),
                ],
            ),
            (
                "{data: 9, cpu: 8, fsize: 7, as: 6, nproc: ['1', 2]}",
                vec![
                    ("nproc", 1, 2),
                    ("as", 6, 6),
                    ("fsize", 7, 7),
                    ("cpu", 8, 8),
                    ("data", 9, 9),
                ],
            ),
        ] {
            assert_eq!(limits(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_key_limits_the_resource_of_its_name() {
        for key in RawLimits::TABLE.keys {
            let limit = limits(&format!("{{{}: [1, 2]}}", key.name)).unwrap();
            assert_eq!(limit, [(key.name, 1, 2)]);
        }
        assert_eq!(RawLimits::TABLE.keys.len(), RESOURCES.len());
    }

    #[test]
    fn what_can_not_be_is_an_error() {
        let wanted = "is not an integer of at least 0, \"unlimited\" or [soft, hard]";
        let one = "is not an integer of at least 0 or \"unlimited\"";
        for (text, error) in [
            ("{nofile: 1.5}", format!("limits.nofile: 1.5 {wanted}")),
            (
                "{nofile: -1}",
                format!("limits.nofile: -1 {wanted}; did you mean \"unlimited\"?"),
            ),
            (
                "{core: 'infinity'}",
                format!("limits.core: \"infinity\" {wanted}; did you mean \"unlimited\"?"),
            ),
            (
                "{core: 'unlimted'}",
                format!("limits.core: \"unlimted\" {wanted}; did you mean \"unlimited\"?"),
            ),
            (
                "{as: [1]}",
                "limits.as: a list of 1 is not [soft, hard]".to_owned(),
            ),
            (
                "{as: [-1, 'x']}",
                format!(
                    "limits.as[0]: -1 {one}; did you mean \"unlimited\"?\nlimits.as[1]: \"x\" {one}"
                ),
            ),
            ("{as: [1, [2, 3]]}", format!("limits.as[1]: a list {one}")),
            (
                "{as: ''}",
                "limits.as: must be an integer of at least 0, \"unlimited\" or [soft, hard], but it \
                 is empty: did an environment variable render to nothing?"
                    .to_owned(),
            ),
            (
                "{cpu: [2, 1]}",
                "limits.cpu: its soft bound, the first one, is greater than the hard one"
                    .to_owned(),
            ),
            (
                "{nofiles: 5}",
                "limits.nofiles: unknown key; did you mean \"nofile\"?".to_owned(),
            ),
        ] {
            assert_eq!(limits(text), Err(error), "{text}");
        }
    }
}
