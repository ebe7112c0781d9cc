"""Files that are whole or not there: written aside, synced, renamed.

Raises OSError with the file name set; who knows the intention translates. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless import jsontext
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def write_bytes(path: str, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace `path` by `data`: a reader, or a kill at any instant, finds the old file or the new one.

    `durable` adds fsync(2), so that this is also true of a power cut; without it the file may then
    be empty. The rename itself may be lost by a power cut: then the old file is there.
    """
    directory, slash, name = path.rpartition("/")
    # Random: a process of another machine may have our number, and so may one that was killed here.
    aside = f"{directory}{slash}.{name}.{os.getpid()}-{os.urandom(6).hex()}.tmp"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(aside, path)
    except BaseException as error:
        try:
            os.unlink(aside)
        except OSError:
            pass
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path
        raise


def overwrite(path: str, data: bytes) -> None:
    """Change the file that is there, which is mounted elsewhere: written over and then cut, so that a reader never finds
    it empty, but maybe half of both."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def write_json(path: str, value: Any, *, durable: bool = True) -> None:
    """`write_bytes` of `value` as compact JSON."""
    write_bytes(path, jsontext.dumps(value, separators=(",", ":")).encode(), durable=durable)


def read_bytes(path: str) -> bytes:
    """The whole of `path` with three system calls; OSError as open(2)."""
    try:
        return _read(path)
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        return _read(path)  # of NFS, and another machine replaced it between the calls


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(fd, 65536)
        if len(data) < 65536:
            return data
        pieces = [data]
        while piece := os.read(fd, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def parse(data: bytes) -> Any:
    """The value of a JSON text; ValueError where it is none."""
    return jsontext.loads(data)


def read_json(path: str) -> Any:
    """What `write_json` wrote. FileNotFoundError where it is not; ValueError where it is no JSON."""
    return jsontext.loads(read_bytes(path))
