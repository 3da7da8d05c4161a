//! What the kernel tells of the supervisor's own process: the `process_*`
//! metrics by Prometheus' conventions.
//!
//! Read from /proc (proc(5)) on the telemetry thread, never in the event loop.
//! What cannot be read, because /proc is not mounted or no file descriptor is
//! left, is left out.

use std::fs::{self, File};
use std::io::{self, Read};
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// What is asked for a limit is overwritten.
const NO_LIMIT: libc::rlimit = libc::rlimit {
    rlim_cur: libc::RLIM_INFINITY,
    rlim_max: libc::RLIM_INFINITY,
};

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
    /// The figures of this process as `proc`, usually `/proc`, has them; `clock`
    /// tells wall-clock times.
    pub fn read(proc: &Path, clock: &Clock) -> Self {
        let mut stats = Self::default();
        let stat = text(&proc.join("self/stat")).unwrap_or_default();
        stats.take_stat(&stat, boot_time(clock), Units::of_this_system());
        let (mut files, mut memory) = (NO_LIMIT, NO_LIMIT);
        // SAFETY: there is room for the limit.
        let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
        stats.max_fds = (asked == 0).then(|| figure(files.rlim_cur));
        // SAFETY: as above.
        let asked = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut memory) };
        stats.virtual_memory_max_bytes = (asked == 0).then(|| figure(memory.rlim_cur));
        // The folder itself is open while it is being counted.
        stats.open_fds = fs::read_dir(proc.join("self/fd"))
            .ok()
            .map(|fds| fds.count().saturating_sub(1) as f64);
        stats
    }

    /// The fields of /proc/PID/stat behind the command's name, which may hold
    /// anything; `boot` is when the system started, in seconds since the epoch.
    fn take_stat(&mut self, stat: &str, boot: Option<f64>, units: Units) {
        let Some((_, behind_name)) = stat.rsplit_once(')') else {
            return;
        };
        // Counted from 1 as in proc(5), where the state behind the name is 3.
        let field = |number: usize| -> Option<f64> {
            let mut fields = behind_name.split_ascii_whitespace();
            fields.nth(number - 3)?.parse().ok()
        };
        self.cpu_seconds = field(14)
            .zip(field(15))
            .map(|(user, system)| (user + system) / units.ticks);
        self.threads = field(20);
        self.virtual_memory_bytes = field(23);
        self.resident_memory_bytes = field(24).map(|pages| pages * units.page);
        self.start_time_seconds = boot
            .zip(field(22))
            .map(|(boot, ticks)| boot + ticks / units.ticks);
    }
}

/// A file of /proc at once: nobody knows its size, and each read makes it anew.
fn text(path: &Path) -> io::Result<String> {
    let mut text = String::with_capacity(1 << 10);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// A limit as the conventions show it.
fn figure(limit: libc::rlim_t) -> f64 {
    match limit {
        libc::RLIM_INFINITY => UNLIMITED,
        limit => limit as f64,
    }
}

/// The second in which the system started, as `btime` of /proc/stat, for which the
/// kernel would count all interrupts there ever were.
fn boot_time(clock: &Clock) -> Option<f64> {
    static LAST: AtomicI64 = AtomicI64::new(i64::MIN);
    let now = clock.unix_seconds(Instant::now());
    Some(steady(&LAST, now - since_boot()?.as_secs_f64()))
}

/// The whole second of a moment that is known to some milliseconds: the last one told
/// as long as it is off by less than half of one, since a start that moves is taken
/// for a restart.
fn steady(last: &AtomicI64, exact: f64) -> f64 {
    let told = last.load(Ordering::Relaxed) as f64;
    if (told - 0.5..told + 1.5).contains(&exact) {
        return told;
    }
    last.store(exact.floor() as i64, Ordering::Relaxed);
    exact.floor()
}

fn since_boot() -> Option<Duration> {
    // SAFETY: timespec is plain data for which all zeros is valid.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: there is room for the time.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } == 0;
    let (seconds, rest) = (time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
    told.then(|| Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const STAT: &str = "17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 3 0 250 125 5 6 20 0 \
        4 0 12345 3145728 200 18446744073709551615 1 1 0 0 0 0 0 4096 17642 0 0 0 17 1 0 0 \
        0 0 0 0 0 0 0 0 0 0 0";

    #[test]
    fn the_kernels_units_become_seconds_and_bytes() {
        let mut stats = ProcessStats::default();
        let units = Units {
            ticks: 100.0,
            page: 16384.0,
        };
        stats.take_stat(STAT, Some(1_700_000_000.0), units);
        let expected = ProcessStats {
            cpu_seconds: Some(3.75),
            start_time_seconds: Some(1_700_000_123.45),
            threads: Some(4.0),
            virtual_memory_bytes: Some(3_145_728.0),
            virtual_memory_max_bytes: None,
            resident_memory_bytes: Some(3_276_800.0),
            open_fds: None,
            max_fds: None,
        };
        assert_eq!(stats, expected);
        assert_eq!(figure(1024), 1024.0);
        assert_eq!(figure(libc::RLIM_INFINITY), 18_446_744_073_709_551_615.0);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let read = ProcessStats::read(Path::new("/nonexistent"), &Clock::now());
        let limits_alone = ProcessStats {
            virtual_memory_max_bytes: read.virtual_memory_max_bytes,
            max_fds: read.max_fds,
            ..ProcessStats::default()
        };
        assert_eq!(read, limits_alone);
        let mut stats = ProcessStats::default();
        stats.take_stat("1 (x) S 1 2", None, Units::of_this_system());
        assert_eq!(stats, ProcessStats::default());
    }

    #[test]
    fn the_system_has_started_when_the_kernel_says() {
        let system = fs::read_to_string("/proc/stat").unwrap();
        let line = system.lines().find(|line| line.starts_with("btime "));
        let told: f64 = line.unwrap().split_at(6).1.parse().unwrap();
        // Between two looks somebody may set the clock a little.
        assert!((boot_time(&Clock::now()).unwrap() - told).abs() <= 2.0);
    }

    #[test]
    fn a_second_that_was_told_stays_until_the_clock_is_set() {
        let last = AtomicI64::new(i64::MIN);
        for (exact, told) in [
            (1_700_000_000.0, 1_700_000_000.0),
            (1_699_999_999.999, 1_700_000_000.0),
            (1_700_000_001.001, 1_700_000_000.0),
            (1_700_000_060.7, 1_700_000_060.0),
            (1_699_999_000.2, 1_699_999_000.0),
            (-3.5, -4.0),
        ] {
            assert_eq!(steady(&last, exact), told, "{exact}");
        }
    }

    #[test]
    fn this_very_process_can_be_read() {
        let stats = ProcessStats::read(Path::new("/proc"), &Clock::now());
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
