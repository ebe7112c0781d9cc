"""What a batch system sends to every process of a job: nothing that a container depends on ends before the container does."""

from __future__ import annotations

import os

import pytest

from tests.harness import leaks, processes
from tests.harness.command import Rootless
from tests.need import need, need_program

SERVED = {
    "slirp4netns": "grep -c tap0 /proc/net/dev",
    "pasta": "grep -c tap0 /proc/net/dev",
    "net": "nslookup box >/dev/null && echo 1",
}


@pytest.mark.parametrize(("network", "driver"), [*((network, "") for network in SERVED), ("none", ""), ("none", "fuse-overlayfs")])
def test_all_processes_are_told_to_end(rootless: Rootless, busybox_image: str, network: str, driver: str) -> None:
    """Only the session's holder ends, which no container needs; and afterwards nothing is left, as ever."""
    if driver:
        need(os.access("/dev/fuse", os.W_OK), "/dev/fuse cannot be used")
    for program in {driver, network} & {"fuse-overlayfs", "pasta", "slirp4netns"}:
        need_program(program)
    environment = {"ROOTLESS_STORAGE_DRIVER": driver} if driver else {}
    if network == "net":
        rootless("network", "create", "net")
    before = leaks.snapshot()
    rootless("run", "-d", "--name", "box", "--network", network, busybox_image, "sleep", "1000", env=environment)
    started = {key: process for key, process in processes.descendants().items() if key not in before.processes}
    served = [process for process in started.values() if not leaks.is_holder(process)]
    assert len(served) >= 2 + (network != "none") + bool(driver), "the monitor, the container, and what serves it"
    processes.signal_as_of_a_job(*(process.pid for process in started.values()))
    assert rootless("exec", "box", "cat", "/etc/passwd").stdout.startswith("root:")
    if network != "none":
        assert rootless("exec", "box", "sh", "-c", SERVED[network]).stdout == "1\n"
    alive = processes.descendants()
    assert [process for key, process in started.items() if key not in alive and not leaks.is_holder(process)] == []
    # Found again without the holder, and started like the others.
    rootless("run", "--rm", "--network", network, busybox_image, "sh", "-c", SERVED.get(network, "true"), env=environment)
    rootless("rm", "-f", "-t", "0", "box")
    if network == "net":
        rootless("network", "rm", "net")
