"""The client: what a script or a health check of an orchestrator pays for it."""

import os

import peers as others
from measures import FLOOR, OURS, Row, at_most_times, measures
from running import Running
from workshop import interleave, one_cpu

PING = Row(
    "ping", "client: `-ping` from posix_spawn to reaped ¹", "ns", (at_most_times(0.6),),
    "3.2 ×", "static `busybox true`",
)  # fmt: skip


@measures(PING)
def ping(shop):
    """Each asks a supervisor of its own kind for one job's state."""
    peers, fifo, job = shop.peers, shop.fifo(), shop.tool("job")
    jobs = [{"name": "job", "exec": [job, "stay", fifo]}]
    commands = {
        FLOOR: [peers.busybox(), "true"],
        OURS: [shop.binary, "-socket", shop.socket, "-ping"],
    }
    running = [Running(shop.supervise(jobs), fifo, 1)]
    environment = peers.environment()
    if peers.have("s6-svscan", "s6-svstat", "s6-log"):
        directory = shop.fresh("ping-s6")
        others.services(directory, 1, job, fifo, "s6-log t ./main")
        running.append(Running(peers.inside([peers["s6-svscan"], directory]), fifo, 1, env=environment))
        commands["s6-svstat"] = [peers["s6-svstat"], f"{directory}/job0"]
    if peers.have("runsvdir", "sv", "svlogd"):
        directory = shop.fresh("ping-runit")
        others.services(directory, 1, job, fifo, f"{peers['svlogd']} ./main")
        running.append(Running([peers["runsvdir"], directory], fifo, 1, env=environment))
        commands["sv"] = [peers["sv"], "status", f"{directory}/job0"]
        if peers.have("svstat"):
            # The files of a service are the same for daemontools.
            commands["svstat"] = [peers["svstat"], f"{directory}/job0"]

    def turn(who):
        needs_libraries = {**os.environ, **environment} if who == "s6-svstat" else None
        return lambda: [
            took for [took] in shop.numbers("once", 20, *commands[who], env=needs_libraries)
        ]

    with one_cpu():
        return {PING.key: with_all(running, lambda: interleave(
            shop.times(20, 5), {who: turn(who) for who in commands}))}


def with_all(running, work):
    """Does something while all of these run."""
    if not running:
        return work()
    with running[0]:
        return with_all(running[1:], work)
