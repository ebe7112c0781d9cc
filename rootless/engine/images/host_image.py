"""The image `host`: this machine itself, made where it is first asked for. docs/development/decisions/host-image.md

It has one layer, of what the caller could not read or what would fail in a container: accounts' files and private
directories of the system, empty. All else is the machine's, mounted below it (files/mounts/host_root.py).
"""

from __future__ import annotations

import io
import itertools
import os
import stat
import tarfile
from collections.abc import Iterator

from rootless.image import platforms
from rootless.image.progress import silent
from rootless.image.transfer import new_image
from rootless.session import session
from rootless.storage import host_images, images
from rootless.storage.images import Image
from rootless.storage.store import Store

NAME = "docker.io/library/host:latest"
_SCANNED = ("etc", "var/cache", "var/lib", "var/log", "var/spool")
_DEPTH = 3
# Of /etc; what else the caller cannot read there (keys) stays unreadable.
_ACCOUNTS = (".pwd.lock", "group-", "gshadow-", "passwd-", "shadow-", "subgid-", "subuid-")
_GIVEN = ("etc/gshadow", "etc/shadow", "etc/sudoers")
_SUDOERS = "root ALL=(ALL:ALL) ALL\n"
# As many of either kind: the machine's administrator may have a large /var.
_MOST = 2000


def make(store: Store) -> Image:
    """The image, recorded under its name. Joins the session."""
    session.join()
    with store.lease():
        layer = new_image.add_layer(store, io.BytesIO(_tar()))
        image = new_image.add_image(
            store, None, [layer],
            run_config={"Cmd": ["/bin/sh"], "Labels": {host_images.LABEL: "host"}},
            history=[{"created": new_image.timestamp(), "created_by": "rootless: this machine"}],
            created=new_image.timestamp(), platform=platforms.host(), progress=silent,
        )  # fmt: skip
        host_images.mark(store, image.id)
        images.tag(store, image.id, NAME)
    return images.find(store, image.id)


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        done: set[str] = set()

        def directory(path: str) -> None:
            if path and path not in done:
                directory(os.path.dirname(path))
                done.add(path)
                tar.addfile(_entry(path, tarfile.DIRTYPE))

        def file(path: str, text: str, mode: int) -> None:
            directory(os.path.dirname(path))
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text.encode()), mode
            tar.addfile(entry, io.BytesIO(text.encode()))

        for path, is_directory in itertools.islice(_private(), _MOST):
            directory(path if is_directory else os.path.dirname(path))
            if is_directory:
                file(f"{path}/.wh..wh..opq", "", 0o600)
            else:
                tar.addfile(_entry(path, tarfile.REGTYPE))
        file("etc/shadow", "".join(f"{name}:*:19000:0:99999:7:::\n" for name in _names("/etc/passwd")), 0o600)
        file("etc/gshadow", "".join(f"{name}:*::\n" for name in _names("/etc/group")), 0o600)
        file("etc/sudoers", _SUDOERS, 0o440)
    return out.getvalue()


def _entry(path: str, kind: bytes) -> tarfile.TarInfo:
    """An empty one, with the mode and the time of the machine's."""
    found = os.lstat("/" + path)
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.mtime = kind, stat.S_IMODE(found.st_mode), int(found.st_mtime)
    return entry


def _private() -> Iterator[tuple[str, bool]]:
    """What of the system the caller cannot look into, and whether it is a directory; the rest are regular files."""
    pending = [(top, 0) for top in _SCANNED]
    while pending:
        path, depth = pending.pop()
        try:
            entries = sorted(os.scandir("/" + path), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except PermissionError:
            yield path, True
            continue
        for entry in entries:
            below = f"{path}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEPTH:
                    pending.append((below, depth + 1))
                continue
            wanted = entry.name in _ACCOUNTS if path == "etc" else not path.startswith("etc/")
            if wanted and below not in _GIVEN and entry.is_file(follow_symlinks=False) and not os.access("/" + below, os.R_OK):
                yield below, False


def _names(path: str) -> list[str]:
    """The accounts or groups of the machine's own file."""
    with open(path, errors="replace") as file:
        return [line.split(":")[0] for line in file if line.count(":") >= 3 and line[0] not in "#+-"]
