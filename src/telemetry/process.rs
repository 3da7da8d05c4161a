//! What the kernel tells of the supervisor's own process: the `process_*`
//! metrics by Prometheus' conventions.
//!
//! Read from /proc (proc(5)) on the telemetry thread, never in the event loop.
//! What cannot be read, because /proc is not mounted or no file descriptor is
//! left, is left out.

use std::fs;
use std::path::Path;

/// What `RLIM_INFINITY` is as a number, which is how the conventions show
/// "unlimited".
const UNLIMITED: f64 = u64::MAX as f64;

/// The figures that could be read; in seconds, bytes and pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessStats {
    /// User and system time used.
    pub cpu_seconds: Option<f64>,
    /// Since the epoch.
    pub start_time_seconds: Option<f64>,
    /// Number of threads.
    pub threads: Option<f64>,
    /// Size of the address space.
    pub virtual_memory_bytes: Option<f64>,
    /// Limit of the address space.
    pub virtual_memory_max_bytes: Option<f64>,
    /// Memory that is not swapped out.
    pub resident_memory_bytes: Option<f64>,
    /// Number of open file descriptors.
    pub open_fds: Option<f64>,
    /// Limit of open file descriptors.
    pub max_fds: Option<f64>,
}

/// The units in which the kernel counts.
#[derive(Clone, Copy, Debug)]
struct Units {
    /// Clock ticks in a second.
    ticks: f64,
    /// Bytes in a page.
    page: f64,
}

impl Units {
    fn of_this_system() -> Self {
        Self {
            ticks: configured(libc::_SC_CLK_TCK).unwrap_or(100.0),
            page: configured(libc::_SC_PAGESIZE).unwrap_or(4096.0),
        }
    }
}

fn configured(name: libc::c_int) -> Option<f64> {
    // SAFETY: sysconf only looks up a number and takes no pointers.
    let value = unsafe { libc::sysconf(name) };
    (value > 0).then_some(value as f64)
}

impl ProcessStats {
    /// The figures of this process as `proc`, usually `/proc`, has them.
    pub fn read(proc: &Path) -> Self {
        let mut stats = Self::default();
        let text = |file: &str| fs::read_to_string(proc.join(file)).unwrap_or_default();
        stats.take_stat(&text("self/stat"), &text("stat"), Units::of_this_system());
        stats.take_limits(&text("self/limits"));
        // The folder itself is open while it is being counted.
        stats.open_fds = fs::read_dir(proc.join("self/fd"))
            .ok()
            .map(|fds| fds.count().saturating_sub(1) as f64);
        stats
    }

    /// The fields of /proc/PID/stat behind the command's name, which may hold
    /// anything; and the time of boot of /proc/stat.
    fn take_stat(&mut self, stat: &str, system: &str, units: Units) {
        let Some((_, behind_name)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        // Counted from 1 as in proc(5), where the state behind the name is 3.
        let field = |number: usize| -> Option<f64> { fields.get(number - 3)?.parse().ok() };
        self.cpu_seconds = field(14)
            .zip(field(15))
            .map(|(user, system)| (user + system) / units.ticks);
        self.threads = field(20);
        self.virtual_memory_bytes = field(23);
        self.resident_memory_bytes = field(24).map(|pages| pages * units.page);
        let boot = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))
            .and_then(|seconds| seconds.trim().parse::<f64>().ok());
        self.start_time_seconds = boot
            .zip(field(22))
            .map(|(boot, ticks)| boot + ticks / units.ticks);
    }

    /// The soft limits of /proc/PID/limits.
    fn take_limits(&mut self, limits: &str) {
        let soft = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
            match line.split_ascii_whitespace().next()? {
                "unlimited" => Some(UNLIMITED),
                number => number.parse().ok(),
            }
        };
        self.max_fds = soft("Max open files");
        self.virtual_memory_max_bytes = soft("Max address space");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const STAT: &str = "17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 3 0 250 125 5 6 20 0 \
        4 0 12345 3145728 200 18446744073709551615 1 1 0 0 0 0 0 4096 17642 0 0 0 17 1 0 0 \
        0 0 0 0 0 0 0 0 0 0 0";
    const SYSTEM: &str = "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n";
    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max open files            1024                 1048576              files     \n\
Max address space         unlimited            unlimited            bytes     \n";

    #[test]
    fn the_kernels_units_become_seconds_and_bytes() {
        let mut stats = ProcessStats::default();
        let units = Units {
            ticks: 100.0,
            page: 16384.0,
        };
        stats.take_stat(STAT, SYSTEM, units);
        stats.take_limits(LIMITS);
        let expected = ProcessStats {
            cpu_seconds: Some(3.75),
            start_time_seconds: Some(1_700_000_123.45),
            threads: Some(4.0),
            virtual_memory_bytes: Some(3_145_728.0),
            virtual_memory_max_bytes: Some(18_446_744_073_709_551_615.0),
            resident_memory_bytes: Some(3_276_800.0),
            open_fds: None,
            max_fds: Some(1024.0),
        };
        assert_eq!(stats, expected);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(ProcessStats::read(nowhere), ProcessStats::default());
        let mut stats = ProcessStats::default();
        stats.take_stat("1 (x) S 1 2", "", Units::of_this_system());
        stats.take_limits("Max open files\n");
        assert_eq!(stats, ProcessStats::default());
    }

    #[test]
    fn this_very_process_can_be_read() {
        let stats = ProcessStats::read(Path::new("/proc"));
        assert!(stats.resident_memory_bytes.unwrap() > 100_000.0);
        assert!(stats.virtual_memory_bytes >= stats.resident_memory_bytes);
        assert!(stats.open_fds.unwrap() >= 3.0);
        assert!(stats.max_fds >= stats.open_fds);
        assert!(stats.threads.unwrap() >= 1.0);
        assert!(stats.start_time_seconds.unwrap() > 1_600_000_000.0);
        assert!(stats.cpu_seconds.is_some());
        assert!(stats.virtual_memory_max_bytes.is_some());
    }
}
