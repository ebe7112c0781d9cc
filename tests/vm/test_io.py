"""Limits on a disk: measured with direct I/O on the machine's second disk, and what cannot be held is said."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from tests.vm.machine import Machine

DISK = "/dev/vdb"
PLACE = "/mnt/second"
MIB = 1 << 20


@pytest.fixture(scope="module")
def disk(vm: Machine) -> Iterator[str]:
    """The MAJ:MIN of a disk that nothing else uses, mounted and alice's."""
    vm.run("root", f"mkdir -p {PLACE}; mount {DISK} {PLACE}; chown alice {PLACE}")
    vm.run("alice", f"dd if=/dev/zero of={PLACE}/data bs=1M count=64 oflag=direct status=none")
    yield vm.run("root", f"lsblk -dno MAJ:MIN {DISK}").stdout.strip()
    vm.run("root", f"umount {PLACE}")


@pytest.fixture(autouse=True)
def _clean(vm: Machine) -> Iterator[None]:
    yield
    vm.run("alice", 'ids=$(ls ~/.local/share/rootless/containers); [ -z "$ids" ] || rootless rm -f $ids', check=False)


def limited(vm: Machine, name: str, *options: str) -> str:
    """Start a container with the disk's file system at /disk; its cgroup."""
    words = " ".join(options)
    command = f"rootless run -d --name {name} {words} -v {PLACE}:/disk busybox sleep 1000 >/dev/null"
    return vm.run("alice", f"{command} && rootless inspect -f '{{{{.HostConfig.Cgroup}}}}' {name}").stdout.strip()


def seconds(vm: Machine, name: str, *jobs: str) -> list[float]:
    """What each `dd` took, in the container."""
    script = "cat /proc/uptime; " + "".join(f"dd {job} 2>/dev/null; cat /proc/uptime; " for job in jobs)
    clock = [float(line.split()[0]) for line in vm.run("alice", f"rootless exec {name} sh -c '{script}'").stdout.splitlines()]
    return [after - before for before, after in itertools.pairwise(clock)]


def limits(vm: Machine, cgroup: str) -> list[str]:
    return vm.run("alice", f"cat {cgroup}/io.max").stdout.split()


def test_bytes_a_second(vm: Machine, disk: str) -> None:
    cgroup = limited(vm, "bytes", f"--device-read-bps {DISK}:4mb", f"--device-write-bps {DISK}:2mb")
    assert limits(vm, cgroup) == [disk, f"rbps={4 * MIB}", f"wbps={2 * MIB}", "riops=max", "wiops=max"]
    read_s, write_s = seconds(
        vm, "bytes",
        "if=/disk/data of=/dev/null bs=256k count=40 iflag=direct",  # 10 MiB
        "if=/dev/zero of=/disk/written bs=256k count=20 oflag=direct",  # 5 MiB
    )  # fmt: skip
    assert read_s >= 10 / 4 * 0.8  # not before; a machine that is busy takes longer
    assert write_s >= 5 / 2 * 0.8
    figures = json.loads(vm.run("alice", "rootless stats --no-stream --format json bytes").stdout)
    read, _, written = figures["BlockIO"].partition(" / ")
    assert megabytes(read) == pytest.approx(10 * MIB / 1e6, rel=0.2), figures
    assert megabytes(written) == pytest.approx(5 * MIB / 1e6, rel=0.2), figures


def megabytes(word: str) -> float:
    assert word.endswith("MB"), word
    return float(word.removesuffix("MB"))


def test_operations_a_second(vm: Machine, disk: str) -> None:
    cgroup = limited(vm, "operations", f"--device-read-iops {DISK}:40", f"--device-write-iops {DISK}:20")
    assert limits(vm, cgroup)[3:] == ["riops=40", "wiops=20"]
    read_s, write_s = seconds(
        vm, "operations",
        "if=/disk/data of=/dev/null bs=4k count=100 iflag=direct",
        "if=/dev/zero of=/disk/data bs=4k count=50 oflag=direct conv=notrunc",
    )  # fmt: skip
    assert read_s >= 100 / 40 * 0.8
    assert write_s >= 50 / 20 * 0.8


def test_without_a_limit(vm: Machine, disk: str) -> None:
    """What is above is the limits' doing."""
    assert limits(vm, limited(vm, "free")) == []


def test_weights_that_no_disk_heeds(vm: Machine, disk: str) -> None:
    """Debian's schedulers know no weights, and the file io.weight takes any number all the same."""
    assert "bfq]" not in vm.run("root", "cat /sys/block/vd?/queue/scheduler").stdout
    done = vm.run("alice", "rootless run --rm --blkio-weight 300 busybox true", check=False)
    assert done.returncode == 125
    assert "--blkio-weight cannot be enforced: no disk of this machine is shared by weights" in done.stderr
    assert "echo bfq >" in done.stderr


def test_weights_of_bfq(vm: Machine, disk: str) -> None:
    """As the error says; then 800 gets more than 200, though systemd has each container in a scope of its own."""
    vm.run("root", "modprobe bfq; echo bfq >/sys/block/vdb/queue/scheduler")
    try:
        busy = "sh -c 'while :; do dd if=/disk/data of=/dev/null bs=64k iflag=direct 2>/dev/null; done'"
        told = vm.run(
            "alice",
            f"""
            for each in small:200 large:800; do
                rootless run -d --name ${{each%:*}} --blkio-weight ${{each#*:}} -v {PLACE}:/disk busybox {busy} >/dev/null
                group=$(rootless inspect -f '{{{{.HostConfig.Cgroup}}}}' ${{each%:*}})
                cat $group/io.bfq.weight $group/../io.bfq.weight
                stat="$stat $group/io.stat"
            done
            sleep 2; cat $stat; sleep 8; cat $stat
            """,
        ).stdout
    finally:
        vm.run("root", "echo none >/sys/block/vdb/queue/scheduler")
    weights = [int(each) for each in re.findall(r"default (\d+)", told)]
    assert weights[0] == weights[1]
    assert weights[2] == weights[3]
    assert weights[2] / weights[0] == pytest.approx(4, rel=0.06)  # shares are converted as crun converts them
    small, large, small_after, large_after = (int(each) for each in re.findall(rf"{disk} rbytes=(\d+)", told))
    assert large_after - large > small_after - small
