"""`top`: the container's processes, whoever asks and from wherever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.terminal import Terminal

OPTIONS = [
    ["-o", "pid,args"], ["-o", "pid,user,args"], ["-ef"], ["aux"], ["f", "-o", "pid,args"], ["ax", "-o", "pid,args"], [],
]  # fmt: skip


@pytest.fixture
def busy(rootless: Rootless, busybox_image: str) -> str:
    rootless("run", "-d", "--name", "busy", "--network", "none", "-u", "1000", busybox_image,
             "sh", "-c", "sleep 1234 & exec sleep 5678")  # fmt: skip
    wait_until(lambda: "1234" in rootless("top", "busy").stdout, "both processes")
    return "busy"


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_whose_user_is_not_root(rootless: Rootless, busy: str, options: list[str]) -> None:
    lines = rootless("top", busy, *options, env={"COLUMNS": "20", "PS_FORMAT": "pid,comm"}).lines
    assert "PID" in lines[0]
    for title in lines[0].split()[1:]:
        assert lines[0].index(f" {title}") % 20 == 19, "Docker's columns have twenty letters"
    assert sorted(line.partition("sleep ")[2].split()[0] for line in lines[1:]) == ["1234", "5678"]
    rootless("rm", "-f", busy)


def test_from_a_terminal(rootless: Rootless, busy: str, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("top", busy, "-o", "pid,args", columns=20)
    shown.expect("PID +COMMAND")
    shown.expect("sleep 5678")
    assert shown.wait() == 0
    rootless("rm", "-f", busy)


def test_what_cannot_be_shown_is_told(rootless: Rootless, busy: str) -> None:
    assert "Couldn't find PID field" in rootless("top", busy, "-o", "args", status=1).stderr
    assert "error running ps" in rootless("top", busy, "--nonsense", status=1).stderr
    rootless("rm", "-f", busy)
