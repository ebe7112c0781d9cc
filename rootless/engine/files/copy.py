"""`cp`: between containers, running or not, and the host; Docker's rules for what goes where.

A container's side is a descriptor of its root; every path of the user is resolved below it
with openat2(RESOLVE_IN_ROOT) (CVE-2018-15664, CVE-2019-14271: nothing of the container's is executed
or followed outside). Wants the session joined.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, NamedTuple

from rootless.engine.files import copy_tree
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.copy_tree import Policy
from rootless.engine.files.entry import FileEntry
from rootless.errors import Conflict, InvalidInput, NotFound, NotSupported
from rootless.storage.store import Store

Owners = Callable[[int, int], "tuple[int, int]"]


class Origin(NamedTuple):
    """What is to be copied. `name` is what it is called below an existing directory, "" for its contents."""

    entry: FileEntry
    mode: int
    name: str


def copy(
    source: CopyEnd, source_path: str, target: CopyEnd, target_path: str, *, archive: bool, follow_link: bool
) -> list[str]:
    """Copy as `docker cp` does; what was left out, a line each. NotFound, Conflict, InvalidInput."""
    with ExitStack() as stack:
        origin = _origin(source, source_path, stack, follow_link=follow_link)
        policy = _policy(source, target, archive=archive)
        is_directory = stat.S_ISDIR(origin.mode)
        if target.is_directory(target_path):
            directory = target.open_directory(target_path, what=target_path)
            stack.callback(os.close, directory)
            target.refuse_read_only(directory, target_path)
            with _read_only_explained(target):
                return copy_tree.copy(origin.entry, FileEntry(directory, origin.name or "."), policy)
        # Neither it nor what a link of that name leads to is a directory.
        wanted = _asserts_directory(target_path)
        destination = target.entry(target.resolved(_plain(target_path)), what=os.path.dirname(_plain(target_path)))
        stack.callback(os.close, destination.directory)
        there = destination.stat()
        if there is not None:
            _check_replaced(there, target_path, origin, source_path, wanted=wanted)
        elif wanted and not is_directory:
            raise NotFound(f"no such directory: {target_path}")
        target.refuse_read_only(destination.directory, target_path)
        with _read_only_explained(target):
            return copy_tree.copy(origin.entry, destination, policy)


def _origin(source: CopyEnd, path: str, stack: ExitStack, *, follow_link: bool) -> Origin:
    """A trailing "/" or "/." follows a link, and wants a directory; "/." and the root mean what is in it."""
    name = os.path.basename(os.path.normpath(path))
    if _asserts_directory(path):
        try:
            fd = source.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise source.missing(path) from None
        except NotADirectoryError:
            raise NotFound(f"{path}: not a directory") from None
        stack.callback(os.close, fd)
        contents = os.path.basename(path) == "." or name in ("", ".", "..")
        return Origin(FileEntry(fd, "."), os.fstat(fd).st_mode, "" if contents else name)
    entry = source.entry(source.resolved(path) if follow_link else path, what=path)
    stack.callback(os.close, entry.directory)
    status = entry.stat()
    if status is None:
        raise source.missing(path)
    if stat.S_ISSOCK(status.st_mode) or stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        kind = "socket" if stat.S_ISSOCK(status.st_mode) else "device"
        raise NotSupported(f"{path} is a {kind}, and cannot be copied")
    return Origin(entry, status.st_mode, name)


def _asserts_directory(path: str) -> bool:
    return path.endswith("/") or os.path.basename(path) == "."


def _plain(path: str) -> str:
    """The path without the "/" or "/." at its end."""
    while path not in ("/", ".") and _asserts_directory(path):
        path = path.rstrip("/") or "/" if path.endswith("/") else path[:-1]
    return path


def _check_replaced(
    there: os.stat_result, path: str, origin: Origin, source_path: str, *, wanted: bool
) -> None:
    """Refuse what cannot be put in the place of a file, or of what is no file at all."""
    if wanted:
        raise Conflict(f"{path}: not a directory")
    if stat.S_ISDIR(origin.mode):
        raise Conflict(f"cannot copy directory {source_path} to file {path}")
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)):
        raise InvalidInput(f'destination "{path}" must be a directory or a regular file')


def _policy(source: CopyEnd, target: CopyEnd, *, archive: bool) -> Policy:
    bits, top = not target.on_host, source.top
    if archive:
        return Policy(None, special_bits=bits, kept=_kept(source.out_of, target.into), top=top, links=source.links)
    return Policy(target.into(0, 0) if target.into else (0, 0), special_bits=bits, top=top)


def _kept(out_of: Owners | None, into: Owners | None) -> Owners | None:
    if out_of is None or into is None:
        return out_of or into
    first, second = out_of, into
    return lambda uid, gid: second(*first(uid, gid))


@contextmanager
def _read_only_explained(target: CopyEnd) -> Iterator[None]:
    """What is mounted read-only somewhere below where we began."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EROFS or target.on_host:
            raise
        raise Conflict(f"mounted volume is marked read-only: {error.filename or ''}".rstrip(": ")) from None


def write_tar(source: CopyEnd, path: str, out: IO[bytes], *, follow_link: bool, name: str | None = None) -> list[str]:
    """`cp CONTAINER:PATH -`: the file or tree as a tar stream on `out`; what was left out, a line each. `name`: what
    it is called there, None for its own, "/" for names that begin with a slash."""
    from rootless.engine.files.tar_stream import write

    with ExitStack() as stack:
        origin = _origin(source, path, stack, follow_link=follow_link)
        name = (origin.name or ".") if name is None else name
        return write(origin.entry, name, out, shown=source.out_of, top=source.top, links=source.links)


def read_tar(store: Store, target: CopyEnd, path: str, stream: IO[bytes]) -> list[str]:
    """`cp - CONTAINER:PATH`: a tar stream, plain or compressed, unpacked into an existing directory."""
    if not target.is_directory(path):
        raise NotFound(f'destination "{path}" must be a directory')
    from rootless.engine.files.tar_stream import unpacked

    refuse_unwritable(target, path)
    with unpacked(store, stream) as inside:
        return put_contents(inside, target, path)


def refuse_unwritable(target: CopyEnd, path: str) -> None:
    """Conflict where nothing can be written into the directory, NotFound where it is not there."""
    outside = target.open_directory(path, what=path)
    try:
        target.refuse_read_only(outside, path)
    finally:
        os.close(outside)


def put_contents(
    inside: int, target: CopyEnd, path: str, *, owner: tuple[int, int] | None = None, replace: bool = False
) -> list[str]:
    """Copy what is in the directory `inside` into one that is there. `owner`: whose, in the container, everything becomes,
    None: as it is; `replace`: also a directory by a file, and a file by a directory. What was left out, a line each."""
    with ExitStack() as stack:
        outside = target.open_directory(path, what=path)
        stack.callback(os.close, outside)
        target.refuse_read_only(outside, path)
        if owner is not None and target.into is not None:
            owner = target.into(*owner)
        with _read_only_explained(target):
            policy = Policy(owner, special_bits=True, kept=target.into, replace=replace, moves=bool(target.staged))
            return copy_tree.contents(inside, outside, policy)
