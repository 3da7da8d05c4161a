"""From exec to the jobs' first instructions, and from SIGTERM to the end."""

import signal

import peers as others
from measures import FLOOR, OURS, Row, at_most_times, measures
from workshop import interleave, one_cpu

START = Row(
    "start", "start-up: exec → first instruction of the job ¹", "ns", (at_most_times(8),),
    "29 ×", "the job started directly",
)  # fmt: skip
START_PID1 = Row(
    "start-pid1", "start-up as PID 1 ¹", "ns", (at_most_times(1.6),),
    "6.3 ×", "the job as PID 1",
)  # fmt: skip
STOP_1 = Row(
    "stop-1", "shutdown: SIGTERM → supervisor reaped, 1 job", "ns", (at_most_times(1.5),),
    "its full stopTimeout, 5 s", "C init of one page",
)  # fmt: skip
STOP_100 = Row(
    "stop-100", "the same, 100 jobs that exit at once", "ns", (at_most_times(1.1),),
    "its full stopTimeout, 5 s", "C init of one page",
)  # fmt: skip
START_100 = Row(
    "start-100", "start of 100 jobs: exec → all run", "ns", (at_most_times(3),),
    "18 ×", "C init of one page",
)  # fmt: skip
# Where each of the three figures of a life stands.
FIRST, LAST, STOP = range(3)


def staying(shop, count):
    """`count` jobs that tell their start and stay."""
    command = [shop.tool("job"), "stay", shop.fifo()]
    return [{"name": f"job{number}", "exec": command} for number in range(count)]


def lives(shop, runs, count, end, command, **options):
    """`runs` lives of a supervisor with `count` jobs."""
    return shop.numbers("cycle", runs, count, shop.fifo(), int(end), *command, **options)


@measures(START)
def start(shop):
    """One job, nothing else, on one CPU."""
    peers, stamp = shop.peers, [shop.tool("job"), "stamp", shop.fifo()]
    ours = shop.supervise([{"name": "job", "exec": stamp}])
    commands = {FLOOR: stamp, OURS: ours}
    for name in ("tini", "tini-static", "dumb-init", "catatonit"):
        if peers.have(name):
            commands[name] = [peers[name], "--", *stamp]

    def turn(command):
        return lambda: [life[FIRST] for life in lives(shop, 10, 1, 0, command)]

    contestants = {who: turn(command) for who, command in commands.items()}
    contestants |= trees(shop, 1, lambda life: life[FIRST], runs=2)
    with one_cpu():
        return {START.key: interleave(shop.times(20, 5), contestants)}


@measures(START_PID1)
def start_pid1(shop):
    """The same in a PID namespace of its own, by unshare(1)."""
    peers, stamp = shop.peers, [shop.tool("job"), "stamp", shop.fifo()]
    commands = {FLOOR: stamp, OURS: shop.supervise([{"name": "job", "exec": stamp}])}
    for name in ("tini", "tini-static", "dumb-init", "catatonit"):
        if peers.have(name):
            commands[name] = [peers[name], "--", *stamp]
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]

    def turn(command):
        return lambda: [life[FIRST] for life in lives(shop, 5, 1, 0, unshare + command)]

    contestants = {who: turn(command) for who, command in commands.items()}
    with one_cpu():
        return {START_PID1.key: interleave(shop.times(20, 5), contestants)}


@measures(STOP_1)
def stop_1(shop):
    """One job that the signal ends at once."""
    stay = [shop.tool("job"), "stay", shop.fifo()]
    commands = {
        FLOOR: [shop.tool("init"), "1", *stay],
        OURS: shop.supervise(staying(shop, 1)),
    }
    for name in ("tini", "dumb-init", "catatonit"):
        if shop.peers.have(name):
            commands[name] = [shop.peers[name], "--", *stay]

    def turn(command):
        return lambda: [life[STOP] for life in lives(shop, 10, 1, signal.SIGTERM, command)]

    contestants = {who: turn(command) for who, command in commands.items()}
    contestants |= trees(shop, 1, lambda life: life[STOP], runs=3, only=("s6",))
    return {STOP_1.key: interleave(shop.times(20, 5), contestants)}


@measures(START_100, STOP_100)
def a_hundred(shop):
    """A hundred jobs, their start and their end."""
    started, stopped = {}, {}
    stay = [shop.tool("job"), "stay", shop.fifo()]
    commands = {
        FLOOR: [shop.tool("init"), "100", *stay],
        OURS: shop.supervise(staying(shop, 100)),
    }

    def turn(who, command):
        def take():
            found = lives(shop, 3, 100, signal.SIGTERM, command)
            stopped.setdefault(who, []).extend(life[STOP] for life in found)
            return [life[LAST] for life in found]

        return take

    def tree(who):
        def pick(life):
            # What runsvdir leaves behind when it ends is not its end.
            if who == "s6":
                stopped.setdefault(who, []).append(life[STOP])
            return life[LAST]

        return pick

    contestants = {who: turn(who, command) for who, command in commands.items()}
    for who in ("s6", "runit"):
        contestants |= trees(shop, 100, tree(who), runs=1, only=(who,))
    started = interleave(shop.times(15, 4), contestants)
    return {START_100.key: started, STOP_100.key: stopped}


def trees(shop, count, pick, runs, only=("s6", "runit")):
    """The turns of those that have a process for each service."""
    peers, turns = shop.peers, {}
    job, fifo = shop.tool("job"), shop.fifo()
    if "s6" in only and peers.have("s6-svscan", "s6-log"):
        directory = shop.fresh(f"s6-{count}")
        others.services(directory, count, job, fifo, "s6-log t ./main")
        command = [peers["s6-svscan"], "-c", str(2 * count + 10), str(directory)]
        turns["s6"] = tree_turn(shop, runs, count, signal.SIGTERM, command, pick)
    if "runit" in only and peers.have("runsvdir", "svlogd"):
        directory = shop.fresh(f"runit-{count}")
        others.services(directory, count, job, fifo, f"{peers['svlogd']} ./main")
        command = [peers["runsvdir"], "-P", str(directory)]
        turns["runit"] = tree_turn(shop, runs, count, signal.SIGHUP, command, pick)
    return turns


def tree_turn(shop, runs, count, end, command, pick):
    options = {"env": shop.peers.environment(), "inside": shop.peers.inside}
    return lambda: [pick(life) for life in lives(shop, runs, count, end, command, **options)]
