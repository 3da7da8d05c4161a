//! Services of the catalog that are observed: what a new answer means (SPEC
//! §10).
//!
//! A failed query is no answer and changes nothing.

use std::sync::Arc;

use super::Supervisor;
use super::effects::Effects;
use super::pairing::{Likeness, pair};
use crate::config::WatchSpec;
use crate::event::Code;
use crate::message::{Action, Instance, WatchId};

/// One watch.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Watch {
    id: WatchId,
    spec: Arc<WatchSpec>,
    /// `watch.NAME`
    source: Arc<str>,
    /// The last answer.
    instances: Option<Vec<Instance>>,
}

impl Watch {
    fn new(id: WatchId, spec: WatchSpec) -> Self {
        let source = format!("watch.{}", spec.name).into();
        Self {
            id,
            spec: Arc::new(spec),
            source,
            instances: None,
        }
    }

    pub(super) fn id(&self) -> WatchId {
        self.id
    }

    /// The name of the observed service.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    /// How many instances the last answer had.
    pub(super) fn instances(&self) -> Option<usize> {
        self.instances.as_ref().map(Vec::len)
    }

    /// Whether the last answer was this: [`Code::Healthy`] or
    /// [`Code::Unhealthy`].
    fn holds(&self, code: Code) -> bool {
        match &self.instances {
            Some(instances) if instances.is_empty() => code == Code::Unhealthy,
            Some(_) => code == Code::Healthy,
            None => false,
        }
    }

    /// The catalog answered. Any change is an event, and so is a first answer
    /// that there is nobody.
    fn answered(&mut self, instances: Vec<Instance>, fx: &mut Effects) {
        fx.metrics
            .built_in
            .instances_seen(&self.spec.name, instances.len());
        let before = self.instances.as_deref();
        if before == Some(&instances) {
            return;
        }
        if before.is_some() || !instances.is_empty() {
            fx.publish(Code::Changed, &self.source);
        }
        let code = if instances.is_empty() {
            Code::Unhealthy
        } else {
            Code::Healthy
        };
        fx.publish(code, &self.source);
        self.instances = Some(instances);
    }
}

impl Supervisor {
    /// The catalog answered a watch; one that is gone is not heard any more.
    pub(super) fn did_watch(&mut self, id: WatchId, instances: Vec<Instance>) {
        if let Some(watch) = self.watches.iter_mut().find(|watch| watch.id == id) {
            watch.answered(instances, &mut self.fx);
        }
    }

    /// Observes what `specs` say from now on. A watch that is unchanged goes on;
    /// if `anew`, at another backend, with what it knows.
    pub(super) fn observe(&mut self, specs: Vec<WatchSpec>, anew: bool) {
        let before = std::mem::take(&mut self.watches);
        let known: Vec<&WatchSpec> = before.iter().map(|watch| &*watch.spec).collect();
        let named: Vec<&WatchSpec> = specs.iter().collect();
        let pairs = pair(&known, &named, |spec| &spec.name, &[Likeness::SAME]);
        let mut before: Vec<Option<Watch>> = before.into_iter().map(Some).collect();
        for (kept, spec) in pairs.before.into_iter().zip(specs) {
            let kept = kept.and_then(|at| before.get_mut(at)?.take());
            let is_kept = kept.is_some();
            let mut watch = kept.unwrap_or_else(|| Watch::new(self.next_watch(), spec));
            if is_kept && anew {
                self.fx.actions.push(Action::Unwatch(watch.id));
                watch.id = self.next_watch();
            }
            if !is_kept || anew {
                self.fx
                    .actions
                    .push(Action::Watch(watch.id, Arc::clone(&watch.spec)));
            }
            self.watches.push(watch);
        }
        let gone = before.into_iter().flatten();
        self.fx
            .actions
            .extend(gone.map(|watch| Action::Unwatch(watch.id)));
    }

    /// Whether a watch of this source stands so that an event would say `code`.
    pub(super) fn watch_holds(&self, source: &str, code: Code) -> bool {
        self.watches
            .iter()
            .any(|watch| *watch.source == *source && watch.holds(code))
    }

    fn next_watch(&mut self) -> WatchId {
        self.last_watch += 1;
        WatchId(self.last_watch)
    }
}
