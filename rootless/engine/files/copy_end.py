"""One side of a copy: the host's own file system, or a container's root, below which its paths are resolved."""

from __future__ import annotations

import os

from rootless.engine.files.entry import FileEntry, identity
from rootless.engine.options.userns import IdMap
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.linux.filesystem import filesystem_type
from rootless.linux.mount import mount_id
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.storage import named_paths, owner_file
from rootless.storage.drivers import shifted
from rootless.storage.owner_file import LinkOwners

PATH_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40


class CopyEnd:
    """`root_fd`: the container's root, the caller's; -1 for the host. `id_map`: of a container whose files we
    see with other owners than it does. `runs`: its kernel file systems and what it has in memory are there.
    `container_dir`: where it keeps whose its links are, "" for no container.
    `shown`: its root is mounted for reading, and may be written to all the same. `staged`: the name at its top of what is to
    be copied into it, "" where that lies elsewhere. `called`: the container, as the user wrote it, for errors."""

    def __init__(
        self, root_fd: int, id_map: IdMap | None = None, container_dir: str = "",
        *, runs: bool = False, shown: bool = False, staged: str = "",
    ) -> None:  # fmt: skip
        self.root_fd = root_fd
        self.called = ""
        self._container_dir = container_dir
        self.runs = runs
        self.shown = shown
        self.staged = staged
        self.into = shifted.into(id_map["uid"], id_map["gid"]) if id_map else None
        self.out_of = shifted.out_of(id_map["uid"], id_map["gid"]) if id_map else None

    @property
    def on_host(self) -> bool:
        """Whether it is no container's."""
        return self.root_fd < 0

    @property
    def links(self) -> LinkOwners:
        """The owners of its links and pipes, as far as they are recorded."""
        return owner_file.read(self._container_dir) if self._container_dir else LinkOwners({})

    @property
    def top(self) -> tuple[int, int] | None:
        """What identifies the root of a container that runs."""
        return identity(os.fstat(self.root_fd)) if self.runs else None

    def open(self, path: str, flags: int) -> int:
        """Open a path on this side, links resolved inside it. InvalidInput for one of another account in the host's /tmp."""
        if self.on_host:
            return named_paths.open_followed(path, "the path", flags=flags)
        inside = "./" + path.lstrip("/")
        return openat2(self.root_fd, inside, flags | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

    def is_directory(self, path: str) -> bool:
        """Whether the path, links followed, is a directory."""
        try:
            os.close(self.open(path, PATH_DIRECTORY))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def resolved(self, path: str) -> str:
        """The path with a link in its last component followed, at most 40 times. InvalidInput as of `open`."""
        if self.on_host:
            return named_paths.follow(path, "the path") or path
        asked = path
        for _ in range(_MOST_LINKS):
            parent, name = os.path.split(path.rstrip("/") or "/")
            if not name:
                return "/"
            try:
                directory = self.open(parent or ".", PATH_DIRECTORY)
            except (FileNotFoundError, NotADirectoryError):
                return path
            try:
                target = os.readlink(name, dir_fd=directory)
            except OSError:
                return path
            finally:
                os.close(directory)
            path = target if target.startswith("/") else os.path.join(parent, target)
        raise InvalidInput(f"too many links: {asked}")

    def entry(self, path: str, *, what: str) -> FileEntry:
        """The parent directory opened, to be closed by the caller, and the last name; "." for the root
        itself. NotFound, which names `what`, where there is no such directory."""
        clean = os.path.normpath(path)
        parent, name = os.path.split(clean)
        if name in ("", ".", ".."):
            parent, name = clean, "."
        return FileEntry(self.open_directory(parent or ".", what=what), name)

    def open_directory(self, path: str, *, what: str) -> int:
        """The directory at `path`, for listing; the caller's. NotFound names `what`."""
        try:
            return self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            raise self.missing(what) from None

    def missing(self, path: str) -> NotFound:
        """The error where there is nothing at `path`, in Docker's words for this side."""
        if self.on_host:
            return NotFound(f"lstat {path}: no such file or directory")
        return NotFound(f"Could not find the file {path} in container {self.called}")

    def refuse_read_only(self, directory: int, path: str) -> None:
        """Conflict, in Docker's words, where nothing can be written in a container's `directory`."""
        if self.on_host or not os.fstatvfs(directory).f_flag & os.ST_RDONLY:
            return
        if mount_id(directory) == mount_id(self.root_fd):
            if self.shown:
                return
            raise Conflict("container rootfs is marked read-only")
        if not self.runs and filesystem_type(directory) == "tmpfs":
            raise Conflict(
                f"{path} is on a tmpfs, which holds nothing while the container does not run",
                hint="start the container first",
            )
        raise Conflict("mounted volume is marked read-only")
