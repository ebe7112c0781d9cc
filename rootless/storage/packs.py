"""Packed trees: directories of many files, each as one squashfs file, ROOT/packs/<name>.sqfs.

What is made is made aside and renamed, so that a name has a whole file or none. A file that a container has mounted
may be replaced or removed: its server keeps the old one open.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotFound
from rootless.storage.store import Store

_SUFFIX = ".sqfs"


def directory(store: Store) -> str:
    """Where they lie; it may not be there yet."""
    return store.home + "/packs"


def path_of(store: Store, name: str) -> str:
    """Where the tree of that name is, or would be. InvalidInput for what is no name."""
    rest = name.replace("_", "a").replace(".", "a").replace("-", "a")
    if not (0 < len(name) <= 128 and name.isascii() and name[0].isalnum() and rest.isalnum()):
        raise InvalidInput(
            f"{name!r} is no name for a packed directory", hint="letters, digits, _ . and -; a file elsewhere: -o FILE"
        )
    return f"{directory(store)}/{name}{_SUFFIX}"


def find(store: Store, name: str) -> str:
    """The file of the tree of that name. NotFound."""
    path = path_of(store, name)
    store.wait()
    if not os.path.isfile(path):
        raise NotFound(
            f"no such packed directory: {name}", hint=f"`rootless image pack DIR {name}` makes it; a file's path has a / in it: ./{name}"
        )
    return path


def names(store: Store) -> dict[str, int]:
    """All of them, and their sizes in bytes."""
    found = {}
    try:
        with os.scandir(directory(store)) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    found[entry.name.removesuffix(_SUFFIX)] = entry.stat().st_size
    except FileNotFoundError:
        pass
    return dict(sorted(found.items()))


def remove(store: Store, name: str) -> None:
    """Forget the tree of that name. NotFound."""
    os.unlink(find(store, name))
