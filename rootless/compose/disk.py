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

    def read(self, path: str) -> str:
        """The text of the file. NotFound, InvalidInput."""
        try:
            descriptor = named_paths.open_file(path, "the file")
        except FileNotFoundError:
            raise NotFound(f"open {path}: no such file or directory") from None
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
        with open(descriptor, "rb") as file:
            try:
                if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
                    raise InvalidInput(f"read {path}: is a directory")
                data = file.read(LARGEST_BYTES + 1)
            except OSError as error:
                raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
        return decoded(data, path)

    def exists(self, path: str) -> bool:
        """Whether there is something at the path."""
        return os.path.exists(path)


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
