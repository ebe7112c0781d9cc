"""Where `doctor` works: beside the user's own store and session, touching neither."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless import paths
from rootless.session import session
from rootless.storage.remove_tree import remove_tree


class Scene(NamedTuple):
    """`root` is the store's directory (it need not exist), `scratch` a private one for sockets."""

    root: str
    scratch: str

    def join(self) -> session.Session:
        """Make, or join, a session of the doctor's own: newuidmap runs now as for a first container."""
        os.environ["XDG_RUNTIME_DIR"] = self.scratch
        os.environ["ROOTLESS_ROOT"] = self.scratch + "/root"
        paths.forget_runtime_dir()
        return session.join()

    def store_place(self) -> str:
        """The store's directory, or the nearest one above it that exists."""
        path = self.root
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        return path


@contextmanager
def prepared() -> Iterator[Scene]:
    """A Scene whose scratch directory goes at the end."""
    parent = paths.session_directory()
    if not parent or not os.access(parent, os.W_OK | os.X_OK):
        parent = "/tmp"
    scratch = tempfile.mkdtemp(prefix="rootless-doctor-", dir=parent)
    try:
        yield Scene(paths.data_root(), scratch)
    finally:
        remove_tree(scratch)
