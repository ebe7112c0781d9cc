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
