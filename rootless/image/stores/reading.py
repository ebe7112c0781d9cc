"""A store of somebody else's, opened: every file in it is found without links, is a regular one, and is read up to a limit.

Whoever wrote it may be hostile, and the file server behind it dead. Nothing is locked there, and nothing written.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import Any

from rootless import paths, user_config
from rootless.errors import DISK_ERRORS, Corrupt, NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import manifest
from rootless.image.stores import layout
from rootless.linux.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    open_without_links,
    openat2,
)
from rootless.session import outside
from rootless.storage import disk_errors, file_servers
from rootless.storage.disk_errors import Told

_BENEATH = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_LIMIT_BYTES = manifest.DOCUMENT_LIMIT_BYTES
_ALL_BYTES = 64 << 20
_LATELY_S = 10
_reached: dict[str, tuple[float, Told]] = {}
_ALL_WELL = Told("", "")


class OpenStore:
    """The store at `path`; a context manager. `named`: the user's configuration trusts it, whoever owns it. `real`: the path without
    links of the directory that is open, wherever `path` leads by now."""

    def __init__(self, path: str, *, limited: bool = True) -> None:
        """`limited`: how much is read of it in all is. Unavailable where it cannot be reached, NotFound where it is none."""
        self.path = path
        self.named = path in user_config.trusted_stores()
        self._left = _ALL_BYTES if limited else 1 << 62
        why = unreachable(path)
        if why.what:
            raise Unavailable(f"the store {path} cannot be read: {why.what}", hint=why.hint)
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.real = os.readlink(f"/proc/self/fd/{self.fd}")
        try:
            version = self.document(layout.MARKER).get("version")
        except NotFound:
            os.close(self.fd)
            raise NotFound(f"{path} is no store of images: it has no {layout.MARKER}",
                           hint=f"`rootless image publish {path} IMAGE` makes one") from None  # fmt: skip
        except BaseException:
            os.close(self.fd)
            raise
        if version != layout.VERSION:
            os.close(self.fd)
            raise NotSupported(f"{path}/{layout.MARKER}: version {version!r} of stores is not known", hint="use a newer rootless")

    def __enter__(self) -> OpenStore:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def open_file(self, name: str) -> int:
        """The regular file, open for reading; the caller's. NotFound, Corrupt and Unavailable name it."""
        where = f"{self.path}/{name}"
        try:
            # Looked at first: to open a device may do something, and a FIFO may wait.
            found = openat2(self.fd, name, os.O_PATH, resolve=_BENEATH)
            try:
                if not stat.S_ISREG(os.fstat(found).st_mode):
                    raise Corrupt(f"{where} is no regular file", hint=_tell(self.path))
                # Not waiting: its owner may have a lease on it, fcntl(2), which keeps who opens it for 45 s, and have another one then.
                return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            finally:
                os.close(found)
        except FileNotFoundError:
            raise NotFound(f"{where}: no such file", hint=_tell(self.path)) from None
        except OSError as error:
            raise self._failed(name, error) from None

    def read(self, name: str) -> bytes:
        """A small file. Raises as `open_file`."""
        fd = self.open_file(name)
        try:
            data = os.pread(fd, _LIMIT_BYTES + 1, 0)
            while len(data) <= _LIMIT_BYTES and (more := os.pread(fd, _LIMIT_BYTES + 1 - len(data), len(data))):
                data += more
        except OSError as error:
            raise self._failed(name, error) from None
        finally:
            os.close(fd)
        self._left -= len(data)
        if self._left < 0:
            raise Corrupt(f"the store {self.path} has more than {_ALL_BYTES} bytes of records", hint=_tell(self.path))
        if len(data) > _LIMIT_BYTES:
            raise Corrupt(f"{self.path}/{name} is larger than {_LIMIT_BYTES} bytes", hint=_tell(self.path))
        return data

    def document(self, name: str) -> dict[str, Any]:
        """A small file with a JSON object. Raises as `open_file`."""
        value = manifest.load_json(self.read(name), f"{self.path}/{name}")
        if not isinstance(value, dict):
            raise self.wrong(name, "no JSON object")
        return value

    def wrong(self, name: str, why: str) -> Corrupt:
        """The error for a file that is not what it should be."""
        return Corrupt(f"{self.path}/{name}: {why}", hint=_tell(self.path))

    def _failed(self, name: str, error: OSError) -> Unavailable:
        told = _told(error, self.path)
        return Unavailable(f"{self.path}/{name}: {told.what}", hint=told.hint if error.errno in DISK_ERRORS else _tell(self.path))

    def names(self, directory: str, most: int, *, asides: bool = False) -> list[str]:
        """What is in a directory of it, at most so many, less what is being written; or that alone. Unavailable, Corrupt."""
        try:
            fd = openat2(self.fd, directory, os.O_RDONLY | os.O_DIRECTORY, resolve=_BENEATH)
        except OSError as error:
            raise self._failed(directory, error) from None
        found: list[str] = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if len(found) == most:
                        raise self.wrong(directory, f"more than {most} entries")
                    if entry.name.startswith(layout.ASIDE) if asides else entry.name[:1] != ".":
                        found.append(entry.name)
        except OSError as error:
            raise self._failed(directory, error) from None
        finally:
            os.close(fd)
        return found

    # ArchiveFiles, so that an image comes into our store as one of a layout does: every blob checked.

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            os.close(self.open_file(name))
        except NotFound:
            return False
        return True

    def size(self, name: str) -> int:
        """In bytes. Raises as `open_file`."""
        fd = self.open_file(name)
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def open(self, name: str) -> Any:
        """The file's bytes. Raises as `open_file`."""
        return os.fdopen(self.open_file(name), "rb")

    def strangers(self, *names: str) -> str:
        """Who else than root and the caller could change the store, these files of it, or what its path leads to: words for people; "" for
        nobody."""
        above = self.real
        while (above := os.path.dirname(above)) != os.path.dirname(above):
            try:
                found = open_without_links(above)
            except OSError as error:
                return f"{above}: {error.strerror}"
            try:
                # Whoever may rename in it puts another store there; in a sticky one (/tmp) but his own.
                why = _stranger(found, sticky=True)
            finally:
                os.close(found)
            if why:
                return f"{above}, which it is in, {why}"
        for name in (".", *layout.DIRECTORIES, *names):
            try:
                found = openat2(self.fd, name, os.O_PATH, resolve=_BENEATH)
            except OSError as error:
                return f"{self.path}/{name}: {error.strerror}"
            try:
                why = _stranger(found)
            finally:
                os.close(found)
            if why:
                return f"{self.path if name == '.' else f'{self.path}/{name}'} {why}"
        return ""


def _stranger(fd: int, *, sticky: bool = False) -> str:
    owner = outside.owner(fd)
    if owner == outside.UNKNOWN:
        return "has an owner that cannot be told here"
    if owner not in (0, paths.host_uid()):
        return f"belongs to {_account(owner)}"
    mode = os.fstat(fd).st_mode
    return "may be written by others" if mode & 0o022 and not (sticky and mode & stat.S_ISVTX) else ""


def _account(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _tell(path: str) -> str:
    return f"tell whoever keeps the store {path}; or leave it out of {user_config.STORES_VARIABLE}"


def _told(error: OSError, path: str) -> Told:
    """What has failed, with the file system and its type where it is that, and what to do."""
    hint = f"is its file system mounted, and may you enter it? {user_config.STORES_VARIABLE} names it"
    return disk_errors.explain(error, path) or Told(error.strerror or str(error), hint)


def unreachable(path: str) -> Told:
    """Why the directory cannot be listed, after a few seconds at most, or nothing; asked again after a while, since a process may serve
    requests for days."""
    now = time.monotonic()
    if path not in _reached or now - _reached[path][0] > _LATELY_S:
        why = _reach(path)
        _reached[path] = (time.monotonic(), why)
    return _reached[path][1]


def _reach(path: str) -> Told:
    """Why the directory cannot be listed, or nothing."""

    def look() -> None:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        with contextlib.suppress(FileNotFoundError):  # it is there, and no store
            os.stat(f"{path}/{layout.MARKER}", follow_symlinks=False)

    number = file_servers.ask(look)
    if number is None:
        mount = file_servers.mount_of(path, follow=False)
        return Told(f"its file system, {mount}, has not answered for {file_servers.ANSWER_S} s",
                    f"is its server running? {user_config.STORES_VARIABLE} names the store")  # fmt: skip
    return _told(OSError(number, os.strerror(number)), path) if number else _ALL_WELL


def usable(problems: list[RootlessError]) -> list[OpenStore]:
    """The stores that the user has listed, open; the caller closes them. What is wrong with the others is added to `problems`."""
    found = []
    for path in user_config.stores():
        try:
            found.append(OpenStore(path))
        except RootlessError as error:
            problems.append(error)
        except OSError as error:
            told = _told(error, path)
            problems.append(Unavailable(f"the store {path} cannot be read: {told.what}", hint=told.hint))
    return found
