"""What was measured, for the terminal, for machines and for the manual."""

import json
import os
import platform
import subprocess
import textwrap
import time

from measures import FLOOR, OURS, show
from workshop import ROOT, say

BEGIN = "<!-- measured: written by scripts/bench --write-table -->\n"
END = "<!-- end of measured -->\n"


def circumstances(shop):
    """Where, when and of what it was measured."""
    cpus = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
    version = subprocess.run([shop.binary, "-version"], capture_output=True, text=True).stdout
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{len(cpus)} × {cpus[0].split(': ')[1].strip()}" if cpus else "",
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "version": " ".join(version.split()),
        "bytes": os.path.getsize(shop.binary),
        "quick": shop.quick,
        "realtime": os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
    }


def verdict(result):
    """Whether all targets are met."""
    if not result.samples.get(OURS):
        return "none"
    verdicts = result.verdicts()
    if not verdicts:
        return "–"
    return "pass" if all(met for _target, _value, met in verdicts) else "MISS"


def ours(result):
    """The median of ours with its spread, and how many times the floor that is."""
    if not result.samples.get(OURS):
        return "not measured"
    unit = result.row.unit
    low, high = result.spread(OURS)
    text = f"{show(result.median(OURS), unit)} ({show(low, unit)}–{show(high, unit)})"
    ratio = result.ratio(OURS)
    return f"{text} = {ratio:.2f} ×" if ratio is not None else text


def contestant(result, who):
    ratio = result.ratio(who)
    text = show(result.median(who), result.row.unit)
    return f"{who} {text} = {ratio:.2f} ×" if ratio is not None else f"{who} {text}"


def peers(result):
    names = [who for who in result.samples if who not in (OURS, FLOOR)]
    return ", ".join(contestant(result, who) for who in names)


def floor(result):
    if FLOOR not in result.samples:
        return ""
    return f"{result.row.floor}, {show(result.median(FLOOR), result.row.unit)}"


def targets(result):
    return "; ".join(target.text(result.row.unit) for target in result.row.targets)


def tell(result):
    """One row for the terminal."""
    print(f"{verdict(result):5} {result.row.key:22} {ours(result)}   target {targets(result) or '–'}")
    for who in result.samples:
        if who == OURS:
            continue
        low, high = (show(value, result.row.unit) for value in result.spread(who))
        print(f"{'':28} {contestant(result, who)} ({low}–{high})")
    for note in result.notes:
        print(textwrap.indent(note, " " * 28))


def write_json(path, results, where):
    rows = [
        {
            "key": result.row.key,
            "work": result.row.work,
            "unit": result.row.unit,
            "verdict": verdict(result),
            "targets": targets(result),
            "contestants": {
                who: {
                    "median": result.median(who),
                    "quartiles": result.spread(who),
                    "ratio": result.ratio(who),
                    "samples": len(samples),
                }
                for who, samples in result.samples.items()
            },
            "notes": result.notes,
        }
        for result in results
    ]
    with open(path, "w") as file:
        json.dump({"circumstances": where, "rows": rows}, file, indent=1, ensure_ascii=False)
        file.write("\n")


def markdown(results, where):
    kind = "a quick run" if where["quick"] else "a full run"
    kind += " at real-time priority" if where["realtime"] else ""
    lines = [
        f"{where['version']}, {where['bytes']:,} bytes; {kind} on {where['date']}, "
        f"{where['machine']}, Linux {where['kernel']}, load {where['load_before']} before it.",
        "",
        "| work | ContainerPilot: median (quartiles) | target | | the Go original | peers | floor (1.00 ×) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        cells = [
            result.row.work, ours(result), targets(result), verdict(result),
            result.row.original, peers(result), floor(result),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(results, where):
    """Puts the table in the place of the last one in the manual."""
    page = ROOT / "docs/performance.md"
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _last, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{markdown(results, where)}\n{END}{after}")
    say(f"bench: written to {page.relative_to(ROOT)}")
