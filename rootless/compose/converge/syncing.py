"""Files of the host written into a running container, and taken out of it: `develop.watch`'s sync."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile

from rootless.compose.converge.contents import directories_above, unpack
from rootless.engine.lifecycle import exec as engine_exec
from rootless.engine.lifecycle.exec import ExecOptions
from rootless.errors import CommandNotFound
from rootless.storage.store import Store


def sync(store: Store, identifier: str, files: list[list[str]], gone: list[str]) -> None:
    """Write `files`, pairs of a host's path and a container's, and remove what is `gone` by the container's own rm. What has
    vanished since is left out. The owner is the container's root, as with `docker compose watch`."""
    with tempfile.TemporaryFile() as archive:
        count = 0
        made: set[str] = set()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for host_path, guest_path in files:
                count += _add(tar, host_path, guest_path, made)
        if count:
            archive.seek(0)
            unpack(store, identifier, archive)
    if gone:
        try:
            entered, execution = engine_exec.execute(store, identifier, ExecOptions(["rm", "-rf", "--", *gone], user="0:0"))
        except CommandNotFound:
            return  # an image without a shell keeps what was removed on the host
        engine_exec.streams(entered, stdin=None).run()
        engine_exec.report_end(execution, engine_exec.exit_code(entered))


def _add(tar: tarfile.TarFile, host_path: str, guest_path: str, made: set[str]) -> int:
    """Put the file into the archive, with the directories above it; 0 where there is none any more, or it is no file."""
    try:
        status = os.lstat(host_path)
        head = tarfile.TarInfo(guest_path.lstrip("/"))
        head.mode, head.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            head.type, head.linkname = tarfile.SYMTYPE, os.readlink(host_path)
            _directories(tar, guest_path, made)
            tar.addfile(head)
            return 1
        if not stat.S_ISREG(status.st_mode):
            return 0
        # Not through a link that was put there since.
        with open(os.open(host_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            head.size = os.fstat(file.fileno()).st_size
            _directories(tar, guest_path, made)
            tar.addfile(head, file)
        return 1
    except FileNotFoundError:
        return 0


def _directories(tar: tarfile.TarFile, guest_path: str, made: set[str]) -> None:
    for directory in reversed(directories_above(guest_path)):
        if directory not in made:
            made.add(directory)
            head = tarfile.TarInfo(directory.lstrip("/"))
            head.type, head.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(head)
