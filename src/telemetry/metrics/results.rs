//! Successes and failures, counted together.

/// How often something succeeded and how often it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Results {
    pub(in super::super) success: u64,
    pub(in super::super) failure: u64,
}

impl Results {
    pub(super) fn count(&mut self, succeeded: bool) {
        if succeeded {
            self.success += 1;
        } else {
            self.failure += 1;
        }
    }
}
