"""`export`: all of a container's own files as a tar stream, without what is mounted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rootless.engine.files import view
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.storage import owner_file
from rootless.storage.containers import containers
from rootless.storage.layers import write_tar
from rootless.storage.layers.image_owners import ImageOwners
from rootless.storage.store import Store


@contextmanager
def exporting(store: Store, identifier: str) -> Iterator[Callable[[IO[bytes]], object]]:
    """The files, opened for reading once: what writes them to a stream. The session is joined here. Writes the event export."""
    record = read_config(store, identifier)
    events.container(store, "export", record)
    running.join_session(store, identifier)
    owners = ImageOwners(store, record["diff_ids"])
    links = owner_file.read(containers.directory(store, identifier))
    with view.root_alone(store, identifier) as place:
        yield lambda out: write_tar.write_tree(place.root_fd, out, owners=owners, shown=place.out_of, links=links)
