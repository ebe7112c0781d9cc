"""Who divides a disk by weights: iocost or BFQ, where an administrator switched one of them on.

The files are there without them, take any number and mean nothing. iocost reads io.weight, BFQ
io.bfq.weight; Debian's kernels have both, both off.
"""

from __future__ import annotations

import os

from rootless.cgroup import subtrees
from rootless.cgroup.limits import Setting
from rootless.errors import NotSupported

IOCOST, BFQ = "io.weight", "io.bfq.weight"
_DISKS = "/sys/block"


def require(settings: list[Setting]) -> None:
    """NotSupported where `settings` has a weight of I/O that no disk of this machine would heed. What is
    asked for by the file's name (`unified`) is the kernel's to judge."""
    for setting in settings:
        if setting.file == IOCOST and ".unified[" not in setting.limit and not heeded():
            raise NotSupported(
                f"{setting.asked_as} cannot be enforced: no disk of this machine is shared by weights "
                "(its scheduler is not BFQ, and iocost is off)",
                hint="the administrator runs: modprobe bfq && echo bfq > /sys/block/DISK/queue/scheduler; "
                "a rate is held without: --device-read-bps, --device-write-bps",
            )


def heeded() -> frozenset[str]:
    """The files that some disk's scheduler goes by."""
    found = set()
    if _bfq():
        found.add(BFQ)
    try:
        with open(subtrees.mount_point() + "/io.cost.qos", encoding="ascii") as file:
            if "enable=1" in file.read().split():
                found.add(IOCOST)
    except OSError:
        pass  # in a container the hierarchy's root is not shown
    return frozenset(found)


def _bfq() -> bool:
    for disk in os.listdir(_DISKS):
        try:
            with open(f"{_DISKS}/{disk}/queue/scheduler", encoding="ascii") as file:
                if "[bfq]" in file.read():
                    return True
        except OSError:
            continue
    return False


def of_bfq(weight: int) -> int:
    """BFQ's 1..1000 of 1..10000: the ratio of two stays what it was."""
    return max(1, min(1000, weight // 10))


def of_systemd(weight: int) -> int:
    """The IOWeight for which systemd writes `of_bfq(weight)`: its own conversion keeps 1..100 and squeezes
    what is above (cgroup.c, BFQ_WEIGHT)."""
    wanted = of_bfq(weight)
    return wanted if wanted <= 100 else 100 + (wanted - 100) * 11
