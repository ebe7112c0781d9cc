"""A user's quota on a real file system, used up: what is said before a pull, and in the middle of it, and how there is room again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.writable_registry import WritableRegistry
from tests.need import need_program
from tests.vm.layers import PULL, Layers
from tests.vm.machine import Machine

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1200, func_only=True),
    pytest.mark.parametrize("vm", ["trixie+servers"], indirect=True),
]
DISK = "/mnt/quota"
MOUNT = f"cd /srv && tar -xf quota.tar && mkdir -p {DISK} && mount -o loop,usrquota quota.img {DISK}"
STORE = f"export ROOTLESS_ROOT={DISK}/store;"
FULL = f"the disk quota of your user on {DISK} (ext4) is used up: "


@pytest.fixture
def limit(vm: Machine, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """limit(kib=N, files=M): alice's hard limits on DISK, which has her store; 0 is none."""
    with (tmp_path / "quota.img").open("wb") as image:
        image.truncate(256 << 20)
    make = [need_program("mke2fs"), "-q", "-t", "ext4", "-O", "quota", "-E", "root_owner=1000:1000", "quota.img"]
    for argv in (make, ["tar", "-cSf", "quota.tar", "quota.img"]):  # most of it are holes
        subprocess.run(argv, cwd=tmp_path, check=True)
    vm.put(tmp_path / "quota.tar", "/srv/quota.tar", user="root")
    vm.run("root", MOUNT)

    def set_limit(*, kib: int = 0, files: int = 0) -> None:
        vm.run("root", f"setquota -u alice 0 {kib} 0 {files} {DISK}")

    yield set_limit
    set_limit()
    vm.run("alice", f"{STORE} rootless system reset -f")
    vm.run("root", f"umount {DISK} && rm /srv/quota.*")


@pytest.fixture
def layers() -> Iterator[Layers]:
    with WritableRegistry() as server:
        yield Layers(server)


def used(vm: Machine) -> tuple[int, int]:
    """KiB and files that are alice's on DISK."""
    fields = vm.run("root", f"sync; repquota -u --raw-grace {DISK} | grep ^alice").stdout.split()
    return int(fields[2]), int(fields[6])


def test_a_full_quota(vm: Machine, limit: Callable[..., None], layers: Layers) -> None:
    large, other, many = layers.add("large", noise=6 << 20), layers.add("other", noise=3 << 20), layers.add("many", noise=1, files=300)
    limit(kib=4000)
    refused = vm.run("alice", f"{STORE} {PULL} {large}", check=False)
    assert refused.returncode == 1
    assert f"there is no room for {large}:latest: its layers are " in refused.stderr
    assert f" compressed, and of the quota of your user on {DISK} (ext4), 4.1MB, 4." in refused.stderr
    assert layers.downloads("large") == 0

    # Compressed it fits and unpacked it does not, which is a warning; then it is so.
    limit(kib=20_000)
    vm.run("alice", f"{STORE} {PULL} {other} && rootless run --rm --network none {other} true")
    before = used(vm)
    refused = vm.run("alice", f"{STORE} {PULL.replace(' -q', '')} {large}", check=False)
    assert refused.returncode == 1
    assert f"{large}:latest may not fit: unpacked it is about " in refused.stderr
    assert FULL in refused.stderr
    assert " of 20.5MB" in refused.stderr
    assert "rootless image prune -a" in refused.stderr
    listed = "rootless images -q | wc -l; ls $ROOTLESS_ROOT/layers | wc -l"
    assert vm.run("alice", f"{STORE} {listed}").stdout.split() == ["1", "1"]
    assert used(vm)[1] < before[1] + 20, "what was unpacked is gone"

    # To the last byte: what is there runs, what makes room works, and then there is room.
    filled = vm.run("alice", f"head -c 32M /dev/zero >{DISK}/filled", check=False)
    assert "quota exceeded" in filled.stderr.lower()
    refused = vm.run("alice", f"{STORE} rootless load -q -i /srv/busybox.tar", check=False)
    assert refused.returncode == 1
    assert FULL in refused.stderr or f"on {DISK} (ext4), 20.5MB, " in refused.stderr
    vm.run("alice", f"{STORE} rootless image prune -a -f; rootless system prune -f; rm {DISK}/filled")
    assert vm.run("alice", f"{STORE} rootless images -q").stdout == ""
    vm.run("alice", f"{STORE} {PULL} {large} && rootless run --rm --network none {large} true")

    # As many files as it may have.
    limit(kib=200_000, files=used(vm)[1] + 40)
    refused = vm.run("alice", f"{STORE} {PULL} {many}", check=False)
    assert refused.returncode == 1
    assert FULL in refused.stderr
    assert " files" in refused.stderr.partition(FULL)[2]
    limit(kib=200_000, files=used(vm)[1])
    refused = vm.run("alice", f"{STORE} {PULL} {many}", check=False)
    assert refused.returncode == 1
    assert f"of the quota of your user on {DISK} (ext4), " in refused.stderr or FULL in refused.stderr
    limit(kib=200_000)
    vm.run("alice", f"{STORE} {PULL} {many} && rootless run --rm --network none {many} sh -c 'ls /many | wc -l | grep -x 300'")
