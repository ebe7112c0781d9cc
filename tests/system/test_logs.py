"""`logs` as a user sees it: parts of a line are one line; the end of a long log; several containers."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal

NO_NETWORK = ("--network", "none")


def test_parts_of_a_line_are_one(rootless: Rootless, busybox_image: str) -> None:
    script = "printf 'one '; sleep 0.2; printf 'line'; echo err >&2; sleep 0.2; echo; echo last"
    rootless("run", "--name", "parts", *NO_NETWORK, busybox_image, "sh", "-c", script)
    assert rootless("logs", "parts").stdout == "one line\nlast\n"
    assert rootless("logs", "--tail", "2", "parts").stdout == "one line\nlast\n"
    stamped = rootless("logs", "-t", "parts").lines
    assert [re.sub(r"^\S+Z ", "", line) for line in stamped] == ["one line", "last"]
    assert rootless("logs", "--details", "parts").stdout == " one line\n last\n"
    assert rootless("logs", "-f", "-n", "1", "parts").stdout == "last\n"
    rootless("rm", "parts")


def test_the_end_of_a_rotated_log(rootless: Rootless, busybox_image: str) -> None:
    options = ("--log-opt", "max-size=20k", "--log-opt", "max-file=3", *NO_NETWORK)
    rootless("run", "--name", "long", *options, busybox_image, "sh", "-c", "seq 1 3000", env={})
    numbers = [str(number) for number in range(1, 3001)]
    for tail in (1, 10, 700):
        assert rootless("logs", "-n", str(tail), "long").lines == numbers[-tail:]
    every = rootless("logs", "long").lines
    assert every == numbers[-len(every) :]
    assert rootless("logs", "-n", "2999", "long").lines == every
    rootless("rm", "long")


def test_several_containers(rootless: Rootless, busybox_image: str) -> None:
    for name in ("first", "second"):
        rootless("run", "--name", name, *NO_NETWORK, busybox_image, "sh", "-c", f"echo of {name}; echo end")
    ids = {name: rootless("inspect", "-f", "{{.Id}}", name).stdout[:12] for name in ("first", "second")}
    expected = [f"{ids[name]} {text}" for name in ids for text in (f"of {name}", "end")]
    assert rootless("logs", "first", "second").lines == expected
    assert sorted(rootless("logs", "-f", "first", "second").lines) == sorted(expected)
    assert rootless("logs", "--names", "-n", "1", "first", "second").lines == ["first end", "second end"]
    assert "No such container: third" in rootless("logs", "first", "third", status=1).stderr
    rootless("rm", "first", "second")


def test_the_prompt_begins_a_line(rootless: Rootless, busybox_image: str, terminal: Callable[..., Terminal]) -> None:
    rootless("run", "-d", "--name", "on", *NO_NETWORK, busybox_image, "sh", "-c", "echo said; exec sleep 1000")
    following = terminal("logs", "-f", "on")
    following.expect("said")
    following.send("\x03")
    following.expect("\\^C\r\n")
    assert following.wait() == 130
    rootless("rm", "-f", "on")
