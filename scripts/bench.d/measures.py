"""What is measured and how good it has to be: rows, samples, verdicts."""

import re
import statistics
from dataclasses import dataclass, field

OURS = "containerpilot"
FLOOR = "floor"


@dataclass(frozen=True)
class Target:
    """A limit for the median of ours: of its ratio to the floor, or of itself."""

    limit: float
    of_ratio: bool = True
    at_least: bool = False

    def is_met(self, value):
        return value >= self.limit if self.at_least else value <= self.limit

    def text(self, unit):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g} ×" if self.of_ratio else f"{sign} {show(self.limit, unit)}"


def at_most_times(limit):
    return Target(limit)


def at_least_times(limit):
    return Target(limit, at_least=True)


def at_most(limit):
    return Target(limit, of_ratio=False)


def at_least(limit):
    return Target(limit, of_ratio=False, at_least=True)


@dataclass(frozen=True)
class Row:
    """One line of the table: a piece of work and the targets for it."""

    key: str
    work: str
    unit: str
    targets: tuple = ()
    # What is known of the Go original, which cannot be measured here.
    original: str = ""
    # What the floor is.
    floor: str = ""


@dataclass
class Result:
    """What was measured of a row: samples in the row's unit by contestant."""

    row: Row
    samples: dict
    notes: list = field(default_factory=list)

    def median(self, who):
        return statistics.median(self.samples[who])

    def spread(self, who):
        """The quartiles; of fewer than four samples, the extremes."""
        samples = sorted(self.samples[who])
        if len(samples) < 4:
            return samples[0], samples[-1]
        quartiles = statistics.quantiles(samples, n=4, method="inclusive")
        return quartiles[0], quartiles[2]

    def ratio(self, who):
        floor = self.median(FLOOR) if self.samples.get(FLOOR) else 0
        return self.median(who) / floor if floor else None

    def verdicts(self):
        """Each target, what it is held against, and whether it is met."""
        found = []
        for target in self.row.targets:
            value = self.ratio(OURS) if target.of_ratio else self.median(OURS)
            if value is not None:
                found.append((target, value, target.is_met(value)))
        return found


SUBJECTS = []


def measures(*rows):
    """Marks a function that measures `rows`: it is given the workshop and
    returns {key: {contestant: samples}}."""

    def mark(function):
        SUBJECTS.append((rows, function))
        return function

    return mark


def chosen(pattern):
    """The subjects with a row that the pattern names, each with those rows."""
    for rows, function in SUBJECTS:
        wanted = [row for row in rows if re.search(pattern, row.key)]
        if wanted:
            yield wanted, function


def show(value, unit):
    """A value with its unit, short: three digits count."""
    if unit == "ns":
        for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
            if abs(value) >= size:
                return f"{digits(value / size)} {name}"
        return f"{value:.0f} ns"
    if unit == "KiB":
        return f"{digits(value / 1024)} MiB" if abs(value) >= 100 else f"{digits(value)} KiB"
    return f"{digits(value)} {unit}".strip()


def digits(value):
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
