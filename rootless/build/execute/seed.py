"""RUN --mount=type=cache,from=...: what a new cache directory begins with."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from rootless.build.execute.stage_root import view
from rootless.build.execute.tree import Tree
from rootless.engine.files import copy_tree
from rootless.engine.state import emulated_ids
from rootless.errors import InvalidInput
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.runtime.rootfs_path import open_in_root
from rootless.storage import named_paths
from rootless.storage.store import Store


def _view(store: Store, tree: Tree, aside: str) -> AbstractContextManager[int]:
    if tree.layers:
        return view(store, tree.layers)
    exact = named_paths.follow(tree.directory, "the context")
    return mounted(Rootfs("directory", (exact or tree.directory,), "", "", aside, readonly=True, exact=exact is not None))


def copy(store: Store, tree: Tree, source: str, data: str, aside: str) -> None:
    """Copy the content of the directory `source` of `tree` into `data`; owners and modes are kept."""
    policy = copy_tree.Policy(None, special_bits=True, emulated=emulated_ids.made_so(store, tree.layers))
    os.mkdir(aside, 0o700)
    with _view(store, tree, aside) as top:
        try:
            found = open_in_root(top, source, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InvalidInput(f'"{source}", with which a cache mount begins: {error.strerror}') from None
        try:
            target = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                copy_tree.contents(found, target, policy)
            finally:
                os.close(target)
        finally:
            os.close(found)
