"""What it takes while nothing happens: memory and wake-ups."""

import time

import peers as others
from measures import FLOOR, OURS, Row, at_most, measures
from running import Running, settle
from workshop import say

MEMORY = {
    count: Row(
        f"memory-{count}", f"memory with {count:,} idle wrapped jobs, PSS", "KiB",
        (at_most(mib * 1024),), original,
    )
    for count, mib, original in ((1, 1.4, "9 MiB"), (100, 2.2, "17 MiB"), (1000, 8, "103 MiB"))
}  # fmt: skip
WHOLE_1000 = Row(
    "memory-1000-whole", "the same with page tables and kernel stacks, 1,000 jobs", "KiB",
    (at_most(26 * 1024),), "117 MiB",
)  # fmt: skip
IDLE = Row(
    "idle", "idle, 100 jobs: context switches in 60 s (quick: 5 s)", "",
    (at_most(0),), "0", "a process that waits for a signal",
)  # fmt: skip


def contestants(shop, count):
    """Each with `count` jobs whose output it reads."""
    peers, fifo, job = shop.peers, shop.fifo(), shop.tool("job")
    stay = [job, "stay", fifo]
    jobs = [{"name": f"job{number}", "exec": stay} for number in range(count)]
    found = {OURS: Running(shop.supervise(jobs), fifo, count)}
    environment = peers.environment()
    if peers.have("s6-svscan", "s6-log"):
        directory = shop.fresh(f"s6-{count}")
        others.services(directory, count, job, fifo, "s6-log t ./main")
        command = peers.inside([peers["s6-svscan"], "-c", str(2 * count + 10), str(directory)])
        found["s6"] = Running(command, fifo, count, env=environment)
    if peers.have("runsvdir", "svlogd"):
        directory = shop.fresh(f"runit-{count}")
        others.services(directory, count, job, fifo, f"{peers['svlogd']} ./main")
        found["runit"] = Running([peers["runsvdir"], directory], fifo, count, env=environment)
    if peers.have("supervisord") and count <= 100:
        directory = shop.fresh(f"supervisord-{count}")
        command = others.supervisord(peers, directory, count, job, fifo)
        found["supervisord"] = Running(command, fifo, count, env=environment)
    if peers.have("tini") and count == 1:
        found["tini"] = Running([peers["tini"], "-s", "--", *stay], fifo, 1)
    return found


@measures(*MEMORY.values(), WHOLE_1000)
def memory(shop):
    """Once for each: what idle processes hold does not vary."""
    results = {row.key: {} for row in (*MEMORY.values(), WHOLE_1000)}
    for count, row in MEMORY.items():
        for who, running in contestants(shop, count).items():
            if shop.quick and count == 1000 and who != OURS:
                continue
            try:
                with running:
                    settle(running)
                    pss, whole = running.memory()
            except RuntimeError as error:
                say(f"bench: {who} is left out: {error}")
                continue
            results[row.key][who] = [pss]
            if count == 1000:
                results[WHOLE_1000.key][who] = [whole]
    return results


@measures(IDLE)
def idle(shop):
    """Looks twice, and so disturbs nothing between."""
    results = {}
    running = contestants(shop, 100)
    running[FLOOR] = Running([shop.tool("job"), "idle"])
    for who, supervisor in running.items():
        if shop.quick and who not in (OURS, FLOOR):
            continue
        with supervisor:
            settle(supervisor)
            # Threads that start jobs stay for a second; what they did would be
            # missing from the second look.
            time.sleep(2)
            before = switches(supervisor, who)
            time.sleep(shop.times(60, 5))
            results[who] = [switches(supervisor, who) - before]
    return {IDLE.key: results}


def switches(running, who):
    # The floor is a job itself, which is not counted otherwise.
    return 0 if who == FLOOR else running.switches()
