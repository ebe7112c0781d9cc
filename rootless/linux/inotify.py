"""inotify(7): being told of changes in directories, instead of looking again and again."""

from __future__ import annotations

import os
import sys

from rootless.linux import ctypes
from rootless.linux.libc import libc, raise_errno

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_ISDIR = 0x40000000
_HEAD = 16  # bytes of struct inotify_event before the name

_init = libc.inotify_init1
_init.argtypes = (ctypes.c_int,)
_add = libc.inotify_add_watch
_add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


class Inotify:
    """An inotify instance. `drain` says that something has changed, and not what: who is told looks for himself.

    Wants the paths to be directories of our own. Close-on-exec, non-blocking; poll `fileno()` for reading. OSError:
    EMFILE and ENOSPC at the limits of /proc/sys/fs/inotify, ENOENT.
    """

    def __init__(self) -> None:
        self._fd: int = _init(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise_errno("inotify")

    def fileno(self) -> int:
        """The descriptor to poll; -1 when closed."""
        return self._fd

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self, path: str, mask: int) -> int:
        """Be told of the events of `mask` at the file that is at `path` now, wherever that is moved; the watch's number."""
        number = int(_add(self._fd, os.fsencode(path), mask))
        if number < 0:
            raise_errno(path)
        return number

    def events(self) -> list[tuple[int, int, str]]:
        """What has been told so far: the watch's number, the mask, and the name in the directory, "" for itself."""
        found: list[tuple[int, int, str]] = []
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return found
            at = 0
            while at + _HEAD <= len(data):
                number, mask, length = (
                    int.from_bytes(data[at + place : at + place + 4], sys.byteorder, signed=place == 0) for place in (0, 4, 12)
                )
                name = data[at + _HEAD : at + _HEAD + length].rstrip(b"\0")
                found.append((number, mask, os.fsdecode(name)))
                at += _HEAD + length

    def drain(self) -> None:
        """Forget what has been told so far. The caller looks afterwards, so that nothing is missed."""
        try:
            while os.read(self._fd, 65536):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
