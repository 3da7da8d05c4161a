"""What each process costs that is started again, checked or chained."""

import os

from measures import FLOOR, OURS, Row, at_most_times, measures
from running import Running
from workshop import interleave, one_cpu

RESTART = Row(
    "restart", 'restart, exit → next start (`backoff: "none"`) ¹', "ns", (at_most_times(2.0),),
    "2.9 ×", "C posix_spawn + waitpid in a loop",
)  # fmt: skip
CHAIN = Row(
    "chain", "chain of 100 jobs, each after the last one's exitSuccess, per step ¹", "ns",
    (at_most_times(2.2),), "3.9 ×", "C posix_spawn + waitpid in a loop",
)  # fmt: skip
CHECK = Row(
    "check", "exec health check, CPU per check (20 jobs) ¹", "ns", (at_most_times(2.0),),
    "5.9 ×", "C posix_spawn + waitpid, as often",
)  # fmt: skip
# As many stamps as a FIFO holds, so that nobody need read while they come.
STAMPS = 4000
CHECKED = 20


def gaps(stamps):
    """From each to the next."""
    stamps = sorted(stamps)
    return [after - before for before, after in zip(stamps, stamps[1:])]


def stamped(command, fifo, count):
    """The gaps between the first `count` stamps of what a command starts."""
    with Running(command, fifo) as running:
        return gaps(running.stamps(count))


@measures(RESTART)
def restart(shop):
    """Every run tells when it began and ends at once."""
    stamp, count = [shop.tool("job"), "stamp", shop.fifo()], shop.times(1000, 300)
    job = {"name": "job", "exec": stamp, "restarts": count - 1, "backoff": "none"}
    loop = [shop.tool("loop"), str(count), "1", "0", *stamp]
    ours = shop.supervise([job], name="restart.json5")
    with one_cpu():
        return {RESTART.key: interleave(shop.times(10, 3), {
            FLOOR: lambda: stamped(loop, shop.fifo(), count),
            OURS: lambda: stamped(ours, shop.fifo(), count),
        })}  # fmt: skip


@measures(CHAIN)
def chain(shop):
    """A hundred jobs, of which each starts when the one before has succeeded."""
    stamp = [shop.tool("job"), "stamp", shop.fifo()]
    jobs = [{"name": f"job{number}", "exec": stamp} for number in range(100)]
    for number, job in enumerate(jobs[1:]):
        job["when"] = {"source": f"job{number}", "once": "exitSuccess"}
    ours = shop.supervise(jobs, name="chain.json5")
    loop = [shop.tool("loop"), "100", "1", "0", *stamp]
    with one_cpu():
        return {CHAIN.key: interleave(shop.times(30, 8), {
            FLOOR: lambda: stamped(loop, shop.fifo(), 100),
            OURS: lambda: stamped(ours, shop.fifo(), 100),
        })}  # fmt: skip


@measures(CHECK)
def check(shop):
    """The CPU of everything, children included, with checks less that without."""
    job, fifo = shop.tool("job"), shop.fifo()
    # A full run checks every second, as one does; a quick one more often.
    interval, rounds = shop.times((1000, 10), (100, 10))
    check = [job, "stamp", fifo]
    total = CHECKED * rounds

    def jobs(health):
        return [{"name": f"job{n}", "exec": [job, "idle"], **health} for n in range(CHECKED)]

    health = {"exec": check, "interval": f"{interval}ms", "ttl": "60s"}
    checked = shop.supervise(jobs({"health": health}), name="checked.json5")
    unchecked = shop.supervise(jobs({}), name="unchecked.json5")
    loop = [shop.tool("loop"), str(rounds), str(CHECKED), str(interval * 1000), *check]
    nothing = [shop.tool("loop"), "0", "0", "0", job]

    def ours():
        with Running(checked, fifo) as running:
            running.stamps(total)
            with_checks = running.end()
        return [(with_checks - life(unchecked)) / total]

    def floor():
        with Running(loop, fifo) as running:
            running.stamps(total)
            used = running.ended()
        return [(used - life(nothing, ends=True)) / total]

    def life(command, ends=False):
        """What a life without checks costs."""
        with Running(command) as running:
            if not ends:
                wait_for_children(running.pid, CHECKED)
            return running.ended() if ends else running.end()

    with one_cpu():
        return {CHECK.key: interleave(shop.times(3, 3), {FLOOR: floor, OURS: ours})}


def wait_for_children(pid, count):
    """Waits until a supervisor has started its jobs, which tell nothing."""
    while True:
        children = sum(
            len(open(f"/proc/{pid}/task/{task}/children").read().split())
            for task in os.listdir(f"/proc/{pid}/task")
        )
        if children >= count:
            return
        os.sched_yield()
