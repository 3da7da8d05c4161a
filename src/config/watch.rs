//! `watches`: services of the catalog that are observed (SPEC §10).

use std::sync::Arc;
use std::time::Duration;

use super::decode::Span;
use super::findings::{Findings, Path};
use super::service::check_name;
use super::table::{Preset, object};

/// One watch, decoded and validated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchSpec {
    /// The service to observe; events carry `watch.` and this name.
    pub name: Arc<str>,
    /// The longest time between two looks.
    pub interval: Duration,
    /// Only instances with this tag count.
    pub tag: Option<String>,
    /// The datacenter to ask; the agent's own if absent.
    pub datacenter: Option<String>,
}

object! {
    /// A watch, as the file has it.
    RawWatch in "watch" {
        name: String = "name", Preset::Required,
            "The service of Consul's catalog to observe. Its events (`changed`, `healthy`, `unhealthy`) have the source `watch.NAME`.";
        interval: Span<1000> = "interval", Preset::Required,
            "The longest time between two looks; a change is usually seen at once.";
        tag: String = "tag", Preset::Absent,
            "Only instances with this tag count.";
        datacenter: String = "dc", Preset::Depends("the agent's own"),
            "The datacenter to ask.";
    }
}

impl RawWatch {
    /// The watch, or `None` after an error was added.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> Option<WatchSpec> {
        let name = self.name?;
        if let Err(message) = check_name(&name) {
            findings.error(&at.key("name"), message);
        }
        let Span(interval) = self.interval?;
        Some(WatchSpec {
            name: name.into(),
            interval,
            tag: self.tag,
            datacenter: self.datacenter,
        })
    }
}
