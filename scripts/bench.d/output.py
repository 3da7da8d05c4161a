"""The output of jobs: how fast it is logged, what that costs, what is lost."""

import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

from measures import FLOOR, OURS, Row, at_least, at_most, measures
from running import Running
from workshop import PATIENCE, interleave

LENGTH = 100
SPEED = Row(
    "output", "child output (100-byte lines, 64 KiB writes) to a file, default format", "MB/s",
    (at_least(400),), "56 MB/s", "`cat`",
)  # fmt: skip
CPU = Row("output-cpu", "the same, CPU per GB", "s", (at_most(3),), "18 s", "`cat`")
LOST = Row("output-lost", "the same, lines lost or torn", "", (at_most(0),))
JSON = Row("output-json", "the same, json", "MB/s", (at_least(250),), "34 MB/s")
TEXT = Row("output-text", "the same, text", "MB/s", (at_least(250),), "34 MB/s")
LONG = Row(
    "output-long", "lines of 60,000, 70,000 and 10,000,000 bytes: bytes lost", "",
    (at_most(0),), "all after the first line over 64 KiB",
)  # fmt: skip
STALLED_PING = Row(
    "stalled-ping", "nobody reads stdout, a job floods it: `-ping`", "ns", (at_most(100e6),),
)  # fmt: skip
STALLED_STOP = Row(
    "stalled-stop", "the same: SIGTERM → supervisor reaped", "ns", (at_most(1e9),), "never ends",
)  # fmt: skip


class Logs:
    """Where logs are written: memory, if there is enough, since it is not the
    disk that is measured."""

    def __enter__(self):
        memory = "/dev/shm"
        is_large = os.path.isdir(memory) and shutil.disk_usage(memory).free > 4 << 30
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=memory if is_large else None))
        return self.path

    def __exit__(self, *_error):
        shutil.rmtree(self.path, ignore_errors=True)


@measures(SPEED, CPU, LOST, JSON, TEXT)
def output(shop):
    """Each reads the same lines and writes them to a file."""
    lines = shop.times(5_000_000, 1_000_000)
    speeds, cpus, formats, lost = {}, {}, {JSON.key: {}, TEXT.key: {}}, []
    with Logs() as logs:
        flood = [shop.tool("lines"), "write", str(lines), str(LENGTH), f"{logs}/cpu"]

        def noted(who, took, used):
            used -= int((logs / "cpu").read_text())
            cpus.setdefault(who, []).append(used / 1e9 / (lines * LENGTH / 1e9))
            return [lines * LENGTH / 1e6 / (took / 1e9)]

        def ours(form, who):
            def take():
                log = logs / "log"
                log.unlink(missing_ok=True)
                logging = {"output": str(log), "format": form}
                command = shop.supervise([{"name": "job", "exec": flood}], logging=logging)
                took, used = timed([command])
                if form == "default":
                    with open(log) as written:
                        [[whole]] = shop.numbers("lines", "count", LENGTH, stdin=written)
                    lost.append(lines - whole)
                log.unlink()
                return noted(who, took, used) if who else [lines * LENGTH / 1e6 / (took / 1e9)]

            return take

        def piped(who, command):
            def take():
                shutil.rmtree(logs / "main", ignore_errors=True)
                (logs / "main").mkdir()
                took, used = timed([flood, command], env=shop.peers.environment())
                return noted(who, took, used)

            return take

        contestants = {
            FLOOR: piped(FLOOR, ["sh", "-c", 'exec cat >"$0"', f"{logs}/main/log"]),
            OURS: ours("default", OURS),
        }
        commands = {
            "multilog": ["multilog", "t", f"{logs}/main"],
            "s6-log": ["s6-log", "T", f"{logs}/main"],
            "svlogd": ["svlogd", "-tt", f"{logs}/main"],
        }
        for who, command in commands.items():
            if shop.peers.have(who):
                contestants[who] = piped(who, [shop.peers[who], *command[1:]])
        speeds = interleave(shop.times(4, 2), contestants)
        for row, form in ((JSON, "json"), (TEXT, "text")):
            formats[row.key] = interleave(shop.times(4, 2), {OURS: ours(form, None)})
    return {SPEED.key: speeds, CPU.key: cpus, LOST.key: {OURS: lost}, **formats}


def timed(commands, env=None):
    """How long commands take of which each reads from the one before, and the
    CPU of all, in ns."""
    began = time.monotonic_ns()
    processes, before = [], subprocess.DEVNULL
    for command in commands:
        is_last = command is commands[-1]
        process = subprocess.Popen(
            command, stdin=before, stdout=subprocess.DEVNULL if is_last else subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=env,
        )  # fmt: skip
        if before is not subprocess.DEVNULL:
            before.close()
        before = process.stdout
        processes.append(process)
    used = 0
    for process in reversed(processes):
        _pid, status, resources = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used += int((resources.ru_utime + resources.ru_stime) * 1e9)
    return time.monotonic_ns() - began, used


@measures(LONG)
def long_lines(shop):
    """Everything arrives, in pieces where a line is too long for one."""
    lost = []
    with Logs() as logs:
        for length, count in ((60_000, 50), (70_000, 50), (10_000_000, 3)):
            log = logs / f"log{length}"
            write = [shop.tool("lines"), "write", str(count), str(length)]
            command = shop.supervise(
                [{"name": "job", "exec": write}], logging={"output": str(log), "format": "default"}
            )
            subprocess.run(command, timeout=PATIENCE, stdout=subprocess.DEVNULL, check=True)
            entries = (line.rstrip(b"\n").split(b" ", 3) for line in open(log, "rb"))
            arrived = sum(len(e[3]) for e in entries if len(e) > 3 and e[1] == b"job")
            lost.append(count * (length - 1) - arrived)
    return {LONG.key: {OURS: lost}}


@measures(STALLED_PING, STALLED_STOP)
def stalled(shop):
    """The log goes into a pipe that is full from the beginning."""
    flood = [shop.tool("lines"), "write", "1000000000", str(LENGTH)]
    pings, stops = [], []
    for _round in range(shop.times(5, 2)):
        reader, writer = os.pipe()
        command = shop.supervise([{"name": "job", "exec": flood}])
        with Running(command, stdout=writer) as running:
            wait_until_full(writer)
            ping = [shop.binary, "-socket", shop.socket, "-ping"]
            pings += [took for [took] in shop.numbers("once", 5, *ping)]
            began = time.monotonic_ns()
            running.end()
            stops.append(time.monotonic_ns() - began)
        os.close(reader)
        os.close(writer)
    return {STALLED_PING.key: {OURS: pings}, STALLED_STOP.key: {OURS: stops}}


def wait_until_full(writer):
    """Waits until a pipe takes nothing any more."""
    poll = select.poll()
    poll.register(writer, select.POLLOUT)
    deadline = time.monotonic() + PATIENCE
    while poll.poll(0):
        if time.monotonic() > deadline:
            raise RuntimeError("the pipe is never full")
        time.sleep(0.01)
