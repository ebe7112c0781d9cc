"""A host of the test's own: the command runs as root of a user namespace, whose network and /etc the test may change.

    internet --veth-- wan0 of the host           both IPv4 and IPv6; the internet is a network namespace, too

Containers there have the store that tests share: ids inside are those that the session would map.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.harness import processes
from tests.harness.account import ALL_IDS
from tests.harness.command import Rootless
from tests.need import need

HOST = ("203.0.113.2", "2001:db8:7::2")
INTERNET = ("203.0.113.1", "2001:db8:7::1")
FAR = ("9.8.7.6", "2a00:1234::5")  # behind the internet's router, as most of it is
VISITORS = ("198.18.0.77", "2a00:1234::77")

_HOST = """\
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work,userxattr" none /etc
rm -f /etc/resolv.conf
echo "nameserver 203.0.113.1" >/etc/resolv.conf
ip link set lo up
echo ready
exec cat
"""
_LINK = """\
link add wan0 type veth peer name eth0 netns {pid}
addr add 203.0.113.2/24 dev wan0
addr add 2001:db8:7::2/64 dev wan0 nodad
link set wan0 up
route add default via 203.0.113.1
route add ::/0 via 2001:db8:7::1
"""
_INTERNET = """\
link set lo up
addr add 203.0.113.1/24 dev eth0
addr add 2001:db8:7::1/64 dev eth0 nodad
addr add 9.8.7.6/32 dev eth0
addr add 198.18.0.77/32 dev eth0
addr add 2a00:1234::5/128 dev eth0 nodad
addr add 2a00:1234::77/128 dev eth0 nodad
link set eth0 up
"""


class OwnHost:
    """`enter` are the words before a command that runs on the host, `outside` those for one on the internet, whose
    namespace the process `internet` keeps."""

    def __init__(self, directory: Path) -> None:
        all_ids = [*ALL_IDS, "--net", "--mount", "sh", "-euc", _HOST, "sh"]
        self._processes = [self._waiting([*all_ids, str(directory)])]
        at = ["nsenter", "--preserve-credentials", "-t", str(self._processes[0].pid), "--user", "--mount"]
        self.enter = [*at, "--net"]
        self._processes.append(self._waiting([*at, "unshare", "--net", "sh", "-c", "echo ready; exec cat"]))
        self.internet = self._processes[1].pid
        self.outside = [*at, f"--net=/proc/{self.internet}/ns/net"]
        self.batch(_LINK.format(pid=self.internet))
        self.batch(_INTERNET, where=self.outside)

    def _waiting(self, argv: list[str]) -> subprocess.Popen[str]:
        """One that says "ready" and lives as long as its stdin is open."""
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stderr is not None
        need(process.stdout.readline() == "ready\n", f"no host of one's own here: {process.stderr.read() if process.poll() else ''}")
        return process

    def batch(self, lines: str, *, where: list[str] | None = None) -> None:
        """Commands of ip(8), one a line."""
        ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "ip"
        done = subprocess.run([*(where or self.enter), ip, "-batch", "-"], input=lines, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *argv: str, where: list[str] | None = None, stdin: str | None = None) -> str:
        """What a command on the host prints, or one elsewhere."""
        done = subprocess.run(
            [*(where or self.enter), *argv], input=stdin, text=True, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """A file of the host, put in the old one's place by a rename as NetworkManager does."""
        self.run("sh", "-c", 'cat >"$1.new" && mv "$1.new" "$1"', "sh", path, stdin=text)

    def serve(self, *argv: str, where: list[str] | None = None) -> subprocess.Popen[str]:
        """A command on the internet, or elsewhere, that says "ready" when it serves; until the end."""
        process = self._waiting([*(where or self.outside), *argv])
        self._processes.append(process)
        return process

    def internet_servers(self, directory: str | Path = "/nonexistent") -> None:
        """tests/harness/internet_servers.py."""
        path = f"PYTHONPATH={Path(__file__).parents[2]}"
        self.serve("env", path, sys.executable, "-m", "tests.harness.internet_servers", str(directory))

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@contextlib.contextmanager
def own_host(rootless: Rootless) -> Iterator[OwnHost]:
    """While it is there, `rootless` is the command on it, in a session of its own."""
    temporary = tempfile.TemporaryDirectory
    with temporary(prefix="rl-host-", dir="/tmp") as etc, temporary(prefix="rl-", dir="/tmp") as runtime:
        host = OwnHost(Path(etc))
        argv, rootless.argv = rootless.argv, [*host.enter, *rootless.argv]
        before, rootless.runtime = rootless.runtime, Path(runtime)
        try:
            yield host
        finally:
            for name in rootless("ps", "-aq", status=None).lines:
                rootless("rm", "-f", name, status=None)
            rootless("network", "prune", "-f", status=None)
            rootless.close()
            # It would wait for five seconds for another container; the host goes now.
            for process in processes.descendants().values():
                if process.command.startswith("rootless: networks"):
                    processes.end(process)
            rootless.argv, rootless.runtime = argv, before
            host.close()
