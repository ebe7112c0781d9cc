"""The loader's way to files: small ones, regular, in UTF-8; and the schema that goes with this version."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any

from rootless.errors import InvalidInput, NotFound
from rootless.storage import named_paths

LARGEST_BYTES = 8 << 20


class Disk:
    """Reads from the file system; rootless.compose.load.reader.Reader."""

    def __init__(self) -> None:
        self._streams: dict[str, bytes] = {}

    def read(self, path: str) -> str:
        """The text of the file. NotFound, InvalidInput."""
        if path in self._streams:
            return decoded(self._streams[path], path)
        try:
            data = read_bytes(path, LARGEST_BYTES)
        except FileNotFoundError:
            raise NotFound(f"open {path}: no such file or directory") from None
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
        if _is_opened_for_us(path):
            self._streams[path] = data  # it can be read once
        return decoded(data, path)

    def exists(self, path: str) -> bool:
        """Whether there is something at the path."""
        return os.path.exists(path)


def read_bytes(path: str, most: int, what: str = "the file") -> bytes:
    """What is in the file, up to one byte more than `most`. InvalidInput, OSError.

    A pipe or a device may keep whoever reads it waiting for ever, so a file may name none, but those that our caller's shell
    has opened for us (`-f <(...)`).
    """
    opened_for_us = _is_opened_for_us(path)
    with open(named_paths.open_file(path, what, flags=0 if opened_for_us else os.O_NONBLOCK), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise InvalidInput(f"read {path}: is a directory")
        if not stat.S_ISREG(mode) and not opened_for_us:
            raise InvalidInput(f"read {path}: is no regular file", hint="a pipe or a device could keep you waiting for ever")
        return file.read(most + 1)


def _is_opened_for_us(path: str) -> bool:
    return path.startswith(("/dev/fd/", "/dev/std", "/proc/self/fd/")) or path == "/dev/null"


def decoded(data: bytes, name: str) -> str:
    """The bytes of a file as text. InvalidInput."""
    if len(data) > LARGEST_BYTES:
        raise InvalidInput(f"{name} is larger than {LARGEST_BYTES >> 20} MiB", hint="is it the file that you meant?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{name} contains invalid utf8 bytes") from None


def stdin_text() -> str:
    """The compose file that comes on standard input (-f -). InvalidInput."""
    return decoded(sys.stdin.buffer.read(LARGEST_BYTES + 1), "(stdin)")


def schema() -> dict[str, Any]:
    """The compose specification's schema, without its descriptions."""
    path = os.path.join(os.path.dirname(__file__), "schema.json")
    with open(path, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found
