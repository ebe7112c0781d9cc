"""The user's crontab: a line of ours comes and goes, all others stay byte for byte.

A line of ours ends with a mark. Cron gives its commands HOME, SHELL=/bin/sh and PATH=/usr/bin:/bin, and
makes a newline of each % that has no backslash before it (crontab(5)). Debian's `crontab -l` shows a
carriage return as the two characters \\r, and so it is written back: the one byte that does not stay.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable

from rootless.errors import InvalidInput, NotSupported, RootlessError

# The text of an unsupported locale cannot be told from other errors: asked in C.
_NONE_YET = (b"no crontab", b"no fcrontab", b"No such file or directory")


def line(words: list[str], mark: str) -> bytes:
    """The line that runs `words` when the machine boots."""
    if any("\n" in word or "\\%" in word for word in words):
        raise InvalidInput("a crontab cannot hold a path with a newline or a backslash before a percent sign")
    return b"@reboot " + os.fsencode(shlex.join(words).replace("%", "\\%")) + b" " + mark.encode()


def add(new: bytes, mark: str) -> None:
    """Have the line in the crontab, once: one with the same mark is replaced, where it stands."""
    lines = _read()
    ours = [number for number, each in enumerate(lines) if _is_ours(each, mark)]
    if not ours:
        _write([*lines, new])
    elif lines[ours[0]] != new or len(ours) > 1:
        first, *more = ours
        _write([new if at == first else each for at, each in enumerate(lines) if at not in more])


def remove(mark: str) -> bool:
    """Take the line with this mark out; whether there was one."""
    lines = _read()
    others = [each for each in lines if not _is_ours(each, mark)]
    if len(others) == len(lines):
        return False
    _write(others)
    return True


def remove_all(marks: tuple[str, ...], chosen: Callable[[list[str]], bool]) -> list[str]:
    """Take out every line with one of these beginnings of a mark whose words are `chosen`; "crontab" for each.

    Nothing where there is no crontab at all, or none for this user: no line of it is ever executed then.
    """
    if shutil.which("crontab") is None:
        return []
    try:
        lines = _read()
    except RootlessError:
        return []
    others = [each for each in lines if not _is_chosen(each, marks, chosen)]
    if len(others) < len(lines):
        _write(others)
    return ["crontab"] * (len(lines) - len(others))


def _is_chosen(each: bytes, marks: tuple[str, ...], chosen: Callable[[list[str]], bool]) -> bool:
    for mark in marks:
        command, found, _ = each.rpartition(b" " + mark.encode())
        if each.startswith(b"@reboot ") and found:
            try:
                return chosen(shlex.split(os.fsdecode(command.removeprefix(b"@reboot ")).replace("\\%", "%")))
            except ValueError:
                return False
    return False


def _is_ours(each: bytes, mark: str) -> bool:
    return each.startswith(b"@reboot ") and each.endswith(b" " + mark.encode())


def _run(option: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["crontab", option], input=text, capture_output=True, timeout=30, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except FileNotFoundError:
        raise NotSupported(
            "this host has neither systemd nor crontab to start a container at boot",
            hint="start it by whatever runs at boot: rootless start NAME; or the administrator installs cron",
        ) from None
    except subprocess.TimeoutExpired:
        raise RootlessError("crontab does not answer", hint="see whether `crontab -l` works") from None


def _read() -> list[bytes]:
    done = _run("-l")
    if done.returncode and not any(each in done.stderr for each in _NONE_YET):
        # Never taken for an empty one: it would be overwritten.
        raise _refused(done)
    text = done.stdout if not done.returncode else b""
    return text.removesuffix(b"\n").split(b"\n") if text else []


def _write(lines: list[bytes]) -> None:
    done = _run("-", b"".join(each + b"\n" for each in lines))
    if done.returncode:
        raise _refused(done)


def _refused(done: subprocess.CompletedProcess[bytes]) -> RootlessError:
    output = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
    return RootlessError(
        f"crontab refuses: {output or f'status {done.returncode}'}", hint="see crontab(1); /etc/cron.allow, cron.deny"
    )
