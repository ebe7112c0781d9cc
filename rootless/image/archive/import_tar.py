"""`import`: a tarball of a root file system becomes an image of one layer."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO

from rootless.errors import Corrupt, InvalidInput, NotFound, RootlessError
from rootless.image import decompress, platforms, reference
from rootless.image.archive import instructions
from rootless.image.platforms import Platform
from rootless.image.progress import Event, Phase, Progress, silent
from rootless.image.transfer import new_image
from rootless.image.trust import policy
from rootless.storage.images import Image
from rootless.storage.store import Store

_EMPTY = "sha256:" + hashlib.sha256().hexdigest()


def import_tar(
    store: Store,
    path: str,
    name: str | None = None,
    *,
    change: Sequence[str] = (),
    message: str = "",
    platform: Platform | None = None,
    progress: Progress = silent,
    stdin: IO[bytes] | None = None,
) -> Image:
    """Import the tar at `path` ("-" is stdin, or what stands in for it), plain or compressed (gzip, zstd, bzip2, xz).

    Without `name` the image is dangling. Call single-threaded. Raises Corrupt for what is no tar.
    """
    policy.check_archive("tarball", path)
    canonical = reference.parse(name).canonical if name else None
    run_config = instructions.apply({}, change)
    created = new_image.timestamp()
    source = "-" if path == "-" else os.path.basename(path)
    with open_input(path, stdin) as file, store.lease():
        progress(Event("", Phase.MESSAGE, text=f"Importing {path if path != '-' else 'standard input'}"))
        layer = new_image.add_layer(store, decompress.open_stream(file, what=source))
        if layer.diff_id == _EMPTY:
            raise InvalidInput(f"{path} is empty", hint="a tar archive of a root file system is expected")
        try:
            return new_image.add_image(
                store,
                canonical,
                [layer],
                run_config=run_config,
                history=[{"created": created, "created_by": f"import {source}", "comment": message}],
                created=created,
                platform=platform or platforms.host(),
                progress=progress,
            )
        except Corrupt as error:
            raise Corrupt(f"{path} is no sound tar archive: {error.message}", hint=error.hint) from None


@contextlib.contextmanager
def open_input(path: str, stdin: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """The file at `path`, "-" for `stdin`, or our own (which must not be a terminal)."""
    if path == "-":
        if stdin is not None:
            yield stdin
            return
        if sys.stdin is None or sys.stdin.isatty():
            raise InvalidInput(
                "refusing to read an archive from the terminal", hint="give a file, or pipe one in"
            )
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    except OSError as error:
        raise RootlessError(f"cannot read {path}: {error.strerror}") from None
    with file:
        yield file
