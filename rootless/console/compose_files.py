"""Compose files that a page may read and write: plain ones of the owner's, of text that a page can show. Written aside and renamed."""

from __future__ import annotations

import hashlib
import os
import stat

from rootless import atomic
from rootless.console.request import Problem
from rootless.record import Record

LIMIT = 512 * 1024
"""Bytes of a file that is edited."""


class ComposeFile(Record):
    """A file as it was read. `digest` is "" for one that is not there yet."""

    path: str
    text: str
    digest: str
    mode: int
    crlf: bool


def checked(path: str) -> str:
    """A path that somebody typed: absolute, of a file that ends in .yaml or .yml, in a directory that is there. Problem."""
    if not path.startswith("/") or "\0" in path or os.path.normpath(path) != path:
        raise Problem(400, "say the whole path, from / on, without . and ..: /home/you/site/compose.yaml")
    if not path.endswith((".yaml", ".yml")):
        raise Problem(400, "a compose file ends in .yaml or .yml")
    if not os.path.isdir(os.path.dirname(path)):
        raise Problem(404, f"there is no directory {os.path.dirname(path)}")
    return path


def read(path: str) -> ComposeFile:
    """The file; an empty text where it is not there. Problem for a link, for what is another user's or no text, for a large one."""
    if not path.startswith("/"):
        raise Problem(400, f"{path} is a path from a directory that nobody has noted: open the file by its whole path")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ComposeFile(path, "", "", 0o644, crlf=False)
    except OSError as error:
        if os.path.islink(path):
            raise Problem(400, f"{path} is a link: edit the file that it leads to, {os.path.realpath(path)}") from None
        raise Problem(400, f"{path}: {error.strerror}") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
        os.close(fd)
        raise Problem(403, f"{path} is no plain file of yours")
    with open(fd, "rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise Problem(413, f"{path} is larger than {LIMIT >> 10} KiB: edit it in a terminal")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, f"{path} is not UTF-8: edit it in a terminal") from None
    crlf = "\r\n" in text
    text = text.replace("\r\n", "\n") if crlf else text
    if not all(each.isprintable() or each in "\n\t" for each in text):
        # A page shows these as replacement characters, and would write them so.
        raise Problem(400, f"{path} has characters that cannot be shown: edit it in a terminal")
    return ComposeFile(path, text, hashlib.sha256(data).hexdigest(), stat.S_IMODE(found.st_mode), crlf)


def write(path: str, text: str, was: str) -> None:
    """Put `text` in the place of the file, whose digest is still `was`; Problem 409 where somebody else has written it since."""
    found = read(path)
    if found.digest != was:
        raise Problem(409, f"{path} has been changed since the page was loaded: copy what you wrote, and load it again")
    data = (text.replace("\n", "\r\n") if found.crlf else text).encode()
    try:
        atomic.write_bytes(path, data, mode=found.mode & 0o777)
        if found.digest and stat.S_IMODE(os.stat(path, follow_symlinks=False).st_mode) != found.mode:
            os.chmod(path, found.mode, follow_symlinks=False)  # what the umask took
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise Problem(400, f"{path} cannot be written: {error.strerror}") from None
