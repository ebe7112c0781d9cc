"""A monitor that somebody has halted: what waits for it is told so, and the container can be removed."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.harness.command import Rootless


@pytest.mark.parametrize("words", [("stop", "-t", "0"), ("kill",), ("restart", "-t", "0"), ("rm", "-f")])
def test_it_is_told(rootless: Rootless, busybox_image: str, words: tuple[str, ...]) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "1000")
    identifier = rootless("inspect", "-f", "{{.Id}}", "box").stdout.strip()
    state = json.loads((rootless.root / "containers" / identifier / "state.json").read_text())
    os.kill(state["monitor_pid"], signal.SIGSTOP)
    done = rootless(*words, "box", status=None, timeout=20)
    if words[0] == "rm":
        assert done.status == 0
    else:
        assert done.status == 1
        assert f"its monitor (process {state['monitor_pid']}) is stopped" in done.stderr
        assert "Exited (137)" in rootless("ps", "-a").stdout
        assert rootless("wait", "box", status=None, timeout=20).stdout in ("", "137\n")
    os.kill(state["monitor_pid"], signal.SIGCONT)
    if words[0] != "rm":
        rootless("rm", "-f", "box")
    assert rootless("ps", "-aq").stdout == ""


@pytest.mark.parametrize(
    ("words", "options"),
    # `stop` and `kill` of a --rm container wait for its removal, so long as that may take.
    [(("stop", "-t", "0"), ()), (("kill",), ()), (("rm", "-f"), ()), (("rm", "-f"), ("--rm",))],
)
def test_a_halted_client_is_not_waited_for(
    rootless: Rootless, busybox_image: str, words: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """What it has not taken its monitor keeps for it, and lives on; the end is written down."""
    rootless("run", "-d", "--name", "box", *options, "--network", "none", busybox_image, "yes")
    client = rootless.start("attach", "box")
    assert client.stdout is not None
    assert client.stdout.read(1) == b"y"
    os.kill(client.pid, signal.SIGSTOP)
    rootless(*words, "box", timeout=15)
    if words[0] != "rm":
        assert "Exited (137)" in rootless("ps", "-a").stdout
        rootless("rm", "box")
    assert rootless("ps", "-aq").stdout == ""
    client.kill()
