//! What a test expects of the world.

use super::Sim;

impl Sim {
    /// What was done since the last look, to look at it again.
    pub(in crate::supervisor::tests) fn record(&self) -> &[String] {
        &self.record
    }

    /// What was done since the last look.
    pub(in crate::supervisor::tests) fn take_record(&mut self) -> Vec<String> {
        std::mem::take(&mut self.record)
    }

    /// Asserts what was done since the last look.
    pub(in crate::supervisor::tests) fn expect(&mut self, expected: &str) {
        let expected: Vec<&str> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let record = self.take_record();
        assert_eq!(record, expected, "\nwas:\n{}\n", record.join("\n"));
    }

    /// Asserts that the supervisor is done and nothing is left over.
    pub(in crate::supervisor::tests) fn expect_done(&self) {
        assert!(
            self.is_done(),
            "not done at {} ms: {:#?}",
            self.ms(),
            self.supervisor
        );
        assert_eq!(self.supervisor.next_deadline(), None, "armed timers");
        assert!(
            self.processes.is_empty(),
            "live processes: {:?}",
            self.processes
        );
        assert!(
            !self.leftovers.are_there(),
            "left behind: {:?}",
            self.leftovers
        );
    }
}
