"""The control plane beside as many readers of its streams as may come, and more,
while a job restarts as fast as it can."""

import contextlib
import subprocess
import time

from measures import OURS, Row, at_most, measures
from running import PATIENCE, Running

PING = Row(
    "ping-readers", "50 readers of events and the log during 1,000 restarts: `-ping`, p99", "ns",
    (at_most(20e6),),
)  # fmt: skip
READERS = 50
# How many streams there may be at once; the other readers are refused.
STREAMS = 16


@measures(PING)
def readers(shop):
    """Each sample is the 99th percentile of a thousand pings."""
    fifo, stamp = shop.fifo(), [shop.tool("job"), "stamp", shop.fifo()]
    job = {"name": "job", "exec": stamp, "restarts": "unlimited", "backoff": "none"}
    command = shop.supervise([job], name="readers.json5")
    client = [shop.binary, "-socket", shop.socket]
    samples = []
    for _round in range(shop.times(5, 2)):
        with Running(command, fifo, 1) as running, following(client):
            pings = []
            for _some in range(10):
                running.stamps(100)
                pings += [took for [took] in shop.numbers("once", 100, *client, "-ping")]
            samples.append(sorted(pings)[len(pings) * 99 // 100])
    return {PING.key: {OURS: samples}}


@contextlib.contextmanager
def following(client):
    """The readers, once those are gone for which there is no place."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    flags = (["-events"], ["-logs", "-follow"])
    found = [subprocess.Popen([*client, *flags[n % 2]], **quiet) for n in range(READERS)]
    try:
        deadline = time.monotonic() + PATIENCE
        while sum(reader.poll() is None for reader in found) > STREAMS:
            if time.monotonic() > deadline:
                raise RuntimeError("there are more readers than streams")
            time.sleep(0.01)
        yield
    finally:
        for reader in found:
            reader.kill()
            reader.wait()
