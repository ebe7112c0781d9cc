"""A container in a pid namespace that is not its own ends with all that is of it, and with nothing else."""

from __future__ import annotations

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import table, wait_until

FORKS = "while :; do sleep 54321 & sleep 0.05; done"


def running(seconds: str) -> int:
    return sum(process.command.endswith(f"sleep {seconds}") for process in table().values())


@pytest.mark.parametrize("end", [("rm", "-f"), ("stop", "-t", "0"), ("kill",)])
@pytest.mark.parametrize("shared", ["host", "container:donor"])
def test_nothing_is_left_of_it(rootless: Rootless, busybox_image: str, end: tuple[str, ...], shared: str) -> None:
    """With and without a cgroup that ends them; its daemons, and what `exec` has brought."""
    options = ("--network", "none")
    rootless("run", "-d", "--name", "donor", *options, busybox_image, "sleep", "54323")
    rootless("run", "-d", "--name", "box", "--pid", shared, *options, busybox_image, "sh", "-c", FORKS)
    rootless("exec", "-d", "box", "setsid", "sleep", "54322")
    wait_until(lambda: running("54321") > 3 and running("54322"), "what it has started")
    rootless(*end, "box")
    wait_until(lambda: not running("54321") and not running("54322"), "their end", timeout_s=10)
    assert running("54323") == 1
    rootless("rm", "-f", "donor", *(["box"] if end[0] != "rm" else []))
