"""A containerd with its CRI, an ordinary user's, below rootlesskit, or real root's; and the kubelet's side of it.

Runtime handlers: `rootless-oci` (the default) and `runc`. Its network is slirp4netns, the pods' CNI's ptp. Root's has mount, network and
pid namespaces of its own: nothing of it is left on the machine.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cri.grpc import CallError, Channel, read_table
from tests.harness.account import SYSTEM_PATH
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need, need_program
from tests.oci.bundles import installed

PAUSE = "localhost/pause:1"
CNI_PROGRAMS = Path("/usr/lib/cni")
_SERVICE = "runtime.v1.RuntimeService"
_CONFIG = """\
version = 2
root = "{data}/root"
state = "/run/containerd"
[grpc]
address = "{run}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_cgroup = {disable_cgroup}
restrict_oom_score_adj = true
{of_a_user}stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni}"
conf_dir = "{data}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
default_runtime_name = "rootless-oci"
{handlers}
"""
_OF_A_USER = """\
disable_apparmor = true
disable_hugetlb_controller = true
tolerate_missing_hugetlb_controller = true
"""
_ROOTS = """\
set -e
mount -t tmpfs none /run
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work none /var/lib
ip link set lo up
exec "$@"
"""
_HANDLER = """\
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
runtime_type = "io.containerd.runc.v2"
privileged_without_host_devices = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
BinaryName = "{program}"
Root = "/run/{name}"
SystemdCgroup = false
"""
_NETWORK = """\
{{"cniVersion": "0.4.0", "name": "pods", "plugins": [{{"type": "ptp", "ipMasq": false,
  "ipam": {{"type": "host-local", "dataDir": "{data}/addresses", "ranges": [[{{"subnet": "10.89.7.0/24"}}]],
            "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"""


class Containerd:
    """`data` is a directory on a disk, `run` one with a short path; both end with the daemon."""

    def __init__(self, data: Path, run: Path, runtimes: dict[str, str], *, disable_cgroup: bool = True) -> None:
        self.data, self.run = data, run
        self.root = os.geteuid() == 0
        self.snapshotter = "overlayfs" if self.root else "native"
        self.socket = run / "c.sock"
        (data / "cni").mkdir()
        (data / "cni/10-pods.conflist").write_text(_NETWORK.format(data=data))
        handlers = "".join(_HANDLER.format(name=name, program=program) for name, program in runtimes.items())
        text = _CONFIG.format(
            data=data, run=run, pause=PAUSE, cni=CNI_PROGRAMS, handlers=handlers,
            disable_cgroup=str(disable_cgroup).lower(), snapshotter=self.snapshotter, of_a_user="" if self.root else _OF_A_USER,
        )  # fmt: skip
        (data / "config.toml").write_text(text)
        self.environment = {
            "HOME": str(Path.home()),
            "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
            "XDG_RUNTIME_DIR": str(run),
        }
        if self.root:
            apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _ROOTS, "sh"]
        else:
            apart = ["rootlesskit", "--net=slirp4netns", "--disable-host-loopback", "--copy-up=/etc", "--copy-up=/run",
                     "--copy-up=/var/lib", "--pidns", "--reaper=true", f"--state-dir={run}/rk"]  # fmt: skip
        with (data / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [*apart, "containerd", "-c", f"{data}/config.toml"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        table = read_table(Path(__file__).with_name("cri.proto"))
        deadline = time.monotonic() + 100
        while True:
            try:
                self._channel = Channel(self.socket, table)
                self.call("Status", "Empty", "StatusResponse")
                return
            except (OSError, CallError):
                if self._daemon.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise AssertionError(f"containerd does not answer:\n{self.log()}") from None
                time.sleep(0.1)

    def log(self) -> str:
        return (self.data / "log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        self._daemon.terminate()
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()  # rootlesskit's pid namespace takes all that is in it along
            self._daemon.wait()

    def call(self, method: str, request: str, response: str, **fields: Any) -> dict[str, Any]:
        """A call of the CRI's runtime service."""
        return self._channel.call(f"{_SERVICE}/{method}", request, response, fields)

    def inside(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command in the daemon's namespaces, as their root."""
        return subprocess.run(
            [*self.enter(), *argv], env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def enter(self) -> list[str]:
        """What goes before a command that is to run there."""
        if self.root:
            child = Path(f"/proc/{self._daemon.pid}/task/{self._daemon.pid}/children").read_text().strip()
            return ["nsenter", "-m", "-n", "-p", "-t", child]
        child = (self.run / "rk/child_pid").read_text()
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-n", "-p", "-t", child]

    def import_image(self, archive: Path) -> None:
        """An archive of `rootless save`."""
        words = ("images", "import", "--snapshotter", self.snapshotter, str(archive))
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
def started(*archives: Path, disable_cgroup: bool = True) -> Iterator[Containerd]:
    """A daemon with the images of archives."""
    for program in ("containerd", "ctr", "socat", *(() if os.geteuid() == 0 else ("rootlesskit", "slirp4netns"))):
        need_program(program)
    need((CNI_PROGRAMS / "ptp").exists(), "containernetworking-plugins is not installed")
    data = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/var/tmp"))
    run = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/tmp"))
    runtimes = {"rootless-oci": str(installed(data)), "runc": need_program("runc")}
    try:
        with contextlib.closing(Containerd(data, run, runtimes, disable_cgroup=disable_cgroup)) as daemon:
            for archive in archives:
                daemon.import_image(archive)
            yield daemon
    finally:
        remove_tree(data)
        remove_tree(run)
