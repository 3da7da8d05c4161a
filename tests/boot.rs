//! The page on machines: the release as `/init` of one that is emulated, with a
//! real kernel, a disk and a watchdog.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use support::command::{command, wait};
use support::lines::Lines;
use support::{Temporary, programs, run, skip};

/// How long a machine may take for its whole life. Its processor is a program, which
/// shares ours with other tests.
const PATIENCE: Duration = Duration::from_secs(240);

/// Loads what the kernel of a distribution has as modules, in order.
const MODULES: &str = "cd /modules && for module in watchdog softdog virtio_ring virtio virtio_pci_legacy_dev \
     virtio_pci_modern_dev virtio_pci virtio_blk crc16 mbcache jbd2 crc32c_generic ext4; \
     do [ ! -e $module.ko ] || insmod $module.ko || exit 1; done";

/// A machine that runs, with its console.
struct Machine {
    folder: Temporary,
    emulator: Child,
    console: Lines,
}

impl Machine {
    /// Starts one whose initramfs holds busybox, the modules, and the release as
    /// its init with this configuration and this `/etc/script`; `None` if there is
    /// no emulator.
    fn start(configuration: &str, script: &str) -> Option<Self> {
        let kernel = kernel()?;
        let folder = Temporary::new();
        let root = folder.join("root");
        fill(&root, &kernel)?;
        fs::write(root.join("etc/box.json5"), configuration).unwrap();
        fs::write(root.join("etc/script"), script).unwrap();
        pack(&root, &folder.join("initramfs"));
        let disk = folder.join("disk");
        fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        let made = run(command("mkfs.ext4").args(["-q", "-F"]).arg(&disk));
        assert_eq!(made.code, 0, "{made}");
        let mut emulator = command("qemu-system-x86_64");
        emulator
            .args([
                "-M",
                "pc",
                "-accel",
                "tcg",
                "-m",
                "128",
                "-nographic",
                "-no-reboot",
            ])
            .args(["-net", "none", "-serial", "stdio", "-monitor"])
            .arg(format!(
                "unix:{},server=on,wait=off",
                folder.join("monitor").display()
            ))
            .arg("-drive")
            .arg(format!("file={},if=virtio,format=raw", disk.display()))
            .arg("-kernel")
            .arg(kernel.join("vmlinuz"))
            .arg("-initrd")
            .arg(folder.join("initramfs"))
            // A dead init would end the emulator, too, but not say the right words. And
            // the kernel must not give its timer up because we were held up for a moment.
            .args([
                "-append",
                "console=ttyS0 quiet panic=-1 no_timer_check CONTAINERPILOT=/etc/box.json5",
            ])
            .stdout(Stdio::piped());
        let mut emulator = emulator.spawn().unwrap();
        let console = Lines::collect(emulator.stdout.take().unwrap());
        Some(Self {
            folder,
            emulator,
            console,
        })
    }

    /// Presses keys, as the emulator names them; it reads no more from whom has
    /// closed.
    #[must_use]
    fn press(&self, keys: &str) -> UnixStream {
        let mut monitor = UnixStream::connect(self.folder.join("monitor")).unwrap();
        writeln!(monitor, "sendkey {keys}").unwrap();
        monitor
    }

    /// Waits until the machine is off and returns what the console showed.
    #[track_caller]
    fn wait_for_end(mut self) -> (Vec<String>, Temporary) {
        let status = wait(&mut self.emulator, Instant::now() + PATIENCE);
        if status.is_none() {
            self.emulator.kill().unwrap();
            panic!("the machine is still on: {:#?}", self.console.all());
        }
        (self.console.wait_for_end(), self.folder)
    }
}

/// The folder of the kernel and its modules, or a word about how to get them.
fn kernel() -> Option<PathBuf> {
    let emulator = run(command("sh").args(["-c", "command -v qemu-system-x86_64"]));
    if emulator.code != 0 {
        skip("there is no emulator: install qemu-system-x86");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-kernel");
    let mut script = command(script);
    script.arg("--path");
    for name in ["HOME", "XDG_CACHE_HOME", "CONTAINERPILOT_TEST_CACHE"] {
        script.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let outcome = run(&mut script);
    if outcome.code != 0 {
        skip(&format!(
            "there is no kernel (scripts/install-kernel): {outcome}"
        ));
        return None;
    }
    Some(outcome.stdout[0].clone().into())
}

/// Makes the root directory of a machine.
fn fill(root: &Path, kernel: &Path) -> Option<()> {
    let (release, busybox) = (programs::static_release()?, programs::static_busybox()?);
    for directory in ["bin", "etc", "data", "modules"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(release, root.join("init")).unwrap();
    symlink("/init", root.join("bin/containerpilot")).unwrap();
    fs::copy(&busybox, root.join("bin/busybox")).unwrap();
    for applet in run(command(busybox).arg("--list")).success() {
        if applet != "busybox" {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
    }
    for entry in fs::read_dir(kernel).unwrap() {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "ko")
        {
            fs::copy(entry.path(), root.join("modules").join(entry.file_name())).unwrap();
        }
    }
    Some(())
}

fn pack(root: &Path, archive: &Path) {
    let mut pack = command("sh");
    pack.args(["-c", "find . | busybox cpio -o -H newc 2>/dev/null >\"$0\""]);
    let outcome = run(pack.arg(archive).current_dir(root));
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// Whether the ext4 file system on a disk was unmounted: its superblock says
/// that it is clean, and that its journal has nothing to replay.
fn is_clean(disk: &Path) -> bool {
    let bytes = fs::read(disk).unwrap();
    let superblock = &bytes[1024..2048];
    let state = u16::from_le_bytes([superblock[58], superblock[59]]);
    let needs_recovery = superblock[96] & 4 != 0;
    state == 1 && !needs_recovery
}

#[test]
fn a_machine_comes_up_withstands_its_jobs_and_switches_itself_off() {
    let configuration = format!(
        r#"{{
            init: {{ hostname: "pump-7", watchdog: {{ timeout: "2s" }} }},
            stopTimeout: "2s",
            jobs: [
                {{ name: "modules", exec: ["sh", "-c", "{MODULES} && mount -t ext4 /dev/vda /data"], logging: {{ raw: true }} }},
                // Needs more memory than there is.
                {{ name: "glutton", exec: ["sh", "-c", "echo glutton; exec tail /dev/zero"], restarts: 1,
                  when: {{ source: "modules", once: "exitSuccess" }}, logging: {{ raw: true }} }},
                {{ name: "main", exec: ["sh", "/etc/script"], when: {{ source: "glutton", once: "exitFailed" }}, logging: {{ raw: true }} }},
            ],
        }}"#
    );
    let script = r#"
        echo "host $(hostname)"
        for mount in /proc /sys /dev /dev/pts /run; do grep -q " $mount " /proc/mounts && echo "mount $mount"; done
        ping -c 1 -w 30 127.0.0.1 >/dev/null && echo "loopback is up"
        until [ "$(cat /sys/class/watchdog/watchdog0/state)" = active ]; do usleep 100000; done
        echo "watchdog of $(cat /sys/class/watchdog/watchdog0/timeout)"
        kill -9 1; kill -STOP 1
        containerpilot -ping
        echo written >/data/file
        # These have left their job's process group; one does not even listen. Each
        # has a FIFO of its own: who has written may close it only after the next reads.
        mkfifo /run/polite /run/deaf
        setsid sh -c 'cd /data && echo >/run/polite && exec sleep 1000' &
        read word </run/polite
        setsid sh -c 'trap "" TERM; cd /data; echo >/run/deaf; while :; do sleep 1000; done' &
        read word </run/deaf
        containerpilot -poweroff
        sleep 1000
    "#;
    let Some(machine) = Machine::start(&configuration, script) else {
        return;
    };
    let (console, folder) = machine.wait_for_end();
    let count = |word: &str| console.iter().filter(|line| line.contains(word)).count();
    for line in [
        "init: mounted /proc",
        "init: mounted /dev/pts",
        "host pump-7",
        "mount /proc",
        "mount /sys",
        "mount /dev",
        "mount /dev/pts",
        "mount /run",
        "loopback is up",
        "watches over this machine",
        "watchdog of 2",
        "ok",
        "sending signal 15 to all processes that are left",
        "sending signal 9 to all processes that are left",
        "init: unmounted /data",
        "init: everything has ended: power off",
        "reboot: Power down",
    ] {
        assert!(count(line) > 0, "{line:?} is missing: {console:#?}");
    }
    assert!(count("glutton") >= 2, "killed and restarted: {console:#?}");
    assert_eq!(count("panic"), 0, "{console:#?}");
    assert!(is_clean(&folder.join("disk")), "{console:#?}");
}

/// Two jobs that fork without end, in a user's share of processes: one fills it, one
/// doubles at each turn; a job that is killed whenever it runs; and a script that
/// looks at all of them.
const ASSAULT: &str = r#"
    # Of a user: the owner of their /proc.
    has_processes() { [ -n "$(find /proc -maxdepth 1 -user $1 2>/dev/null)" ]; }
    read full </run/full
    for look in 1 2 3 4 5; do
        read load1 load5 load15 threads rest </proc/loadavg
        [ "${threads#*/}" -lt 250 ] || echo "too many: $threads"
        containerpilot -ping
    done
    echo "bounded"
    for bomb in 4711 4712; do
        containerpilot -stop $bomb
        while has_processes $bomb; do usleep 100000; done
    done
    echo "defused"
    for kill in 1 2 3 4 5; do
        read pid </run/victims
        kill -9 $pid
    done
    read pid </run/victims
    # Everybody but this shell, and whom the kernel does not let it kill.
    kill -9 -1
    read pid </run/victims
    echo "all are there again"
    containerpilot -ping
    containerpilot -poweroff
    sleep 1000
"#;

#[test]
fn a_machine_outlives_fork_bombs_and_the_killing_of_all_processes() {
    let configuration = r#"{
        init: {},
        jobs: [
            { name: "pipe", exec: ["mkfifo", "-m", "666", "/run/victims", "/run/full"] },
            { name: "victim", exec: ["sh", "-c", "echo $$ >/run/victims; exec sleep 1000"], restarts: "unlimited", backoff: "none",
              when: { source: "pipe", once: "exitSuccess" } },
            { name: "4711", exec: ["sh", "-c", "(while :; do sleep 1000 & done) 2>/dev/null; echo full >/run/full; exec sleep 1000"],
              user: "4711:4711", limits: { nproc: 40 }, nice: 19, when: { source: "pipe", once: "exitSuccess" } },
            { name: "4712", exec: ["sh", "-c", "bomb() { bomb | bomb & }; bomb 2>/dev/null; exec sleep 1000"],
              user: "4712:4712", limits: { nproc: 40 }, nice: 19, when: { source: "pipe", once: "exitSuccess" } },
            { name: "main", exec: ["sh", "/etc/script"], when: { source: "pipe", once: "exitSuccess" }, logging: { raw: true } },
        ],
    }"#;
    let Some(machine) = Machine::start(configuration, ASSAULT) else {
        return;
    };
    let (console, _) = machine.wait_for_end();
    let count = |word: &str| console.iter().filter(|line| line.contains(word)).count();
    for line in [
        "bounded",
        "defused",
        "all are there again",
        "init: everything has ended: power off",
        "reboot: Power down",
    ] {
        assert!(count(line) > 0, "{line:?} is missing: {console:#?}");
    }
    for word in ["panic", "too many"] {
        assert_eq!(count(word), 0, "{console:#?}");
    }
}

/// Sets the clock years ahead and years back, and looks each time whether anything
/// but the time of the log has followed it.
const CLOCK_JUMPS: &str = r#"
    ticks() { for tick in 1 2 3; do read word </run/ticks; done; }
    ticks
    for time in 2037-01-02 2001-02-03; do
        date -s "$time 04:05:06" >/dev/null
        ticks
        containerpilot -signal hour=CONT
        echo "$time hour $(containerpilot -status hour | grep ^state)"
        echo "$time again $(containerpilot -status again | grep ^runs)"
    done
    containerpilot -poweroff
    sleep 1000
"#;

#[test]
fn a_clock_that_jumps_moves_no_timer_and_only_the_time_that_is_told() {
    let configuration = r#"{
        init: {},
        jobs: [
            { name: "pipe", exec: ["mkfifo", "/run/ticks"] },
            { name: "tick", exec: ["sh", "-c", "[ ! -p /run/ticks ] || echo tick >/run/ticks"], when: { interval: "500ms" }, timeout: "1m" },
            { name: "hour", exec: ["sleep", "100000"], timeout: "1h" },
            { name: "again", exec: ["false"], restarts: "unlimited", backoff: { initial: "1h", max: "1h" } },
            { name: "main", exec: ["sh", "/etc/script"], when: { source: "pipe", once: "exitSuccess" }, logging: { raw: true } },
        ],
    }"#;
    let Some(machine) = Machine::start(configuration, CLOCK_JUMPS) else {
        return;
    };
    let (console, _) = machine.wait_for_end();
    let says = |words: &[&str]| {
        let said = |line: &&String| words.iter().all(|word| line.contains(word));
        assert!(
            console.iter().any(|line| said(&line)),
            "{words:?} is missing: {console:#?}"
        );
    };
    for time in ["2037-01-02", "2001-02-03"] {
        says(&[time, "T04:", "hour is sent signal 18"]);
        says(&[time, " hour state", "running for"]);
        // The first restart is at once, the next one after an hour.
        says(&[time, " again runs", " 2, "]);
    }
    says(&["init: everything has ended: power off"]);
}

#[test]
fn ctrl_alt_del_starts_the_machine_again() {
    let configuration = r#"{
        init: { onShutdown: "halt" },
        jobs: [{ name: "up", exec: ["sh", "-c", "echo it is up; exec sleep 1000"], logging: { raw: true } }],
    }"#;
    let Some(machine) = Machine::start(configuration, "") else {
        return;
    };
    let patience = Instant::now() + PATIENCE;
    let is_up = machine.console.wait_by(&["it is up"], patience);
    assert!(is_up.is_some(), "{:#?}", machine.console.all());
    let _monitor = machine.press("ctrl-alt-delete");
    let (console, _) = machine.wait_for_end();
    let said = |word: &str| console.iter().any(|line| line.contains(word));
    assert!(said("init: everything has ended: reboot"), "{console:#?}");
    assert!(said("reboot: Restarting system"), "{console:#?}");
}
