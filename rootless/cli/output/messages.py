"""What the program says on stderr: its messages, and how text that is hostile or no UTF-8 is printed. Hot path."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import EXEC, RUN
from rootless.errors import disk_cause
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from rootless.errors import RootlessError

_BYTES = "rootless-bytes"
"""The name, for codecs, of how text that is no UTF-8 is printed."""
_LONGEST_LINE = 8192


def complain(error: RootlessError) -> None:
    """Print an error and its hint on stderr; for commands that go on with the next argument, too."""
    if debugging():
        import traceback

        traceback.print_exception(error)
    if disk_cause(error) is None:
        say(error.message, error.hint)
        return
    from rootless.storage import disk_errors

    say(*disk_errors.words(error))


def say(message: str, hint: str | None = None) -> None:
    """`rootless: message` and `hint: ...` on stderr."""
    from rootless.words import plain

    sys.stdout.flush()
    text = f"rootless: {_short(plain(message))}\n"
    if hint:
        text += "hint: " + "\n      ".join(_short(plain(line)) for line in hint.split("\n")) + "\n"
    sys.stderr.write(text)


def _short(text: str) -> str:
    """What fits on a screen: the name that an archive or a registry gives may be a megabyte long."""
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE // 2]}...{text[-_LONGEST_LINE // 4 :]}"


def exit_status(error: RootlessError, kind: str) -> int:
    """The status of a command of this kind (command.PLAIN, EXEC, RUN) that ended with `error`."""
    if kind == RUN or (kind == EXEC and error.exit_code in (126, 127)):
        return error.exit_code
    return 1


def debugging() -> bool:
    """Whether --debug was given here or to the command that started us."""
    return bool(os.environ.get("ROOTLESS_DEBUG"))


def say_debug(text: str) -> None:
    """A line of --debug on stderr."""
    from rootless.words import plain

    sys.stdout.flush()
    sys.stderr.write(f"debug: {_short(plain(text))}\n")


def make_output_safe() -> None:
    """A file name or label that the locale cannot spell must not end the command."""
    import codecs  # the interpreter's own start has it

    codecs.register_error(_BYTES, _bytes)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        elif stream is not None:
            stream.reconfigure(errors=_BYTES)  # type: ignore[union-attr]
    if sys.stderr is not None and not hasattr(sys.stderr, "steer"):
        _clean(sys.stderr)


def _bytes(error: UnicodeError) -> tuple[bytes, int]:
    """Half a surrogate pair as it came: a byte that was no UTF-8 is that byte again, another is U+FFFD."""
    assert isinstance(error, UnicodeEncodeError)
    found = b"".join(
        bytes([ord(letter) - 0xDC00]) if "\udc80" <= letter <= "\udcff" else b"\xef\xbf\xbd"
        for letter in error.object[error.start : error.end]
    )
    return found, error.end


def _clean(stream: TextIO) -> None:
    """Make `stream` print no control characters, whatever a message quotes; `steer` still does (progress bars)."""
    write = stream.write

    def cleaned(text: str, /) -> int:
        if text.isascii() and text.removesuffix("\n").isprintable():
            return write(text)
        from rootless.words import plain_lines

        return write(plain_lines(text))

    stream.steer = write  # type: ignore[attr-defined]
    stream.write = cleaned  # type: ignore[method-assign]
