//! A job as a service of the catalog: when it is advertised and when it is not
//! (SPEC §9).
//!
//! Only wishes are uttered here. What is registered really, and how often it
//! takes to get there, is the discovery thread's business.

use std::sync::Arc;

use super::effects::{Effects, Phase};
use crate::config::ServiceSpec;
use crate::message::{Action, Wish};

/// One service.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Service {
    spec: Arc<ServiceSpec>,
    /// Whether the catalog has been asked to list it.
    advertised: bool,
}

impl Service {
    pub(super) fn new(spec: ServiceSpec) -> Self {
        Self {
            spec: Arc::new(spec),
            advertised: false,
        }
    }

    /// Whether this describes the same service.
    pub(super) fn is(&self, spec: &ServiceSpec) -> bool {
        *self.spec == *spec
    }

    /// The job exists: it is listed with its initial status, if it has one.
    pub(super) fn introduce(&mut self, fx: &mut Effects) {
        if let Some(status) = self.spec.initial_status.filter(|_| may_advertise(fx)) {
            self.advertised = true;
            fx.wish(Wish::Register(Arc::clone(&self.spec), status));
        }
    }

    /// The job was there before the service, or before its initial status: it is
    /// listed like any other that has one, as far as it is not known to be unhealthy.
    pub(super) fn introduce_late(&mut self, healthy: Option<bool>, fx: &mut Effects) {
        if self.advertised || self.spec.initial_status.is_none() {
            return;
        }
        match healthy {
            Some(true) => self.passed(fx),
            None => self.introduce(fx),
            Some(false) => {}
        }
    }

    /// Its check passed.
    pub(super) fn passed(&mut self, fx: &mut Effects) {
        if may_advertise(fx) {
            self.advertised = true;
            fx.wish(Wish::Heartbeat(Arc::clone(&self.spec)));
        }
    }

    /// Its check failed: no heartbeat, the rest is left to the TTL.
    pub(super) fn failed(&self, fx: &mut Effects) {
        if self.advertised {
            fx.wish(Wish::Unhealthy(self.spec.id.clone()));
        }
    }

    /// The catalog is another one, which knows nothing of it.
    pub(super) fn move_over(&mut self, healthy: Option<bool>, fx: &mut Effects) {
        match healthy {
            Some(true) if self.advertised => self.passed(fx),
            None => self.introduce(fx),
            Some(_) => {}
        }
    }

    /// It must not be listed any more. Returns its id if it may be.
    pub(super) fn withdraw(&mut self, fx: &mut Effects) -> Option<String> {
        if !std::mem::take(&mut self.advertised) {
            return None;
        }
        fx.wish(Wish::Withdraw(self.spec.id.clone()));
        Some(self.spec.id.clone())
    }

    /// The catalog has another description from now on. One with another id is
    /// another service.
    pub(super) fn update(&mut self, spec: ServiceSpec, healthy: bool, fx: &mut Effects) {
        let was_advertised = self.advertised;
        if spec.id != self.spec.id {
            self.withdraw(fx);
        }
        self.spec = Arc::new(spec);
        if was_advertised && healthy {
            self.passed(fx);
        }
    }
}

/// Nothing is advertised in maintenance mode or on the way out.
fn may_advertise(fx: &Effects) -> bool {
    fx.phase == Phase::Running && !fx.maintenance
}

impl Effects {
    fn wish(&mut self, wish: Wish) {
        self.actions.push(Action::Discover(wish));
    }
}
