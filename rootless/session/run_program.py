"""Run the small programs of the `uidmap` package and keep what they say.

posix_spawn instead of subprocess, whose import alone costs more than a session's start.
"""

from __future__ import annotations

import os
from typing import NamedTuple

_OUTPUT_LIMIT_BYTES = 1 << 20
_ALWAYS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/wrappers/bin")


class RunningProgram(NamedTuple):
    pid: int
    output_fd: int


class Result(NamedTuple):
    status: int  # as a shell's $?: 128 + n for signal n
    output: str  # both stdout and stderr


def find(name: str) -> str | None:
    """Absolute path of an executable in $PATH, or in the usual places if that is meagre."""
    for directory in (*os.environ.get("PATH", "").split(":"), *_ALWAYS):
        path = os.path.join(directory, name)
        if directory.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def start(argv: list[str]) -> RunningProgram:
    """Start `argv[0]` (a path) in the C locale with its output in a pipe; for `finish`."""
    output, write_end = os.pipe()  # close-on-exec both
    try:
        pid = os.posix_spawn(
            argv[0],
            argv,
            {"LC_ALL": "C", "PATH": os.defpath},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, write_end, 1),
                (os.POSIX_SPAWN_DUP2, write_end, 2),
            ],
        )
    except OSError:
        os.close(output)
        raise
    finally:
        os.close(write_end)
    return RunningProgram(pid, output)


def finish(running: RunningProgram) -> Result:
    """Read the pipe to its end, then wait; a chatty program is cut off, not waited for."""
    chunks = []
    left = _OUTPUT_LIMIT_BYTES
    try:
        while left > 0 and (chunk := os.read(running.output_fd, min(left, 65536))):
            chunks.append(chunk)
            left -= len(chunk)
    finally:
        os.close(running.output_fd)
    _, status = os.waitpid(running.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Result(code if code >= 0 else 128 - code, b"".join(chunks).decode(errors="replace").strip())


def run(argv: list[str]) -> Result:
    return finish(start(argv))
