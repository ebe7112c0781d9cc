"""The root of a container that runs from an image file, a squashfs or a SIF file at a path of the user's: nothing is unpacked,
and what the container writes is in its own directory. Imported where there is one.
"""

from __future__ import annotations

import os
import sys

from rootless.engine.files.mounts import bind_sources
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotSupported
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.runtime.squashfs import connect, header
from rootless.session import session


def check(record: ContainerConfig) -> None:
    """At create: InvalidInput or NotFound where the file cannot be a root, NotSupported for ids that it cannot be shown with."""
    path = record["rootfs"]
    if os.path.isdir(path):
        raise InvalidInput(f"{path} is a directory", hint=f"to run what is in it: rootless run --rootfs {path} COMMAND")
    if record["userns"] not in ("", "host", "private") or record.get("id_map"):
        raise NotSupported(
            f"an image file cannot be shown with other ids (--userns={record['userns'] or 'of the pod'})",
            hint="leave --userns away: an image file's owners are those that the session has",
        )
    found = _find(path)
    if found.ids > 1 and session.join().single_id:
        print(
            f"rootless: warning: {path} has files of {found.ids} owners, and you have one id: those of other users are shown as "
            "nobody's and cannot be changed\nhint: make it with all files root's: mksquashfs -all-root",
            file=sys.stderr,
        )


def _find(path: str) -> header.Squashfs:
    fd = connect.open_image(_image(path))
    try:
        return header.find(fd, path)
    finally:
        os.close(fd)


def _image(path: str) -> header.ImageFile:
    exact = bind_sources.follow(path)
    return header.ImageFile(exact or path, exact is not None)


def prepare(record: ContainerConfig, directory: str) -> Rootfs:
    """The container's root; what it has written is in `directory`. Wants the session joined."""
    paths = {name: f"{directory}/{name}" for name in ("upper", "work", "merged")}
    for name, path in paths.items():
        try:
            os.mkdir(path, 0o755 if name == "upper" else 0o700)
        except FileExistsError:
            pass
    return Rootfs(
        "overlay", (), paths["upper"], paths["work"], paths["merged"], record["read_only"], image=_image(record["rootfs"])
    )
