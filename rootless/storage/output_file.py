"""A file of the user's that is there only when all of it has been written: what `save`, `export` and `volume export` make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rootless.storage import disk_errors, named_paths


@contextmanager
def writing(path: str) -> Iterator[BinaryIO]:
    """The file that will be `path`, for its owner alone, as Docker's: images and volumes may hold secrets. Written
    aside, fsynced and renamed, so that neither a kill nor a power cut leaves half an archive under the name asked
    for; a pipe or a device is written to as it is. Raises OSError with the file's name."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(named_paths.open_new_content(path, "the file"), "wb") as file:  # a directory fails here
            yield file
        return
    above, slash, name = path.rpartition("/")
    if slash:  # the last name is replaced, whatever it is
        path = f"{named_paths.follow(os.path.abspath(above + slash), 'the directory') or above}/{name}"
    aside = f"{path}.{os.getpid()}.partial"
    try:
        where = os.path.dirname(os.path.abspath(aside))
        with disk_errors.named(f"cannot write {path}", where), open(aside, "xb", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, path)
    except BaseException:
        try:
            os.unlink(aside)
        except FileNotFoundError:
            pass
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
