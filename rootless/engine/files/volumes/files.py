"""A volume's files without a container: listed, read and written below its own root, where links lead nowhere else.

    with opened(store, name) as place:
        directory.look(place, path)          # and open_file, copy.write_tar
    put(store, name, path, stream)           # a tar stream, plain or compressed

Wants the session joined.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rootless.engine.files import copy
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.tar_stream import unpacked
from rootless.engine.files.volumes.archive import open_data
from rootless.errors import NotFound
from rootless.storage import volumes
from rootless.storage.store import Store


class VolumeEnd(CopyEnd):
    """A CopyEnd whose root is a volume's, called by its name."""

    def missing(self, path: str) -> NotFound:
        """The error where there is nothing at `path`."""
        return NotFound(f"Could not find the file {path} in volume {self.called}")


@contextmanager
def opened(store: Store, name: str) -> Iterator[VolumeEnd]:
    """The volume `name`; NotFound, NotSupported for one that is nothing while no container uses it."""
    found = volumes.find(store, name)
    fd = open_data(found)
    try:
        place = VolumeEnd(fd)
        place.called = found.name
        yield place
    finally:
        os.close(fd)


def put(store: Store, name: str, path: str, stream: IO[bytes]) -> list[str]:
    """Unpack a tar stream into the directory `path`, which is there; what was left out, a line each. A file takes the place of one of
    its name. Conflict where a directory would replace a file or the other way round, and where nothing can be written.

    Where the volume is a directory of the host by another name nothing in it lends our rights to others by set-user-id."""
    ours = not volumes.find(store, name).options
    with opened(store, name) as place:
        copy.refuse_unwritable(place, path)
        with unpacked(store, stream, special_bits=ours) as inside:
            return copy.put_contents(inside, place, path)
