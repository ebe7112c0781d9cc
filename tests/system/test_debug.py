"""`--debug` tells what is done when all goes well, too, and nothing of it reaches the container or stdout."""

from __future__ import annotations

from tests.harness.command import Rootless


def test_a_run_is_told_step_by_step(rootless: Rootless, busybox_image: str) -> None:
    told = rootless("-D", "run", "--rm", "--network", "none", "--tmpfs", "/scratch", busybox_image, "env")
    lines = told.stderr.splitlines()
    assert f"data in {rootless.root}" in lines[0]
    assert "debug: step: mount tmpfs at /scratch" in lines
    assert "debug: command: env" in lines
    started = next(number for number, line in enumerate(lines) if line.startswith("debug: started: pid "))
    assert all(line.startswith("debug: ") for line in lines)
    assert started < len(lines) - 1
    assert lines[-1].startswith("debug: run: status 0 after ")
    assert "debug" not in told.stdout.lower()


def test_nothing_is_told_unasked(rootless: Rootless, busybox_image: str) -> None:
    assert rootless("run", "--rm", "--network", "none", busybox_image, "true").stderr == ""


def test_every_command_says_how_it_ended(rootless: Rootless) -> None:
    assert "debug: ps: status 0 after " in rootless("-D", "ps").stderr
