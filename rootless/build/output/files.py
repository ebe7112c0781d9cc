"""-o type=local and type=tar: the files of the target, no image."""

from __future__ import annotations

import os
from typing import BinaryIO

from rootless.build.execute.stage_root import view
from rootless.engine.files import copy_tree
from rootless.storage import named_paths, output_file
from rootless.storage.layers.file_times import FileTimes
from rootless.storage.layers.image_owners import ImageOwners
from rootless.storage.layers.write_tar import write_tree
from rootless.storage.owner_file import LinkOwners
from rootless.storage.store import Store


def write_directory(store: Store, layers: list[str], path: str) -> list[str]:
    """Copy the files into the directory `path`, made where it is missing, as the caller's own; what is there
    stays. What was left out (devices, sockets), one line each."""
    try:
        target = named_paths.make_directory(path, "the directory")
    except OSError as error:
        raise named_paths.failure(path, error, "cannot write to") from None
    try:
        with view(store, layers) as root:
            source = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
            try:
                # Set-user-id bits would lend the caller's rights to others.
                return copy_tree.contents(source, target, copy_tree.Policy((0, 0), special_bits=False))
            finally:
                os.close(source)
    finally:
        os.close(target)


def write_tar(store: Store, layers: list[str], out: BinaryIO, times: FileTimes | None = None) -> None:
    """Write the files, with their owners, as one tar stream."""
    with view(store, layers) as root:
        write_tree(root, out, owners=ImageOwners(store, layers), times=times, links=LinkOwners({}))


def write_tar_file(store: Store, layers: list[str], path: str, times: FileTimes | None = None) -> None:
    """The same into the file `path`, which is there when it is whole."""
    with output_file.writing(path) as file:
        write_tar(store, layers, file, times)
