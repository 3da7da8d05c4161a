//! How a job is advertised in the catalog: `port`, `interfaces`, `tags`,
//! `initial_status` and `consul` of a job (SPEC §3, §9).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::decode::{Span, Unchecked, Word};
use super::duration;
use super::findings::{Findings, Path};
use super::host::Host;
use super::interfaces;
use super::table::{Preset, object};

/// How a job is advertised in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceSpec {
    /// `NAME-HOSTNAME`, the catalog's key for this instance.
    pub id: String,
    /// The name under which other services find it.
    pub name: Arc<str>,
    /// The address that others connect to.
    pub address: IpAddr,
    /// The port that others connect to.
    pub port: u16,
    /// Tags, in the order of the file.
    pub tags: Vec<String>,
    /// How long the catalog waits for a heartbeat before it calls the service
    /// critical, in whole seconds.
    pub ttl: Duration,
    /// The status to register with before the first check.
    pub initial_status: Option<InitialStatus>,
    /// Whether other agents may change the tags.
    pub enable_tag_override: bool,
    /// The catalog removes the service after it was critical for so long, in
    /// Go's duration syntax, which is also Consul's.
    pub deregister_critical_after: Option<String>,
}

/// The status with which a service is registered before its first check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InitialStatus {
    /// `passing`
    Passing,
    /// `warning`
    Warning,
    /// `critical`
    Critical,
}

impl Word for InitialStatus {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("passing", Self::Passing),
        ("warning", Self::Warning),
        ("critical", Self::Critical),
    ];
}

object! {
    /// What Consul shall do with a service, as the file has it.
    RawServiceOptions in "job.consul" {
        enable_tag_override: bool = "enableTagOverride", Preset::Bool(false),
            "Other agents may change the service's tags.";
        deregister_after: Unchecked<Span<0>> = "deregisterCriticalServiceAfter", Preset::Absent,
            "Consul removes the service after it was critical for so long (Consul's least is one minute).";
    }
}

/// What a job's keys say about advertising it.
#[derive(Debug, Default)]
pub(crate) struct Advertising {
    pub(crate) interfaces: Option<Vec<String>>,
    pub(crate) tags: Vec<String>,
    pub(crate) initial_status: Option<Unchecked<InitialStatus>>,
    pub(crate) options: RawServiceOptions,
}

impl Advertising {
    /// The service of the job called `name` at `port`, which vouches for itself
    /// for `ttl` with each passing check.
    pub(crate) fn into_spec(
        self,
        (name, port, ttl): (&Arc<str>, u16, Duration),
        host: &Host,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<ServiceSpec> {
        let status = self.initial_status;
        let status = status.map(|status| status.check(&at.key("initial_status"), findings));
        let after = deregister_after(self.options.deregister_after, &at.key("consul"), findings);
        let address = address(
            self.interfaces.as_deref(),
            host,
            &at.key("interfaces"),
            findings,
        )?;
        Some(ServiceSpec {
            id: format!("{name}-{}", host.name),
            name: Arc::clone(name),
            address,
            port,
            tags: self.tags,
            ttl,
            initial_status: status.flatten(),
            enable_tag_override: self.options.enable_tag_override.unwrap_or_default(),
            deregister_critical_after: after,
        })
    }

    /// Warns of what a job says about advertising although it is not advertised.
    pub(crate) fn warn_unused(&self, at: &Path<'_>, findings: &mut Findings) {
        let options = &self.options;
        let override_tags = options.enable_tag_override.unwrap_or_default();
        for (key, given) in [
            ("interfaces", self.interfaces.is_some()),
            ("tags", !self.tags.is_empty()),
            ("initial_status", self.initial_status.is_some()),
            (
                "consul",
                override_tags || options.deregister_after.is_some(),
            ),
        ] {
            if given {
                findings.warn(&at.key(key), "has no effect without \"port\"");
            }
        }
    }
}

/// The address that `interfaces` or its default chooses.
pub(crate) fn address(
    interfaces: Option<&[String]>,
    host: &Host,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<IpAddr> {
    let chosen = host.addresses().and_then(|addresses| match interfaces {
        None | Some([]) => addresses.choose(&interfaces::DEFAULT),
        Some(specifications) => addresses.choose(specifications),
    });
    chosen.map_err(|message| findings.error(at, message)).ok()
}

/// Consul takes Go's format alone, so an integer of seconds is put into it.
fn deregister_after(
    given: Option<Unchecked<Span<0>>>,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let given = given?;
    let Span(parsed) = given.check(&at.key("deregisterCriticalServiceAfter"), findings)?;
    match duration::parse(&given.text) {
        Ok(_) => Some(given.text),
        Err(_) => Some(duration::format(parsed)),
    }
}

/// Why `name` can be no service's, if it can't: the catalog's rule is
/// `^[a-z][a-zA-Z0-9\-]+$`.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if first && rest && name.len() > 1 {
        return Ok(());
    }
    Err(format!(
        "{name:?} can't be a service's name: that is a lower-case letter followed by letters, digits and \"-\""
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::decode::Decode;
    use super::*;

    #[test]
    fn service_names_follow_the_catalogs_rule() {
        for name in ["ab", "app", "my-app-2", "aB", "a-", "a1"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "", "a", "App", "1app", "-app", "my_app", "my.app", "app ", "äpp", "aä",
        ] {
            let message = check_name(name).unwrap_err();
            assert!(
                message.starts_with(&format!("{name:?} can't be a service's name")),
                "{message}"
            );
        }
    }

    fn advertise(options: &str) -> (Option<ServiceSpec>, Findings) {
        let mut findings = Findings::default();
        let jobs = Path::Root.key("jobs");
        let at = Path::Named(&jobs, 0, "job", "app");
        let options = json5::from_str(options).unwrap();
        let options = RawServiceOptions::decode(options, &at.key("consul"), &mut findings);
        let advertising = Advertising {
            options: options.unwrap(),
            ..Advertising::default()
        };
        let host = Host::new(
            "here",
            vec![("eth0".to_owned(), IpAddr::from([10, 0, 0, 1]))],
        );
        let name = Arc::from("app");
        let known = (&name, 80, Duration::from_secs(9));
        let spec = advertising.into_spec(known, &host, &at, &mut findings);
        (spec, findings)
    }

    #[test]
    fn consul_gets_durations_in_its_own_syntax() {
        for (text, sent) in [
            ("{}", None),
            ("{deregisterCriticalServiceAfter: ''}", None),
            ("{deregisterCriticalServiceAfter: '10m'}", Some("10m")),
            ("{deregisterCriticalServiceAfter: '1.50h'}", Some("1.50h")),
            ("{deregisterCriticalServiceAfter: '600'}", Some("10m0s")),
            ("{deregisterCriticalServiceAfter: 600}", Some("10m0s")),
        ] {
            let (spec, findings) = advertise(text);
            assert_eq!(
                spec.unwrap().deregister_critical_after.as_deref(),
                sent,
                "{text}"
            );
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
        }
        let errors = advertise("{deregisterCriticalServiceAfter: 'nope'}")
            .1
            .finish("")
            .unwrap_err();
        assert_eq!(
            errors.to_string(),
            "job[app].consul.deregisterCriticalServiceAfter: \"nope\" is no duration: there is no number"
        );
    }

    #[test]
    fn a_service_is_known_by_its_name_and_the_hosts() {
        let spec = advertise("{enableTagOverride: 'true'}").0.unwrap();
        assert_eq!(spec.id, "app-here");
        assert_eq!(spec.address, IpAddr::from([10, 0, 0, 1]));
        assert!(spec.enable_tag_override);
        assert_eq!(spec.initial_status, None);
    }
}
