"""PID 1's own duty: whatever loses its parent is reaped."""

import subprocess

from measures import FLOOR, OURS, Row, at_most_times, measures
from workshop import PATIENCE, interleave

ROWS = {
    "stream": Row(
        "orphans-stream", "10,000 orphans as PID 1, one after the other", "ns",
        (at_most_times(1.05),), "1.16 ×", "C init of one page",
    ),
    "burst": Row(
        "orphans-burst", "10,000 orphans as PID 1, that end together", "ns",
        (at_most_times(1.05),), "0.9 ×", "C init of one page",
    ),
}  # fmt: skip


@measures(*ROWS.values())
def orphans(shop):
    """The job itself makes them, and sees when the last one is reaped."""
    count, results = shop.times(10_000, 3_000), {}
    for kind, row in ROWS.items():
        told = shop.path(f"orphans-{kind}")
        job = [shop.tool("orphans"), kind, str(count), told]
        commands = {
            FLOOR: [shop.tool("init"), "1", *job],
            OURS: shop.supervise([{"name": "job", "exec": job}], name=f"{kind}.json5"),
        }
        if shop.peers.have("tini"):
            commands["tini"] = [shop.peers["tini"], "--", *job]

        contestants = {who: turn(command, told) for who, command in commands.items()}
        results[row.key] = interleave(shop.times(8, 3), contestants)
    return results


def turn(command, told):
    def take():
        unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
        subprocess.run(
            unshare + command, timeout=PATIENCE, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        took, left = map(int, open(told).read().split())
        if left:
            raise RuntimeError(f"{left} orphans were never reaped")
        return [took]

    return take
