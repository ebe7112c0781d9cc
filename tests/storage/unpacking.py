"""Archives unpacked as layers, and trees told in words."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from rootless.storage.layers import layers
from rootless.storage.layers.extract import Limits
from rootless.storage.store import Store
from tests.storage import tars


def unpack(store: Store, data: bytes, *, limits: Limits | None = None) -> layers.Unpacked:
    return layers.unpack(store, tars.diff_id(data), io.BytesIO(data), limits=limits)


def listing(top: str) -> dict[str, tuple[int, int, int, int, str | int | None, int]]:
    """{path: (mode, uid, gid, mtime_ns, contents or target, link count)}."""
    found = {}
    for where, dirs, files in os.walk(top):
        for name in [*dirs, *files]:
            path = os.path.join(where, name)
            status = os.lstat(path)
            content: str | int | None = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = hash(Path(path).read_bytes())
            links = 0 if stat.S_ISDIR(status.st_mode) else status.st_nlink
            found[os.path.relpath(path, top)] = (
                status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content, links,
            )  # fmt: skip
    return found
