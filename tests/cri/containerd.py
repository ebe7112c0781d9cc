"""A containerd with its CRI: an ordinary user's, below rootlesskit, or real root's; and the kubelet's side of it.

Runtime handlers: `rootless-oci` (the default) and, where it is installed, `runc`. A user's network is slirp4netns, the pods' CNI's ptp.
Root's is the machine's own: only on one that is thrown away (tests/vm).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.message_factory import GetMessageClass

from tests.cri.config import CNI_PROGRAMS, PAUSE, Config, network
from tests.harness.account import SYSTEM_PATH
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.trees import remove_tree
from tests.need import need, need_program
from tests.oci.bundles import installed

MESSAGES, SERVICES = grpc.protos_and_services("tests/cri/cri.proto")  # compiled when it is imported
CALL_S = 90
# The links that --copy-up makes to what root's containerd has, if there is one.
APART = "rm -f /run/containerd /run/netns /run/nri /run/rootless-oci /run/runc /var/lib/cni;"
# A daemon that was killed is started again: rootlesskit would end with it, and its pid namespace with all pods.
AGAIN = 'while "$0" "$@"; [ $? = 137 ]; do :; done'
# Again at once, while the daemon starts.
_OPTIONS = [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "min", "max")]


class Way(NamedTuple):
    """How a daemon is started."""

    limits: bool = False  # whether it asks for any: containerd 1 may be told not to, 2 always does
    systemd_cgroup: bool = False  # scopes: systemd takes no numbers of processes from another pid namespace
    cgroupns: bool = False  # what is delegated to us becomes a user's daemon's whole hierarchy
    programs: str = ""  # a directory that has another containerd than Debian's of this release

    def cgroup_parent(self, pod: str) -> str:
        """The cgroup of a pod, as a kubelet names it."""
        return f"kubepods-pod{pod}.slice" if self.systemd_cgroup else f"/kubepods/pod{pod}"

    def rootlesskit(self) -> list[str]:
        """Its options that depend on this."""
        pids = [] if self.systemd_cgroup else ["--pidns", "--reaper=true"]
        return [*pids, "--cgroupns", "--evacuate-cgroup2=rootlesskit"] if self.cgroupns else pids


class Containerd:
    """`data` is a directory on a disk, `run` one with a short path; both end with the daemon."""

    def __init__(self, data: Path, run: Path, runtimes: dict[str, str], way: Way) -> None:
        self.data, self.run, self.way = data, run, way
        self.root = os.geteuid() == 0
        self._own_pids = "--pidns" in way.rootlesskit()
        self.snapshotter = "overlayfs" if self.root else "native"
        self.socket = run / "c.sock"
        (data / "cni").mkdir()
        self.environment = {
            "HOME": str(Path.home()),
            "PATH": f"{way.programs}:{os.path.dirname(sys.executable)}:{SYSTEM_PATH}".lstrip(":"),
            "XDG_RUNTIME_DIR": str(run),
        }
        ports = shutil.which("iptables", path=self.environment["PATH"]) is not None
        (data / "cni/10-pods.conflist").write_text(network(data, ports=ports))
        self.version = self._version()
        config = Config(
            version=2 if self.version < 2 else 3, data=data, socket=self.socket, snapshotter=self.snapshotter, handlers=runtimes,
            user=not self.root, limits=way.limits, systemd_cgroup=way.systemd_cgroup,
        )  # fmt: skip
        (data / "config.toml").write_text(config.text())
        apart = [] if self.root else [
            "rootlesskit", "--net=slirp4netns", "--disable-host-loopback", "--copy-up=/etc", "--copy-up=/run", "--copy-up=/var/lib",
            *way.rootlesskit(), f"--state-dir={run}/rk", "sh", "-c",
            f"{APART} {AGAIN}" if self._own_pids else f'{APART} exec "$0" "$@"',
        ]  # fmt: skip
        with (data / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [*apart, "containerd", "-c", f"{data}/config.toml"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._channel = grpc.insecure_channel(f"unix:{self.socket}", options=_OPTIONS)
        self._stub = SERVICES.RuntimeServiceStub(self._channel)
        deadline = time.monotonic() + 100
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise AssertionError(f"containerd does not answer:\n{self.log()}")
            time.sleep(0.1)

    def _version(self) -> int:
        path = shutil.which("containerd", path=self.environment["PATH"])
        assert path is not None
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout  # containerd PLACE VERSION REVISION
        return int(told.split()[2].lstrip("v").partition(".")[0])

    def log(self) -> str:
        return (self.data / "log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        self._channel.close()
        self._daemon.terminate()
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()  # rootlesskit's pid namespace takes all that is in it along
            self._daemon.wait()

    def restart(self) -> None:
        """Kill the daemon, with SIGKILL, and wait for the next one: of an ordinary user's, in a pid namespace of its own."""
        pid = self.inside("pidof", "containerd").stdout.strip()
        assert self.inside("kill", "-9", pid).returncode == 0
        wait_until(lambda: self.inside("pidof", "containerd").stdout.strip() not in ("", pid), "there is another daemon")
        wait_until(self._answers, "it answers")

    def _answers(self) -> bool:
        try:
            self.call("Status")
        except grpc.RpcError:
            return False
        return True

    def call(self, method: str, **fields: Any) -> Any:
        """A call of the CRI's runtime service; grpc.RpcError where it is refused."""
        asked = MESSAGES.DESCRIPTOR.services_by_name["RuntimeService"].methods_by_name[method].input_type
        return getattr(self._stub, method)(GetMessageClass(asked)(**fields), timeout=CALL_S)

    def inside(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command in the daemon's namespaces, as their root."""
        return subprocess.run(
            [*self.enter(), *argv], env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def enter(self) -> list[str]:
        """What goes before a command that is to run there."""
        if self.root:
            return []
        pids = ["-p"] if self._own_pids else []
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-n", *pids, "-t", (self.run / "rk/child_pid").read_text()]

    def import_image(self, archive: Path) -> None:
        """An archive of `rootless save`."""
        words = ("images", "import", *(["--local"] if self.version > 1 else []), "--snapshotter", self.snapshotter, str(archive))
        done = self.inside("ctr", "-a", str(self.socket), "-n", "k8s.io", *words)
        assert done.returncode == 0, done.stderr


def save_images(rootless: Rootless, archive: Path) -> Path:
    """`archive`, with busybox:latest of the store and PAUSE, which is made of it."""
    rootless("create", "--name", "pausing", "busybox:latest", "true")
    rootless("commit", "--change", 'CMD ["sleep", "2147483647"]', "pausing", PAUSE)
    rootless("rm", "pausing")
    rootless("save", "-o", archive, "busybox:latest", PAUSE)
    return archive


@contextlib.contextmanager
def started(*archives: Path, way: Way = Way()) -> Iterator[Containerd]:  # noqa: B008 (it cannot be changed)
    """A daemon with the images of archives."""
    for program in ("containerd", "ctr", "socat", *(() if os.geteuid() == 0 else ("rootlesskit", "slirp4netns"))):
        need_program(program)
    need(Path(CNI_PROGRAMS, "ptp").exists(), "containernetworking-plugins is not installed")
    data = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/var/tmp"))
    run = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/tmp"))
    runtimes = {"rootless-oci": str(installed(data)), "runc": need_program("runc")}
    try:
        with contextlib.closing(Containerd(data, run, runtimes, way)) as daemon:
            for archive in archives:
                daemon.import_image(archive)
            yield daemon
    finally:
        remove_tree(data)
        remove_tree(run)
