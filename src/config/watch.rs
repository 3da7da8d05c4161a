//! `watches`: services of the catalog that are observed (SPEC §10).

use std::sync::Arc;
use std::time::Duration;

/// One watch, decoded and validated.
#[derive(Clone, Debug, PartialEq, Eq)]
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
