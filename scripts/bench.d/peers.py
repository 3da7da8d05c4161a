"""The peers: other supervisors, from Debian's packages, unpacked and not
installed. One that is missing is told loudly and left out."""

import os
import pathlib
import shutil
import subprocess

from workshop import ROOT, say

# The suite whose C library is that of the machine, mostly: what is measured is
# the program, not a translation of it.
PACKAGES = [
    "s6", "execline", "libs6-2.11", "libskarnet2.13", "libexecline2.9", "runit", "tini",
    "dumb-init", "catatonit", "busybox-static", "daemontools", "supervisor",
    "python3-pkg-resources",
]  # fmt: skip
SUITE = "bookworm"

PROGRAMS = {
    "busybox": "bin/busybox",
    "tini": "usr/bin/tini",
    "tini-static": "usr/bin/tini-static",
    "dumb-init": "usr/bin/dumb-init",
    "catatonit": "usr/bin/catatonit",
    "runsvdir": "usr/bin/runsvdir",
    "sv": "usr/bin/sv",
    "svlogd": "usr/bin/svlogd",
    "s6-svscan": "usr/bin/s6-svscan",
    "s6-svstat": "usr/bin/s6-svstat",
    "s6-log": "usr/bin/s6-log",
    "svstat": "usr/bin/svstat",
    "svscan": "usr/bin/svscan",
    "multilog": "usr/bin/multilog",
    "supervisord": "usr/bin/supervisord",
    # No suite of Debian has it: taken if somebody has put it in the PATH.
    "dinit": None,
}


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("CONTAINERPILOT_TEST_CACHE") or f"{base}/containerpilot-tests")


class Peers:
    """Where the peers are and how they are started."""

    def __init__(self, are_wanted):
        self.root = cache() / "peers"
        self.found = {}
        if are_wanted:
            self._find()

    def _find(self):
        self._unpack()
        if subprocess.run(self.inside(["true"]), capture_output=True).returncode:
            say("bench: MISSING: s6 cannot be run here, without root and overlays")
            PROGRAMS.pop("s6-svscan")
        for name, place in PROGRAMS.items():
            path = str(self.root / place) if place else shutil.which(name)
            # The system's own does as well where the packages cannot be had.
            path = path if path and os.access(path, os.X_OK) else shutil.which(name)
            if path and self._works(name, path):
                self.found[name] = path
            else:
                say(f"bench: MISSING: {name} cannot be had here; it is left out of all tables")

    def _unpack(self):
        listed = self.root / "packages"
        if listed.exists() and set(PACKAGES) <= {line.split()[0] for line in listed.open()}:
            return
        say(f"bench: unpacking peers to {self.root}")
        work = self.root.with_name("peers.new")
        shutil.rmtree(work, ignore_errors=True)
        command = [ROOT / "scripts/unpack-debian", SUITE, work, *PACKAGES]
        if subprocess.run(command, capture_output=True).returncode:
            say(f"bench: MISSING: Debian's packages cannot be had: {' '.join(PACKAGES)}")
            return
        shutil.rmtree(self.root, ignore_errors=True)
        work.rename(self.root)

    def _works(self, name, path):
        """Whether it can be executed here at all, its libraries included."""
        environment = self.environment() | {"PYTHONDONTWRITEBYTECODE": "1"}
        arguments = ["--version"] if name != "catatonit" else ["-V"]
        try:
            done = subprocess.run(
                [path, *arguments], env=environment, capture_output=True, timeout=10, text=True
            )
        except subprocess.TimeoutExpired:
            return True
        except OSError:
            return False
        return "error while loading shared libraries" not in done.stderr

    def environment(self):
        """The environment of those that need libraries or programs of theirs."""
        library = f"{self.root}/usr/lib/x86_64-linux-gnu:{self.root}/lib/x86_64-linux-gnu"
        return {
            **os.environ,
            "LD_LIBRARY_PATH": library,
            "PATH": f"{self.root}/usr/bin:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.root}/usr/lib/python3/dist-packages",
        }

    def inside(self, command):
        """The command where the unpacked programs seem to be installed, in a mount
        namespace of its own: s6 knows its programs by their full paths."""
        mount = 'mount -t overlay -o "lowerdir=$0/usr/bin:/usr/bin" overlay /usr/bin && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.root), *command]

    def have(self, *names):
        return all(name in self.found for name in names)

    def __getitem__(self, name):
        return self.found[name]

    def busybox(self):
        """Not a peer but a floor: needed, wherever it is from."""
        path = self.found.get("busybox") or shutil.which("busybox")
        if not path:
            raise RuntimeError("busybox is needed: scripts/install-test-tools installs it")
        return path


def services(directory, count, job, fifo, logger):
    """Directories of services, as runit, s6 and daemontools know them: each runs
    `job` and has a logger of its own, as each job of ours has its output read."""
    for number in range(count):
        service = directory / f"job{number}"
        (service / "log" / "main").mkdir(parents=True)
        (service / "fifo").symlink_to(fifo)
        script(service / "run", f"#!{job} here\n")
        script(service / "log" / "run", f"#!/bin/sh\nexec {logger}\n")


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def supervisord(peers, directory, count, job, fifo):
    """The command line of supervisord with `count` jobs, its server on a socket
    in the directory."""
    programs = "".join(
        f"[program:job{n}]\ncommand={job} stay {fifo}\nstartsecs=0\n"
        f"stdout_logfile={directory}/log{n}\nredirect_stderr=true\n"
        for n in range(count)
    )
    (directory / "conf").write_text(
        f"[unix_http_server]\nfile={directory}/socket\n"
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={directory}/pid\nchildlogdir={directory}\nminfds=4096\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        f"{programs}"
    )
    return ["/usr/bin/python3", peers["supervisord"], "-c", f"{directory}/conf"]
