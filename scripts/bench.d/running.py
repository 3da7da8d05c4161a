"""A supervisor that runs while it is measured: what it and its helpers hold in
memory, how much CPU they have used, how often they were switched."""

import contextlib
import os
import pathlib
import select
import signal
import struct
import subprocess
import time

# A thread's stack in the kernel (x86_64).
KERNEL_STACK = 16
PATIENCE = 60


class Running:
    """A supervisor as a context: started, waited for, ended and reaped."""

    def __init__(self, command, fifo=None, jobs=0, stdout=subprocess.DEVNULL, env=None):
        self.command = command
        self.fifo = os.open(fifo, os.O_RDWR | os.O_CLOEXEC) if fifo else None
        self.jobs = jobs
        self.stdout = stdout
        self.env = env

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.stdout,
            stderr=subprocess.DEVNULL, start_new_session=True, env=self.env,
        )  # fmt: skip
        self.pid = self.process.pid
        try:
            if self.jobs:
                self.stamps(self.jobs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def stamps(self, count):
        """The next `count` stamps of its jobs, in ns (see c/job.c)."""
        data = b""
        while len(data) < count * 8:
            if not select.select([self.fifo], [], [], PATIENCE)[0]:
                raise RuntimeError(f"{self.command[0]} has not started its jobs")
            data += os.read(self.fifo, count * 8 - len(data))
        return list(struct.unpack(f"{count}q", data))

    def end(self, number=signal.SIGTERM):
        """Ends it and returns the CPU that it and all it has reaped have used, in
        ns."""
        if self.process.returncode is None:
            os.kill(self.pid, number)
            return self.ended()
        return 0

    def ended(self):
        """Waits until it has ended."""
        _pid, status, used = os.wait4(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return int((used.ru_utime + used.ru_stime) * 1e9)

    def __exit__(self, *_error):
        self.end()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self.fifo is not None:
            os.close(self.fifo)

    def cpu(self):
        """The CPU that it alone has used until now, in ns, ended threads
        included."""
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def processes(self):
        """Itself and what it keeps running beside the jobs."""
        found, unseen = [], [self.pid]
        while unseen:
            pid = unseen.pop()
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if name in ("job", "run"):
                    continue
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    unseen += map(int, (task / "children").read_text().split())
                found.append(pid)
            except FileNotFoundError:
                continue
        return found

    def memory(self):
        """Its part of the memory (PSS), and that with page tables and the
        kernel's stacks, in KiB."""
        pss = tables = stacks = 0
        for pid in self.processes():
            pss += field(f"/proc/{pid}/smaps_rollup", "Pss:")
            tables += field(f"/proc/{pid}/status", "VmPTE:")
            stacks += field(f"/proc/{pid}/status", "Threads:") * KERNEL_STACK
        return pss, pss + tables + stacks

    def switches(self):
        """How often all its threads were switched."""
        total = 0
        for pid in self.processes():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                # A thread may end while it is looked at.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    status = str(task / "status")
                    total += field(status, "voluntary_ctxt_switches:")
                    total += field(status, "nonvoluntary_ctxt_switches:")
        return total


def field(path, name):
    """The number behind a name of one of the kernel's tables."""
    for line in open(path):
        if line.startswith(name):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} in {path}")


def settle(running):
    """Waits until it has had nothing to do for a while."""
    before = running.switches()
    for _look in range(PATIENCE):
        time.sleep(0.3)
        after = running.switches()
        if after == before:
            return
        before = after
