"""Reading a large configuration."""

from measures import FLOOR, OURS, Row, at_most, at_most_times, measures
from workshop import interleave, one_cpu

TEMPLATE = Row(
    "template", "`-template` of 1,000 jobs (300 KB) ¹", "ns", (at_most_times(6),), "12.4 ×",
    "`busybox cat`",
)  # fmt: skip
# A quarter of the Go original's 59 ms.
LOAD = Row(
    "load", "load of the same: exec → ping answered", "ns", (at_most(14.75e6),), "59 ms",
)  # fmt: skip
JOBS = 1000


def large(shop):
    """A file of 300 KB as they are: templates in it, and jobs that wait."""
    jobs = "".join(
        f"""    {{
      name: "job{number}",
      exec: ["/bin/server", "--listen", "{{{{ .PORT | default "8000" }}}}", "--data", "/srv/data/{number}"],
      when: {{ source: "SIGUSR2" }},
      timeout: "5m", // what it may take at most
      restarts: "never",
      {{{{ if .DEBUG }}}}logging: {{ raw: true }},{{{{ end }}}}
      health: {{ exec: "/bin/check {number}", interval: 5, ttl: 15, timeout: "2s" }},
    }},
"""
        for number in range(JOBS)
    )
    path = shop.directory / "large.json5"
    path.write_text(f'{{\n  control: {{ socket: "{shop.socket}" }},\n  jobs: [\n{jobs}  ],\n}}\n')
    return str(path)


@measures(TEMPLATE)
def template(shop):
    path = large(shop)
    commands = {
        FLOOR: [shop.peers.busybox(), "cat", path],
        OURS: [shop.binary, "-config", path, "-template"],
    }

    def turn(command):
        return lambda: [took for [took] in shop.numbers("once", 5, *command)]

    with one_cpu():
        contestants = {who: turn(command) for who, command in commands.items()}
        return {TEMPLATE.key: interleave(shop.times(20, 5), contestants)}


@measures(LOAD)
def load(shop):
    command = [shop.binary, "-config", large(shop)]
    found = shop.numbers("answered", shop.times(50, 10), shop.socket, *command)
    return {LOAD.key: {OURS: [took for [took] in found]}}
