"""The control plane and telemetry: one answer, and many at once."""

import contextlib
import http.client
import socket
import subprocess

import peers as others
from measures import FLOOR, OURS, Row, at_least_times, at_most, at_most_times, measures
from running import Running
from workshop import interleave, one_cpu

PAGE = "C server of one page"
PING = Row(
    "http-ping", "`GET /v3/ping`, answered through the loop, new connection each, p50 ¹", "ns",
    (at_most_times(2.0),), "2.1 ×", PAGE,
)  # fmt: skip
PING_RATE = Row(
    "http-ping-8", "the same, 8 clients, requests/s", "/s", (at_least_times(0.55),), "53,000", PAGE,
)  # fmt: skip
METRIC = Row(
    "http-metric", "`POST /v3/metric`, 10 metrics, p50 ¹", "ns", (at_most_times(3.5),), "6.0 ×", PAGE,
)  # fmt: skip
METRIC_RATE = Row(
    "http-metric-8", "the same, 8 clients, requests/s", "/s", (at_least_times(0.3),), "16,000", PAGE,
)  # fmt: skip
ENVIRON = Row(
    "http-environ", "`POST /v3/environ`, p50 ¹", "ns", (at_most_times(2.5),), "2.8 ×", PAGE,
)  # fmt: skip
ENVIRON_RATE = Row(
    "http-environ-8", "the same, 8 clients, requests/s", "/s", (at_least_times(0.3),), "30,000", PAGE,
)  # fmt: skip
SCRAPE = Row(
    "http-metrics", "`GET /metrics`, 100 user metrics, p50 ¹", "ns", (at_most_times(4),), "17 ×",
    "C server sending as many bytes",
)  # fmt: skip
RELOAD = Row(
    "reload", "`POST /v3/reload` of 100 jobs, request → answer", "ns", (at_most(10e6),),
)  # fmt: skip
CLIENTS = 8
METRICS = {f"bench_app_m{number}": number for number in range(10)}


def telemetry(port):
    """Telemetry with a hundred metrics."""
    metrics = [
        {"namespace": "bench", "subsystem": "app", "name": f"m{number}", "help": "one of many",
         "type": ("counter", "gauge")[number % 2]}
        for number in range(100)
    ]  # fmt: skip
    return {"port": port, "interfaces": ["static:127.0.0.1"], "metrics": metrics}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def page(shop, address, bytes_of_body):
    """The floor: a server of one page."""
    command = [shop.tool("page"), str(address), str(bytes_of_body)]
    with Running(command, stdout=subprocess.PIPE) as running:
        running.process.stdout.readline()
        yield address


@measures(PING, PING_RATE, METRIC, METRIC_RATE, ENVIRON, ENVIRON_RATE, SCRAPE)
def answers(shop):
    """A supervisor answers one client on the CPU of both, and another one many; one
    floor for the short answers, one for the exposition."""
    fifo, port, peers = shop.fifo(), free_port(), shop.peers
    jobs = [{"name": "job", "exec": [shop.tool("job"), "stay", fifo]}]
    command = shop.supervise(jobs, telemetry=telemetry(port))
    metrics = "{%s}" % ",".join(f'"{name}": {value}' for name, value in METRICS.items())
    environ = '{"BENCH_ONE": "1", "BENCH_TWO": "two"}'
    posts = {
        PING: (PING_RATE, ("GET", "/v3/ping")),
        METRIC: (METRIC_RATE, ("POST", "/v3/metric", metrics)),
        ENVIRON: (ENVIRON_RATE, ("POST", "/v3/environ", environ)),
    }
    results = {}
    for is_pinned in (True, False):
        place = one_cpu() if is_pinned else contextlib.nullcontext()
        socket_of_page = shop.path(f"page-{is_pinned}.socket")
        # Who answers is in its place before it starts: there it stays.
        with place, Running(command, fifo, 1), page(shop, socket_of_page, 2) as short, supervisord(shop) as rpc:
            for row, (rate, request) in posts.items():
                addresses = {FLOOR: (short, request), OURS: (shop.socket, request)}
                if row is PING and rpc:
                    addresses["supervisord"] = rpc
                if is_pinned:
                    results[row.key] = one_after_the_other(shop, addresses)
                else:
                    results[rate.key] = many_at_once(shop, addresses)
            if is_pinned:
                with page(shop, free_port(), scrape_size(port)) as long:
                    request = ("GET", "/metrics")
                    addresses = {FLOOR: (long, request), OURS: (port, request)}
                    results[SCRAPE.key] = one_after_the_other(shop, addresses)
    return results


@contextlib.contextmanager
def supervisord(shop):
    """The address of a supervisord and a question to it, if there is one."""
    if not shop.peers.have("supervisord"):
        yield None
        return
    directory, fifo = shop.fresh("supervisord-http"), shop.fifo()
    command = others.supervisord(shop.peers, directory, 1, shop.tool("job"), fifo)
    call = "<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>"
    with Running(command, fifo, 1, env=shop.peers.environment()):
        yield f"{directory}/socket", ("POST", "/RPC2", call)


def scrape_size(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    return len(connection.getresponse().read())


def one_after_the_other(shop, addresses):
    def turn(who):
        address, request = addresses[who]
        count = 20 if who == "supervisord" else 500
        return lambda: [took for [took] in shop.numbers("request", address, 1, count, *request)]

    return interleave(shop.times(20, 6), {who: turn(who) for who in addresses})


def many_at_once(shop, addresses):
    def turn(who):
        address, request = addresses[who]
        count = 200 if who == "supervisord" else 8000

        def take():
            [[took]] = shop.numbers("request", address, CLIENTS, count, *request)
            return [count / (took / 1e9)]

        return take

    return interleave(shop.times(10, 4), {who: turn(who) for who in addresses})


@measures(RELOAD)
def reload(shop):
    """Nothing has changed, which is what takes longest to find out."""
    fifo = shop.fifo()
    stay = [shop.tool("job"), "stay", fifo]
    command = shop.supervise([{"name": f"job{number}", "exec": stay} for number in range(100)])
    with Running(command, fifo, 100):
        found = shop.numbers("request", shop.socket, 1, shop.times(100, 20), "POST", "/v3/reload")
    return {RELOAD.key: {OURS: [took for [took] in found]}}
