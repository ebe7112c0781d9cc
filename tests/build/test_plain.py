"""--progress=plain, line by line."""

from __future__ import annotations

import io
import re

import pytest

from rootless.build.progress.log_text import for_terminal
from rootless.build.progress.plain import Plain
from rootless.build.progress.vertices import Status, Vertex


def shown(out: io.BytesIO) -> str:
    """The text, with all times alike."""
    return re.sub(
        r"\b\d+\.\d(\d\d)?(s?)\b", lambda m: ("0.100" if m[1] else "0.1") + m[2], out.getvalue().decode()
    )


def test_one_vertex_after_the_other() -> None:
    out = io.BytesIO()
    progress = Plain(out)
    first, second, third = (
        Vertex("[internal] load build context"),
        Vertex("[2/2] RUN make"),
        Vertex("[1/2] FROM x"),
    )
    progress.start(first)
    progress.status(first, Status("transferring context", 1_234_567, done=True))
    progress.done(first)
    progress.cached(third)
    progress.start(second)
    progress.log(second, b"one\ntw")
    progress.log(second, b"o\r\nthree", error=True)
    progress.failed(second, "exit code: 1")
    progress.close()
    assert shown(out) == (
        "#1 [internal] load build context\n"
        "#1 transferring context: 1.23MB 0.1s done\n"
        "#1 DONE 0.1s\n"
        "\n"
        "#2 [1/2] FROM x\n"
        "#2 CACHED\n"
        "\n"
        "#3 [2/2] RUN make\n"
        "#3 0.100 one\n"
        "#3 0.100 two\n"
        "#3 0.100 three\n"
        "#3 ERROR: exit code: 1\n"
    )
    assert [line for _, line in second.last_lines] == [b"one", b"two\r", b"three"]


def test_what_is_said_beside_another_waits_for_its_turn() -> None:
    out = io.BytesIO()
    progress = Plain(out)
    one, other = Vertex("[a 2/2] RUN a"), Vertex("[b 2/2] RUN b")
    progress.start(one)
    progress.start(other)
    progress.log(other, b"of b\n")
    progress.log(one, b"of a\n")
    progress.done(other)
    progress.log(one, b"more of a\n")
    progress.done(one)
    assert shown(out) == (
        "#1 [a 2/2] RUN a\n"
        "#1 0.100 of a\n"
        "#1 ...\n"
        "\n"
        "#2 [b 2/2] RUN b\n"
        "#2 0.100 of b\n"
        "#2 DONE 0.1s\n"
        "\n"
        "#1 [a 2/2] RUN a\n"
        "#1 0.100 more of a\n"
        "#1 DONE 0.1s\n"
    )


def test_names_and_errors_cannot_forge_lines() -> None:
    out = io.BytesIO()
    progress = Plain(out)
    vertex = Vertex("[2/2] RUN a\n#9 DONE 1.0s\x1b[2J")
    progress.start(vertex)
    progress.failed(vertex, "no\n#9 DONE")
    assert out.getvalue().count(b"\n") == 2
    assert b"\x1b" not in out.getvalue()


def test_a_line_without_an_end_is_shown_in_pieces() -> None:
    out = io.BytesIO()
    progress = Plain(out)
    vertex = Vertex("[2/2] RUN yes")
    progress.start(vertex)
    for _ in range(10):
        progress.log(vertex, b"y" * 40_000)
    # Nothing has ended, and little is held back.
    assert out.getvalue().count(b"y") > 300_000
    progress.done(vertex)
    assert out.getvalue().count(b"y") == 400_000 + 1  # and "yes"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"plain text", b"plain text"),
        (b"\x1b[31mred\x1b[0m", b"\x1b[31mred\x1b[0m\x1b[0m"),
        (b"a\x1b]0;title\x07b\x1b[2J", b"a\\x1b]0;title\\x07b\\x1b[2J"),
        (b"10%\r20%\r100%\r", b"100%"),
        (b"fine\r#9 DONE 0.0s", b"#9 DONE 0.0s"),
        (b"\xff\xc2\x9b", "\ufffd\\x9b".encode()),
    ],
)
def test_what_a_terminal_gets_of_a_commands_output(line: bytes, shown: bytes) -> None:
    """Colours, and nothing else that it obeys; the number before it says whose words they are."""
    assert for_terminal(line) == shown
