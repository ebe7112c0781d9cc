"""NVIDIA's processors in a container, on a host made up with a driver: found without a specification, their libraries where the image's
own loader finds them. No processor computes here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import graphics
from tests.harness.command import Rootless
from tests.harness.graphics import DRIVER
from tests.harness.own_host import OwnHost, own_host

_NODES = "null zero random urandom tty ptmx full fuse net/tun"
# The files of a made-up machine become the host's: its devices are the kernel's null.
_HOST = f"""\
mount -t tmpfs none /proc/driver
cp -r "$1/proc/driver/." /proc/driver/
mkdir -p "$1/newdev"
mount -t tmpfs none "$1/newdev"
cd "$1/newdev"
mkdir net pts shm dri
for node in {_NODES}; do touch "$node"; mount --bind "/dev/$node" "$node"; done
mount --bind /dev/pts pts
mount --bind /dev/shm shm
for node in nvidiactl nvidia0 nvidia1 nvidia-uvm nvidia-uvm-tools; do touch "$node"; mount --bind /dev/null "$node"; done
cd /
mount -n --move "$1/newdev" /dev
/sbin/ldconfig -X -C /etc/ld.so.cache -f /dev/null "$1/drivers"
"""
_PROGRAM = """\
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char **names)
{
	for (int i = 1; i < n; i++) {
		void *library = dlopen(names[i], RTLD_NOW);
		int (*init)(unsigned) = library ? (int (*)(unsigned))dlsym(library, "cuInit") : 0;
		int answer = init ? init(0) : -1;
		printf("%s %d%s\\n", names[i], answer, init ? "" : " missing");
	}
}
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up machine's files, and `load`, which loads libraries by their names."""
    root = tmp_path_factory.mktemp("machine")
    graphics.nvidia(root)
    graphics.libraries(root / "drivers")
    graphics.write(root / "load.c", _PROGRAM)
    subprocess.run(["gcc", "-o", root / "load", root / "load.c"], check=True)
    return root


@pytest.fixture
def host(rootless: Rootless, machine: Path) -> Iterator[OwnHost]:
    with own_host(rootless) as host:
        host.run("sh", "-euc", _HOST, "sh", str(machine))
        yield host


def test_a_driver_is_found_and_its_libraries_are_loaded(
    host: OwnHost, rootless: Rootless, debian_image: str, busybox_image: str, machine: Path
) -> None:
    # The kernel gives no /proc of its own where something is mounted over parts of the one that there is.
    run = ("run", "--rm", "--network", "none", "--pid", "host", "-v", f"{machine}/load:/load:ro")
    names = ("libcuda.so.1", "libcuda.so", "libnvidia-ml.so.1", "libGL.so.1")
    script = "env -i /load " + " ".join(names) + '; ls /dev | grep nvidia; test -c /dev/nvidia1 && echo "$NVIDIA_VISIBLE_DEVICES"'
    lines = rootless(*run, "--gpus", "device=0", debian_image, "sh", "-c", script).lines
    # Each library says which file it is.
    assert lines == [
        f"libcuda.so.{DRIVER}", "libcuda.so.1 42",
        f"libcuda.so.{DRIVER}", "libcuda.so 42",
        f"libnvidia-ml.so.{DRIVER}", "libnvidia-ml.so.1 42",
        "libGL.so.1 -1 missing",
        "nvidia-uvm", "nvidia-uvm-tools", "nvidia1", "nvidiactl", "void",
    ], lines  # fmt: skip

    rootless("run", "--name", "box", *run[2:], "--gpus", "all", debian_image, "touch", "/made")
    assert rootless("diff", "box").lines == ["A /made"], "places of mounts are no changes"
    rootless("rm", "box")
    both = rootless(*run, "--gpus", "all", debian_image, "sh", "-c", "ls /dev | grep -c 'nvidia[0-9]'").stdout
    assert both == "2\n"
    in_a_job = rootless(*run, "--gpus", "all", debian_image, "sh", "-c", "ls /dev | grep 'nvidia[0-9]'", env={"CUDA_VISIBLE_DEVICES": "1"})
    assert in_a_job.lines == ["nvidia0"]
    # A libc of another kind cannot load them.
    done = rootless(*run, "--gpus", "1", busybox_image, "find", "/", "-xdev", "-name", "libcuda*")
    assert "no glibc" in done.stderr
    assert done.stdout == ""

    found = " ".join(rootless("doctor", "-v", status=None).stdout.split())  # its lines are as long as the terminal is wide
    assert f"nvidia.com/gpu=1: nvidiactl, nvidia-uvm, nvidia-uvm-tools, nvidia0; by NVIDIA's driver {DRIVER}" in found, found
    host.run("umount", "/dev/nvidia-uvm")
    host.run("rm", "/dev/nvidia-uvm")
    assert "nvidia-modprobe -u -c=0" in rootless(*run, "--gpus", "1", debian_image, "true", status=125).stderr
    assert "nvidia-modprobe -u -c=0" in rootless("doctor", "-v", status=None).stdout


def test_groups_are_kept_where_a_device_wants_them(host: OwnHost) -> None:
    """A node that its group may open, a user who is in the group."""
    node = "/dev/node-of-a-group"
    host.run("touch", node)
    code = "import sys; from rootless.engine.lifecycle.device_groups import by_groups; print(by_groups(sys.argv[1:]))"
    cases = (("0:6", "660", "6", True), ("0:6", "660", "5", False), ("0:6", "666", "6", False), ("7:6", "660", "6", False))
    for owner, mode, groups, wanted in cases:
        host.run("sh", "-euc", 'chown "$1" "$3"; chmod "$2" "$3"', "sh", owner, mode, node)
        said = host.run("setpriv", "--reuid", "7", "--regid", "7", "--groups", groups, sys.executable, "-c", code, node)
        assert said == f"{wanted}\n", (owner, mode, groups)
