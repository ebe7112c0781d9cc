"""Contexts that are no directory yet: a tar archive or a Dockerfile alone on stdin or at a URL, a repository.

Each becomes a directory of the store that goes when the build ends. No ignore file applies to them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless.build.context import archive, git, http
from rootless.build.context.source_tree import DIRECTORY
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan import git_url
from rootless.build.plan.steps import GitSource, HttpSource
from rootless.errors import InvalidInput
from rootless.image import decompress
from rootless.image.decompress import ByteSource
from rootless.storage import staging
from rootless.storage.store import Store
from rootless.storage.tar.source import BLOCK

_LARGEST_DOCKERFILE = 16 << 20
_GITHUB = "github.com/"


class FetchedContext(NamedTuple):
    """`directory` has the files, and the Dockerfile among them, unless the `dockerfile` was all there was.

    `time`, where there is one: that of the commit, what the server says of the file, or that of an archive's newest
    file; in seconds since 1970. `owners`: of an archive's files that have none here, as archive.Unpacked has them."""

    directory: str
    dockerfile: bytes | None = None
    time: int | None = None
    owners: dict[str, tuple[int, int]] = {}


def is_remote(word: str) -> bool:
    """Whether a context is to be fetched: a URL of http or https, or a repository; else it is a path, or `-`."""
    return word.startswith(("http://", "https://")) or repository(word) is not None


def repository(word: str) -> GitSource | None:
    """The repository that a context's word names, or None. InvalidInput for one that is not proper."""
    if word.startswith(_GITHUB) and not os.path.isdir(word):
        # Docker's oldest form, without a scheme.
        path, mark, rest = word.partition("#")
        word = f"https://{path if path.endswith('.git') else path + '.git'}{mark}{rest}"
    try:
        return git_url.parse(word)
    except DockerfileError as error:
        raise InvalidInput(str(error)) from None


@contextmanager
def from_remote(
    store: Store,
    word: str,
    *,
    ssh_socket: str = "",
    authorization: http.Authorization = lambda host: None,
    keeps_owners: bool = False,
) -> Iterator[FetchedContext]:
    """What `is_remote` says is to be fetched. Errors as git.checked_out and http.download have them.

    `keeps_owners`: the files of an archive are those whom it names, as far as they have an id here; else root's."""
    source = repository(word)
    if source is not None:
        with git.checked_out(store, source, ssh_socket=ssh_socket) as checkout:
            yield FetchedContext(checkout.directory, time=checkout.time)
        return
    with staging.directory(store, "download") as path:
        http.download(store, word, path + "/file", authorization=authorization)
        fd = os.open(path + "/file", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with from_stream(store, archive.FromStart(fd), name=http.shown(word), keeps_owners=keeps_owners) as found:
                yield found._replace(time=_last_modified(fd) or found.time)
        finally:
            os.close(fd)


def time_of(
    store: Store, source: HttpSource | GitSource, *, ssh_socket: str = "", authorization: http.Authorization = lambda host: None
) -> int | None:
    """The `time` of what an ADD fetches. Errors as `from_remote`, and Corrupt for another checksum."""
    if isinstance(source, GitSource):
        with git.checked_out(store, source, ssh_socket=ssh_socket) as checkout:
            return checkout.time
    with staging.directory(store, "download") as path:
        http.download(store, source.url, path + "/file", checksum=source.checksum, authorization=authorization)
        fd = os.open(path + "/file", os.O_RDONLY | os.O_CLOEXEC)
        try:
            modified = _last_modified(fd)
            if modified is not None or not archive.is_archive(fd):
                return modified
            with from_stream(store, archive.FromStart(fd), name=http.shown(source.url)) as found:
                return found.time
        finally:
            os.close(fd)


def _last_modified(download: int) -> int | None:
    return int(os.fstat(download).st_mtime) or None


@contextmanager
def from_stream(
    store: Store, stream: ByteSource, *, name: str = "standard input", keeps_owners: bool = False
) -> Iterator[FetchedContext]:
    """An archive, plain or compressed, as a directory; anything else is a Dockerfile, and its context is empty.

    Corrupt for a damaged archive; InvalidInput for a Dockerfile of more than 16 MB.
    """
    head = b""
    while len(head) < BLOCK and (more := stream.read(BLOCK)):
        head += more
    with staging.directory(store, "context") as path:
        # An archive of nothing is two blocks of zeros, of which no Dockerfile has one.
        empty = len(head) >= BLOCK and not head.strip(b"\0")
        if empty or decompress.compression(head) or archive.is_header(head):
            os.chmod(path, 0o755)
            directory = os.open(path, DIRECTORY)
            try:
                done = archive.unpack(_Rejoined(head, stream), directory, name=name, owner=None if keeps_owners else (0, 0))
            finally:
                os.close(directory)
            yield FetchedContext(path, time=_newest(path), owners=done.owners)
            return
        while len(head) <= _LARGEST_DOCKERFILE and (more := stream.read(1 << 20)):
            head += more
        if len(head) > _LARGEST_DOCKERFILE:
            raise InvalidInput(f"{name} is no archive, and too large for a Dockerfile")
        yield FetchedContext(path, head)


def _newest(directory: str) -> int | None:
    """The time of the newest file, in whole seconds."""
    found: int | None = None
    for where, _, names in os.walk(directory):
        for name in names:
            status = os.lstat(f"{where}/{name}")
            if stat.S_ISREG(status.st_mode):
                found = max(int(status.st_mtime), found or 0)
    return found


class _Rejoined:
    """What was read to look at it, then the rest."""

    def __init__(self, head: bytes, stream: ByteSource) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data
