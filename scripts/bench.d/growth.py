"""What grows, with the number of jobs and with time."""

import signal

from control import free_port, scrape_size, telemetry
from lifecycle import LAST, STOP, lives, staying
from measures import FLOOR, OURS, Row, at_most, at_most_times, measures
from processes import gaps
from running import Running, field, settle
from workshop import one_cpu

EVENTS = {
    "restarts": Row(
        "grown-restarts", "100,000 restarts: growth in the second half, bytes per event", "",
        (at_most(0),), "0",
    ),
    "checks": Row(
        "grown-checks", "100,000 checks: growth in the second half, bytes per event", "",
        (at_most(0),), "45",
    ),
}  # fmt: skip
COUNTS = (1, 10, 100, 1000)
SCALES = {
    name: Row(f"scale-{name}", work, unit, (at_most_times(limit),), floor=floor)
    for name, work, unit, limit, floor in (
        ("memory", "memory per job, PSS: 1,000 jobs", "KiB", 1.1, "100 jobs"),
        ("start", "start per job: 1,000 jobs", "ns", 1.5, "100 jobs"),
        ("stop", "stop per job: 1,000 jobs", "ns", 1.5, "100 jobs"),
        ("restart", "exit → next start ¹: beside 1,000 jobs", "ns", 1.2, "beside 1 job"),
        ("ping", "`GET /v3/ping` ¹: 1,000 jobs", "ns", 1.2, "1 job"),
        ("scrape", "`GET /metrics` ¹, per KB of it: 1,000 jobs", "ns", 1.2, "1 job"),
    )
}


@measures(*EVENTS.values())
def grown(shop):
    """What is its own and in memory, half way and at the end."""
    half = shop.times(50_000, 5_000)
    fifo, stamp = shop.fifo(), [shop.tool("job"), "stamp", shop.fifo()]
    idle = [shop.tool("job"), "idle"]
    restarts = {"name": "job", "exec": stamp, "restarts": "unlimited", "backoff": "none"}
    check = {"exec": stamp, "interval": "10ms", "ttl": "60s"}
    checks = [{"name": f"job{n}", "exec": idle, "health": check} for n in range(40)]
    results = {}
    for name, jobs in (("restarts", [restarts]), ("checks", checks)):
        with Running(shop.supervise(jobs), fifo) as running:
            sizes = []
            for _half in range(2):
                for _some in range(half // 1000):
                    running.stamps(1000)
                sizes.append(field(f"/proc/{running.pid}/smaps_rollup", "Anonymous:") * 1024)
        results[EVENTS[name].key] = {OURS: [(sizes[1] - sizes[0]) / half]}
    return results


@measures(*SCALES.values())
def scale(shop):
    """The same supervisor with more and more jobs."""
    found = {name: {} for name in SCALES}
    for count in COUNTS:
        for name, samples in sizes(shop, count).items():
            found[name][count] = samples
    results = {}
    for name, row in SCALES.items():
        base = 100 if row.floor == "100 jobs" else 1
        named = {1000: OURS, base: FLOOR}
        samples = {named.get(n, f"{n} job{'s' * (n > 1)}"): found[name][n] for n in (base, 1000, *COUNTS)}
        results[row.key] = samples
    return results


def sizes(shop, count):
    """Everything of one number of jobs."""
    fifo, port = shop.fifo(), free_port()
    command = shop.supervise(staying(shop, count), telemetry=telemetry(port), name="scale.json5")
    found = lives(shop, shop.times(10, 3), count, signal.SIGTERM, command)
    with Running(command, fifo, count) as running:
        settle(running)
        memory, _whole = running.memory()
    samples = {
        "start": [life[LAST] / count for life in found],
        "stop": [life[STOP] / count for life in found],
        "memory": [memory / count],
    }
    many, rounds = shop.times((500, 300), (200, 100))
    with one_cpu(), Running(command, fifo, count):
        for name, address, path in (("ping", shop.socket, "/v3/ping"), ("scrape", port, "/metrics")):
            asked = shop.numbers("request", address, 1, many, "GET", path)
            kilobytes = scrape_size(port) / 1000 if name == "scrape" else 1
            samples[name] = [took / kilobytes for [took] in asked]
    stamp = [shop.tool("job"), "stamp", fifo]
    restarted = {"name": "restarted", "exec": stamp, "restarts": rounds, "backoff": "none"}
    waiting = {"when": {"source": "SIGUSR2"}, "exec": [shop.tool("job"), "idle"]}
    jobs = [restarted] + [{"name": f"job{n}", **waiting} for n in range(count)]
    with one_cpu(), Running(shop.supervise(jobs, name="beside.json5"), fifo) as running:
        samples["restart"] = gaps(running.stamps(rounds + 1))
    return samples
