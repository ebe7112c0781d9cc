"""squashfs-tools: where one of its programs is, and what it says as an error."""

from __future__ import annotations

import os
from typing import NoReturn

from rootless.errors import NotSupported, RootlessError
from rootless.session import run_program
from rootless.storage import disk_errors
from rootless.words import plain

PACK = "mksquashfs"
FROM_TAR = "sqfstar"


def find(program: str, file: str) -> str:
    """The program's path. NotSupported where it is not installed; `file` is what it makes ("an image's file")."""
    found = run_program.find(program)
    if found is None:
        raise NotSupported(
            f"{file} is made by {program}, which is not installed",
            hint="as administrator: apt install squashfs-tools (Debian, Ubuntu), dnf install squashfs-tools (Fedora)",
        )
    return found


def raise_failed(program: str, file: str, status: int, output: str, target: str) -> NoReturn:
    """The program could not make the file `target`: OSError of a file system that has failed, else RootlessError."""
    disk_errors.raise_said(output, target)
    lines = [line for line in output.splitlines() if line.strip()]
    raise RootlessError(
        f"{program} could not make {file} (exit status {status}): {plain(lines[-1]) if lines else 'it said nothing'}",
        hint=f"is there room in {os.path.realpath(os.path.dirname(target))}, and may you read all that goes into it?",
    )
