"""`up` in the foreground, `logs`: lines behind their names, endings, Ctrl-C."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

from tests.compose.projects import Compose
from tests.harness.terminal import Terminal

TWO = """
services:
  a: {image: busybox, command: sh -c 'echo one; echo two >&2; exit %d', stop_grace_period: 0s}
  long: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
"""


def test_lines_stand_behind_names_of_one_width(compose: Compose) -> None:
    compose.file("services:\n  a: {image: busybox, command: echo one}\n  longer: {image: busybox, command: echo two}\n")
    lines = compose("up").lines
    assert "a-1       | one" in lines
    assert "longer-1  | two" in lines
    assert "a-1 exited with code 0" in lines
    assert compose("up", "--no-log-prefix", "a").lines[0] == "one"


def test_abort_on_exit_and_whose_status(compose: Compose) -> None:
    compose.file(TWO % 3)
    result = compose("up", "--abort-on-container-exit", status=3)
    assert "Aborting on container exit..." in result.stderr
    assert "a-1     | one" in result.lines
    assert all(row["State"] == "exited" for row in compose.rows().values())
    assert compose("up", "--exit-code-from", "long", status=137).stdout
    compose("up", "--abort-on-container-failure", status=3)


def test_ctrl_c_stops(compose: Compose) -> None:
    compose.file(TWO % 0)
    process = compose.start("up")
    assert process.stdout is not None
    while b"exited with code 0" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert b"Gracefully stopping... (press Ctrl+C again to force)" in errors
    assert process.returncode == 130
    assert all(row["State"] == "exited" for row in compose.rows().values())


def test_long_and_strange_lines(compose: Compose) -> None:
    """#1096, #1308: megabytes on one line, bytes that are no UTF-8, a line without an end."""
    command = "head -c 3000000 /dev/zero | tr '\\\\0' x; printf '\\\\n\\\\303\\\\050\\\\346\\\\227\\\\245\\\\nlast'"
    compose.file(f'services:\n  a: {{image: busybox, command: ["sh", "-c", "{command}"]}}\n')
    raw = compose("up").raw
    assert raw.count(b"x") >= 3000000
    assert b"a-1  | \xc3\x28\xe6\x97\xa5\n" in raw
    assert b"a-1  | last\n" in raw


def test_logs(compose: Compose) -> None:
    compose.up("services:\n  a: {image: busybox, command: sh -c 'echo 1; echo 2; echo 3'}\n  b: {image: busybox, command: echo b}\n")
    compose("logs", "-f")
    assert compose("logs", "a").lines == ["a-1  | 1", "a-1  | 2", "a-1  | 3"]
    assert compose("logs", "--tail", "1", "--no-log-prefix", "a").lines == ["3"]
    assert sorted(compose("logs", "-n", "1").lines) == ["a-1  | 3", "b-1  | b"]
    stamped = compose("logs", "-t", "--no-log-prefix", "b").stdout
    assert stamped.endswith("Z b\n")
    compose("logs", "none", status=1)


def test_attach_false_and_no_attach(compose: Compose) -> None:
    compose.file("services:\n  a: {image: busybox, command: echo a, attach: false}\n  b: {image: busybox, command: echo b}\n"
                 "  c: {image: busybox, command: echo c}\n")  # fmt: skip
    text = compose("up", "--no-attach", "c").stdout
    assert "b-1  | b" in text
    assert "| a" not in text
    assert "| c" not in text


def drawn(screen: str) -> list[str]:
    """What is left on a terminal after all that was written: up and clear, ends of lines, colours."""
    lines: list[str] = [""]
    for piece in re.split(r"(\x1b\[\d+A|\r\x1b\[J|\r?\n)", re.sub(r"\x1b\[\d*m", "", screen)):
        if piece.endswith("A") and piece.startswith("\x1b["):
            lines = [*lines[: len(lines) - 1 - int(piece[2:-1])], ""]
        elif piece.endswith("\n"):
            lines.append("")
        elif piece != "\r\x1b[J":
            assert "\x1b" not in piece, repr(piece)
            lines[-1] += piece
    return lines


def test_a_terminal_is_drawn_over(compose: Compose, terminal: Callable[..., Terminal]) -> None:
    """One line for each thing, whatever happened to it; what a hook says stands above, and steers nothing."""
    path = compose.file("""
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    depends_on: {db: {condition: service_healthy}}
    post_start:
      - {command: ["printf", "from a hook\\\\033[2J\\\\n"]}
      - {command: ["sh", "-c", "head -c 9000000 /dev/zero | tr '\\\\0' y"]}
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s, healthcheck: {test: "true", interval: 1s}}
  bad: {image: busybox, command: /no/such, depends_on: [web]}
""")
    shell = terminal("compose", "-f", str(path), "up", "-d")
    assert shell.wait() == 1
    lines = drawn(shell.screen)
    assert lines[0] == "from a hook\\x1b[2J"
    assert (len(lines[1]), lines[2]) == (256 << 10, "more than 256 KiB: the rest is left out"), "kept in memory until it is shown"
    del lines[1:3]
    assert lines[1] == "[+] Running 4/4"
    shown = [(line[1], *line[3:].split()[:3]) for line in lines[2:6]]
    assert shown == [
        ("✔", "Network", "demo_default", "Created"), ("✔", "Container", "demo-db-1", "Healthy"),
        ("✔", "Container", "demo-web-1", "Started"), ("✘", "Container", "demo-bad-1", "Error"),
    ]  # fmt: skip
    assert all(len(line) == 79 and line.endswith("s") for line in lines[2:6])
    assert lines[6] == 'rootless: exec: "/no/such": no such file or directory'
    shell.close()
    for words in (("--ansi", "never"), ("--progress", "plain")):
        plain = terminal("compose", "-f", str(path), *words, "stop", "-t", "0")
        assert plain.wait() == 0
        assert "\x1b[" not in plain.screen.replace("\x1b[32m", "").replace("\x1b[0m", "")
        plain.close()
