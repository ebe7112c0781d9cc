"""`cp`: between a container, running or not, and the host; Docker's rules for what goes where.

The container's side is a descriptor of its root; every path of the user is resolved below it
with openat2(RESOLVE_IN_ROOT) (CVE-2018-15664, CVE-2019-14271: nothing of the container's is executed
or followed outside). Wants the session joined.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rootless.engine.files import tree
from rootless.engine.files.tree import Entry, Policy
from rootless.engine.state import running
from rootless.engine.state.record import Record
from rootless.engine.state.userns import IdMap
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.runtime.root import Root, mounted
from rootless.storage import containers, rootfs, shifted
from rootless.storage.store import Store

_PATH_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_LINKS = 40


@contextmanager
def container_root(store: Store, identifier: str) -> Iterator[Place]:
    """The container's root, as an O_PATH descriptor: the live one, or mounted for us alone."""
    id_map = containers.config(store, identifier).get("id_map")
    found = running.find(store, identifier)
    if found is not None:
        with found:
            fd = os.open(f"/proc/{found.pid}/root", _PATH_DIRECTORY)
        try:
            yield Place(fd, id_map)
        finally:
            os.close(fd)
        return
    with containers.lock(store, identifier), mounted(stopped_root(store, identifier)) as fd:
        # Where nothing is copied, what a container with ids of its own wrote lies there with the session's.
        copied = id_map and shifted.is_copy(containers.directory(store, identifier))
        yield Place(fd, id_map if copied else None)


def stopped_root(store: Store, identifier: str) -> Root:
    """The root of a container that does not run."""
    record: Record = containers.config(store, identifier)  # type: ignore[assignment]
    if record["rootfs"]:
        return Root("directory", (), "", "", record["rootfs"], False)
    return rootfs.prepare(store, containers.directory(store, identifier), record["diff_ids"])


class Place:
    """One side of a copy: a root descriptor, or -1 for the host's own file system. `id_map`: of a container
    whose files we see with other owners than it does."""

    def __init__(self, root_fd: int, id_map: IdMap | None = None) -> None:
        self.root_fd = root_fd
        self.into = shifted.into(id_map["uid"], id_map["gid"]) if id_map else None
        self.out_of = shifted.out_of(id_map["uid"], id_map["gid"]) if id_map else None

    def open(self, path: str, flags: int) -> int:
        """Open a path on this side, links resolved inside it."""
        if self.root_fd < 0:
            return os.open(path, flags | os.O_CLOEXEC)
        inside = "./" + path.lstrip("/")
        return openat2(
            self.root_fd, inside, flags | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )

    def is_directory(self, path: str) -> bool:
        """Whether the path, links followed, is a directory."""
        try:
            os.close(self.open(path, _PATH_DIRECTORY))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def resolved(self, path: str) -> str:
        """The path with a link in its last component followed, at most 40 times."""
        for _ in range(_MOST_LINKS):
            parent, name = os.path.split(path.rstrip("/") or "/")
            if not name:
                return "/"
            directory = self.open(parent or ".", _PATH_DIRECTORY)
            try:
                target = os.readlink(name, dir_fd=directory)
            except OSError:
                return path
            finally:
                os.close(directory)
            path = target if target.startswith("/") else os.path.join(parent, target)
        raise InvalidInput(f"too many links: {path}")


def copy(
    source: Place, source_path: str, target: Place, target_path: str, *, archive: bool, follow_link: bool
) -> list[str]:
    """Copy as `docker cp` does; what was left out, a line each. NotFound, Conflict."""
    contents_only = source_path.endswith("/.") or source_path in (".", "/")
    clean_source = source_path if follow_link is False else source.resolved(source_path)
    with ExitStack() as stack:
        origin = _open_entry(source, clean_source, stack, what=source_path)
        status = origin.stat()
        if status is None:
            raise NotFound(f"Could not find the file {source_path}")
        is_directory = stat.S_ISDIR(status.st_mode)
        if source_path.endswith("/") and not contents_only and not is_directory:
            raise NotFound(f"{source_path}: not a directory")
        policy = _policy(source, target, archive=archive)
        if target.is_directory(target_path):
            if is_directory and contents_only:
                return _merge(origin, target, target_path, policy, stack)
            name = os.path.basename(os.path.normpath(clean_source if clean_source != "/" else "."))
            directory = target.open(target_path, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, directory)
            return tree.copy(origin, Entry(directory, name), policy)
        destination = _open_entry(target, target.resolved(target_path), stack, what=target_path)
        there = destination.stat()
        if is_directory and there is not None:
            raise Conflict(f"cannot copy directory {source_path} to file {target_path}")
        if not is_directory and there is None and target_path.endswith("/"):
            raise NotFound(f"no such directory: {target_path}")
        return tree.copy(origin, destination, policy)


def _policy(source: Place, target: Place, *, archive: bool) -> Policy:
    on_host = target.root_fd < 0
    if archive:
        return Policy(None, special_bits=not on_host, kept=target.into or source.out_of)
    return Policy(target.into(0, 0) if target.into else (0, 0), special_bits=not on_host)


def _open_entry(place: Place, path: str, stack: ExitStack, *, what: str) -> Entry:
    """The parent directory opened and the last name; "." for the root itself."""
    clean = os.path.normpath(path)
    parent, name = os.path.split(clean)
    if name in ("", ".", ".."):
        parent, name = clean, "."
    try:
        directory = place.open(parent or ".", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"Could not find the file or directory {what}") from None
    stack.callback(os.close, directory)
    return Entry(directory, name)


def _merge(origin: Entry, target: Place, target_path: str, policy: Policy, stack: ExitStack) -> list[str]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    inside = os.open(origin.name, flags | os.O_NOFOLLOW, dir_fd=origin.directory)
    stack.callback(os.close, inside)
    outside = target.open(target_path, os.O_RDONLY | os.O_DIRECTORY)
    stack.callback(os.close, outside)
    return tree.contents(inside, outside, policy)


def write_tar(source: Place, path: str, *, follow_link: bool) -> None:
    """`cp CONTAINER:PATH -`: the file or tree as a tar stream on stdout."""
    from rootless.engine.files.tar_stream import write

    with ExitStack() as stack:
        origin = _open_entry(source, source.resolved(path) if follow_link else path, stack, what=path)
        if origin.stat() is None:
            raise NotFound(f"Could not find the file {path}")
        sys.stdout.flush()
        write(origin, os.path.basename(os.path.normpath(path)) or ".", sys.stdout.buffer, source.out_of)


def read_tar(store: Store, target: Place, path: str) -> list[str]:
    """`cp - CONTAINER:PATH`: a tar stream from stdin unpacked into an existing directory."""
    if not target.is_directory(path):
        raise NotFound(f'destination "{path}" must be a directory')
    from rootless.engine.files.tar_stream import unpacked

    with ExitStack() as stack:
        inside = stack.enter_context(unpacked(store, sys.stdin.buffer))
        outside = target.open(path, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, outside)
        return tree.contents(inside, outside, Policy(None, special_bits=True, kept=target.into))
