"""A table of digests in a file, looked up without being read: 16 bytes of key, 32 of value a record.

    8 bytes magic, 8 bytes number of slots, 8 of records, then the slots; a key of zeros is an empty one

What a million files need stays on the disk. A table is changed in a copy, which takes its place when it
is closed; who reads the old one meanwhile goes on reading it.
"""

from __future__ import annotations

import errno
import os
import struct

from rootless.storage.copy_data import copy_data
from rootless.storage.store import make_directory

KEY_BYTES = 16
_VALUE_BYTES = 32
_RECORD = KEY_BYTES + _VALUE_BYTES
_MAGIC = b"rldigst2"
_HEADER = struct.Struct("<8sQQ")
_FEWEST_SLOTS = 1 << 10
_MOST_SLOTS = 1 << 24
_TOGETHER = 8
_EMPTY = bytes(KEY_BYTES)


class DigestTable:
    """One table at `path`, opened or to be made. `close` keeps what was put in; without it nothing is."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._aside = ""
        self._fd = -1
        self._slots = 0
        self._records = 0
        self._touched = bytearray()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return
        size = os.fstat(fd).st_size
        magic, slots, records = _HEADER.unpack((os.pread(fd, _HEADER.size, 0) + bytes(_HEADER.size))[: _HEADER.size])
        if magic != _MAGIC or not 0 < slots <= _MOST_SLOTS or size != _HEADER.size + slots * _RECORD:
            os.close(fd)
            return
        self._fd, self._slots, self._records = fd, slots, records
        self._touched = bytearray(slots // 8 + 1)

    def get(self, key: bytes) -> bytes | None:
        """The value put under this key, or None."""
        if not self._slots:
            return None
        try:
            slot, value = self._find(key)
        except OSError:
            self.abandon()  # the next `put` begins a new one
            return None
        if value is not None:
            self._touched[slot >> 3] |= 1 << (slot & 7)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value of 32 bytes under a key of 16. OSError, the table then unusable."""
        if not self._aside:
            self._begin()
        if self._records * 10 >= self._slots * 7:
            self._rewrite(self._slots * 2, only_touched=False)
        slot, found = self._find(key)
        os.pwrite(self._fd, key + value, _HEADER.size + slot * _RECORD)
        self._touched[slot >> 3] |= 1 << (slot & 7)
        self._records += found is None

    def close(self) -> None:
        """Put what was changed in the old table's place. Where most of it is of no more use, without that."""
        if self._fd < 0:
            return
        try:
            if self._aside:
                touched = sum(byte.bit_count() for byte in self._touched)
                if touched * 2 < self._records:
                    self._rewrite(max(_FEWEST_SLOTS, touched * 2), only_touched=True)
                os.pwrite(self._fd, _HEADER.pack(_MAGIC, self._slots, self._records), 0)
                os.fsync(self._fd)
                os.rename(self._aside, self._path)
                self._aside = ""
            else:
                os.utime(self._fd)  # when it was used last
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Forget what was changed; idempotent."""
        if self._aside:
            try:
                os.unlink(self._aside)
            except OSError:
                pass
            self._aside = ""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._slots = -1, 0

    # -- the file ----------------------------------------------------------------------------

    def _find(self, key: bytes) -> tuple[int, bytes | None]:
        """The slot of `key` and its value; the slot to put it in, and None."""
        slot = int.from_bytes(key[:8], "little") % self._slots
        for _ in range(self._slots // _TOGETHER + 2):
            count = min(_TOGETHER, self._slots - slot)
            data = os.pread(self._fd, count * _RECORD, _HEADER.size + slot * _RECORD)
            data += bytes(count * _RECORD - len(data))
            for number in range(count):
                start = number * _RECORD
                here = data[start : start + KEY_BYTES]
                if here == key:
                    return slot + number, data[start + KEY_BYTES : start + _RECORD]
                if here == _EMPTY:
                    return slot + number, None
            slot = (slot + count) % self._slots
        raise OSError(errno.EUCLEAN, os.strerror(errno.EUCLEAN), self._path)  # damaged: it is never full

    def _blocks(self) -> list[bytes] | _Blocks:
        return _Blocks(self._fd, self._slots) if self._slots else []

    def _begin(self) -> None:
        """Go on in a copy of our own."""
        make_directory(os.path.dirname(self._path))
        old, self._aside = self._fd, _aside(self._path)
        self._fd = os.open(self._aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if old >= 0:
            copy_data(old, self._fd, os.fstat(old).st_size)
            os.close(old)
            return
        self._slots, self._records = _FEWEST_SLOTS, 0
        self._touched = bytearray(self._slots // 8 + 1)
        _lay_out(self._fd, self._slots)

    def _rewrite(self, slots: int, *, only_touched: bool) -> None:
        """The same records in a table of another size."""
        old, old_aside, touched, records = self._fd, self._aside, self._touched, self._records
        blocks = self._blocks()
        self._aside = _aside(self._path)
        self._fd = os.open(self._aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        _lay_out(self._fd, slots)
        self._slots, self._touched, self._records = slots, bytearray(slots // 8 + 1), 0
        try:
            number = 0
            for data in blocks:
                for start in range(0, len(data), _RECORD):
                    record = data[start : start + _RECORD]
                    was_touched = touched[number >> 3] >> (number & 7) & 1
                    number += 1
                    if record[:KEY_BYTES] == _EMPTY or (only_touched and not was_touched):
                        continue
                    slot, _ = self._find(record[:KEY_BYTES])
                    os.pwrite(self._fd, record, _HEADER.size + slot * _RECORD)
                    self._touched[slot >> 3] |= was_touched << (slot & 7)
                    self._records += 1
        finally:
            os.close(old)
            os.unlink(old_aside)
        assert self._records <= records


class _Blocks:
    """A file's slots, some at a time."""

    def __init__(self, fd: int, slots: int) -> None:
        self._fd = fd
        self._left = slots
        self._position = _HEADER.size

    def __iter__(self) -> _Blocks:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        wanted = min(self._left, 4096) * _RECORD
        data = os.pread(self._fd, wanted, self._position)
        self._position += wanted
        self._left -= wanted // _RECORD
        return data + bytes(wanted - len(data))


def _lay_out(fd: int, slots: int) -> None:
    os.pwrite(fd, _HEADER.pack(_MAGIC, slots, 0), 0)
    os.ftruncate(fd, _HEADER.size + slots * _RECORD)


def _aside(path: str) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
