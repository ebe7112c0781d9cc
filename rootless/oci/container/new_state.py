"""A new container's directory, from the claim on its id to the record that makes it a container. Hot path."""

from __future__ import annotations

import fcntl
import os

from rootless.errors import Conflict
from rootless.linux.filesystem import rename_noreplace
from rootless.oci.state import check_id, lock, remove, sweep, write


class NewStateDirectory:
    """A new container's directory, locked while it is being made. A context that removes it again unless `commit`
    was called."""

    def __init__(self, root: str, name: str) -> None:
        self.root = root
        self.name = check_id(name)
        self.directory = os.path.join(root, name)
        self._kept = False
        self._lock = -1

    def __enter__(self) -> NewStateDirectory:
        aside = os.path.join(self.root, f".new-{os.getpid()}-{os.urandom(4).hex()}")
        os.mkdir(aside, 0o700)
        self._lock = lock(aside, fcntl.LOCK_EX)
        for attempt in range(3):
            try:
                rename_noreplace(aside, self.directory)
                return self
            except FileExistsError:
                if attempt < 2 and sweep(self.directory):
                    continue
                os.rmdir(aside)
                os.close(self._lock)
                raise Conflict(
                    f"container {self.name} already exists",
                    hint=f"`rootless-oci delete {self.name}` removes a stopped one",
                ) from None
        raise AssertionError("unreachable")

    def write(self, name: str, text: bytes) -> None:
        """A file of the container, aside and renamed. Not fsynced: ROOT does not outlive a boot."""
        write(self.directory, name, text)

    def open_record(self) -> int:
        """A descriptor of the file that will be state.json, the caller's. A waiting init sees by it whether the file is:
        it has a second name then."""
        return os.open(self._record, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def _record(self) -> str:
        return os.path.join(self.directory, ".state.json.new")

    def commit(self, record: bytes) -> None:
        """Write state.json: the container exists from now on."""
        fd = self.open_record()
        try:
            os.write(fd, record)
        finally:
            os.close(fd)
        os.link(self._record, os.path.join(self.directory, "state.json"))
        self._kept = True

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            remove(self.directory)
        os.close(self._lock)
