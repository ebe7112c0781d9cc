"""Secrets and configs that are written into a container: from the environment, from the compose file, or with an owner."""

from __future__ import annotations

import io
import os
import tarfile
from typing import IO

from rootless.compose import disk
from rootless.compose.converge.request_mounts import is_copied, target_of
from rootless.compose.load.project import Project
from rootless.engine.files import copy_tree, view
from rootless.engine.files.copy_tree import Policy
from rootless.engine.files.tar_stream import unpacked
from rootless.errors import InvalidInput, NotFound
from rootless.storage.store import Store

_LARGEST = 500 * 1024
"""As Docker bounds a secret."""


def files(project: Project, service: str) -> dict[str, tuple[bytes, int, int, int]]:
    """By path in the container: the text, uid, gid and mode. NotFound for a variable or a file that is not there."""
    config = project.services[service]
    found = {}
    for kind in ("secrets", "configs"):
        for entry in config.get(kind) or ():
            source = project.resources(kind)[entry["source"]]
            if not is_copied(kind, entry, source):
                continue
            text = _text(project, kind, str(entry["source"]))
            mode = entry.get("mode")
            owner = [int(str(entry.get(key) or 0)) for key in ("uid", "gid")]
            found[target_of(kind, entry)] = (text, owner[0], owner[1], 0o444 if mode is None else int(mode))
    return found


def _text(project: Project, kind: str, name: str) -> bytes:
    source = project.resources(kind)[name]
    if source.get("content") is not None:
        return str(source["content"]).encode()
    if source.get("environment"):
        value = project.environment.get(str(source["environment"]))
        if value is None:
            raise NotFound(f'{kind}.{name}: environment variable "{source["environment"]}" required by {kind.removesuffix("s")} is not set')
        return value.encode("utf-8", "surrogateescape")
    try:
        text = disk.read_bytes(str(source["file"]), _LARGEST, f"{kind}.{name}: the file")
    except OSError as error:
        raise NotFound(f"{kind}.{name}: {source['file']}: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise InvalidInput(f"{kind}.{name} is larger than {_LARGEST // 1024} kB")
    return text


def put(store: Store, identifier: str, project: Project, service: str) -> None:
    """Write them into the container, which does not run. The caller has joined the session. Idempotent."""
    wanted = files(project, service)
    if not wanted:
        return
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for directory in sorted({above for path in wanted for above in directories_above(path)}):
            head = tarfile.TarInfo(directory.lstrip("/"))
            head.type, head.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(head)
        for path, (text, uid, gid, mode) in wanted.items():
            head = tarfile.TarInfo(path.lstrip("/"))
            head.size, head.uid, head.gid, head.mode = len(text), uid, gid, mode
            tar.addfile(head, io.BytesIO(text))
    archive.seek(0)
    unpack(store, identifier, archive)


def unpack(store: Store, identifier: str, archive: IO[bytes]) -> None:
    """Put the files of a tar archive where they belong below the container's root. The caller has joined the session."""
    with view.files(store, [identifier]) as places:
        target = places[0]
        outside = target.open_directory("/", what="/")
        try:
            with unpacked(store, archive) as inside:
                copy_tree.contents(inside, outside, Policy(None, special_bits=True, kept=target.into))
        finally:
            os.close(outside)


def directories_above(path: str) -> list[str]:
    """The directories that hold the path, without the root."""
    found = []
    while (path := os.path.dirname(path)) not in ("/", ""):
        found.append(path)
    return found
