"""Where it is measured: a directory that goes away, the programs of c/, the
release binary, the peers, pinning to one CPU, and turns that interleave."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from measures import FLOOR, OURS

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
# How long anything may take before it is called stuck, in seconds.
PATIENCE = 120
# Programs that are themselves jobs must cost no more than the kernel asks for.
BARE = [
    "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fcf-protection=none",
    "-Wl,--build-id=none", "-Wl,-z,noseparate-code",
]  # fmt: skip


def say(text):
    print(text, file=sys.stderr, flush=True)


class Workshop:
    """Everything that a subject needs to measure."""

    def __init__(self, binary, peers, quick):
        self.binary = str(binary)
        self.peers = peers
        self.quick = quick
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="containerpilot-bench-"))
        self.socket = str(self.directory / "control.socket")
        self._compile()

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def _compile(self):
        for source in (HERE / "c").glob("*.c"):
            extra = BARE if source.stem == "job" else []
            command = ["gcc", "-O2", "-static", *extra, "-o", self.tool(source.stem), str(source)]
            subprocess.run(command, check=True)

    def tool(self, name):
        """The path of a program of c/."""
        return str(self.directory / name)

    def path(self, name):
        return str(self.directory / name)

    def fresh(self, name):
        """A directory that is empty."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def fifo(self):
        """The FIFO that jobs write their stamps to; the same one every time."""
        path = self.path("fifo")
        if not os.path.exists(path):
            os.mkfifo(path)
        return path

    def config(self, jobs, name="config.json5", **more):
        """Writes a configuration with these jobs; returns its path."""
        whole = {"control": {"socket": self.socket}, "jobs": jobs, **more}
        path = self.directory / name
        path.write_text(json.dumps(whole, indent=1))
        return str(path)

    def supervise(self, jobs, **more):
        """The command line of ours with these jobs."""
        return [self.binary, "-config", self.config(jobs, **more)]

    def numbers(self, tool, *arguments, inside=None, **options):
        """Runs a program of c/, `inside` of what changes its surroundings; a list
        of numbers for each line it prints."""
        command = [self.tool(tool), *map(str, arguments)]
        command = inside(command) if inside else command
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("timeout", PATIENCE)
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}")
        return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]

    def times(self, full, quick):
        """How often: the first for a full run, the second for a quick one."""
        return quick if self.quick else full


@contextlib.contextmanager
def one_cpu():
    """Pins this program, and with it what it starts, to one CPU: where the
    scheduler puts two that talk to each other makes two figures of one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def interleave(rounds, contestants):
    """Gives each contestant a turn in each round, in an order that moves, so that
    whatever else the machine does hits all alike. A turn returns samples. One
    that fails is told and left out; without ours there is nothing to tell."""
    samples = {who: [] for who in contestants}
    order = list(contestants)
    for number in range(rounds):
        start = number % len(order)
        for who in order[start:] + order[:start]:
            if who not in samples:
                continue
            try:
                samples[who] += contestants[who]()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                if who in (OURS, FLOOR):
                    raise
                say(f"bench: {who} is left out: {error}")
                del samples[who]
    return samples
