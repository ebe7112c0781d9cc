"""What a test may not leave behind: processes, containers, mounts, runtime files, cgroups."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from rootless.network.hub.uplink import CIDR
from tests.harness import processes

# What stays between commands by design: our session's holder, and Podman's.
STAYING = ("rootless: session", "rootless-holder", "podman",
           "rootless: image", "rootless-imagefs", "squashfuse_ll")  # of an image file, for a minute
PATIENCE_S = 20.0


class Before(NamedTuple):
    """The state of the machine when a test starts."""

    processes: frozenset[tuple[int, int]]
    cgroups: frozenset[str]


def snapshot() -> Before:
    return Before(frozenset(processes.descendants()), _cgroups())


def find(before: Before, root: Path, runtime: Path, sockets: Path) -> list[str]:
    """One line for each thing left behind; what is ending gets a few seconds to end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        left = _processes(before) + _files(root, sockets) + _mounts(root, runtime) + _new_cgroups(before)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def sweep(before: Before) -> None:
    """End every process since `before`, the session's holder among them."""
    for key, process in sorted(processes.descendants().items()):
        if key not in before.processes and "podman" not in process.command:
            processes.end(process)


def _processes(before: Before) -> list[str]:
    return [
        f"process {process.pid} ({process.state}): {process.command}"
        for key, process in processes.descendants().items()
        if key not in before.processes and not is_holder(process) and not is_hubs(process)
    ]


def is_holder(process: processes.Process) -> bool:
    """Whether this holds a user's session open, which is meant to stay between commands."""
    return process.command.startswith(STAYING) or os.path.basename(process.command.partition(" ")[0]).startswith(STAYING)


def is_hubs(process: processes.Process) -> bool:
    """Whether this is the network helper or the hub's uplink, which end a few seconds after the last container
    (test_hub_robustness.py)."""
    return process.command.startswith("rootless: networks") or f" --cidr={CIDR} " in process.command


def _files(root: Path, sockets: Path) -> list[str]:
    left = []
    for directory in (root / "containers", root / "pods", root / "names", sockets / "c"):
        if directory.is_dir():
            left += [f"file {entry}" for entry in directory.iterdir()]
    return left


def _mounts(root: Path, runtime: Path) -> list[str]:
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [f"mount {target}" for target in targets if target.startswith((f"{root}/", f"{runtime}/"))]


def _new_cgroups(before: Before) -> list[str]:
    return [f"cgroup {path}" for path in sorted(_cgroups() - before.cgroups)]


def _cgroups() -> frozenset[str]:
    """Cgroups of this account with our name in them; a path relative to the directories we can read."""
    found: set[str] = set()
    for path, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            if "rootless" in name and not name.startswith("rootless-tests-"):  # the tests' own
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(os.path.join(path, name)).st_uid == os.getuid():
                        found.add(os.path.join(path, name))
    return frozenset(found)
