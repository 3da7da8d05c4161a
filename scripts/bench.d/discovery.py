"""How soon a change of Consul's catalog reaches the jobs that wait for it."""

import http.client
import json
import subprocess
import time
import urllib.error
import urllib.request

from control import free_port
from measures import OURS, Row, at_most, measures
from running import Running
from workshop import PATIENCE, ROOT, say

WATCH = Row(
    "watch", "a change of Consul's catalog → the job's first instruction", "ns", (at_most(100e6),),
    "up to the watch's interval",
)  # fmt: skip


@measures(WATCH)
def watch(shop):
    """A real agent; the watched service moves, each time to where it has not been: two
    moves that are told of as one are a change still."""
    found = subprocess.run([ROOT / "scripts/install-consul"], capture_output=True, text=True)
    if found.returncode:
        say(f"bench: MISSING: Consul: {found.stderr.strip()}")
        return {WATCH.key: {}}
    port, fifo = free_port(), shop.fifo()
    off = [f"-{name}-port=-1" for name in ("dns", "grpc", "https")]
    agent = [found.stdout.strip(), "agent", "-dev", f"-http-port={port}", "-bind=127.0.0.1", *off]
    agent += [f"-server-port={free_port()}", f"-serf-lan-port={free_port()}", "-serf-wan-port=-1"]
    job = {
        "name": "job",
        "exec": [shop.tool("job"), "stamp", fifo],
        "when": {"source": "watch.app", "each": "changed"},
    }
    more = {"consul": f"127.0.0.1:{port}", "watches": [{"name": "app", "interval": 60}]}
    stay = {"name": "stay", "exec": [shop.tool("job"), "stay", fifo]}
    with Running(agent):
        wait_for_leader(port)
        with Running(shop.supervise([stay, job], **more), fifo, 1) as running:
            took = [change(port, number, running) for number in range(shop.times(40, 10))]
    # The first answer of a watch may still have been on its way.
    return {WATCH.key: {OURS: took[1:]}}


def change(port, number, running):
    began = time.monotonic_ns()
    put(port, "/v1/agent/service/register", {"Name": "app", "ID": "app", "Port": 8000 + number})
    while True:
        stamp = running.stamps(1)[0]
        # One change may have been told of twice.
        if stamp >= began:
            return stamp - began


def put(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("PUT", path, json.dumps(body))
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"Consul: {path}: {answer.status} {answer.read()}")


def wait_for_leader(port):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status/leader") as answer:
                if len(answer.read()) > 2:
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    raise RuntimeError("Consul has no leader")
