"""An image file's mount, borrowed from the process that keeps it (helpers/imagefs.c), which is started where there is none.

One mount for each file, session and RUNTIME, whatever has it: all containers have clones of it. Whoever borrows one keeps
the connection that it came by for as long as it needs the mount.
"""

from __future__ import annotations

import fcntl
import os
import stat

from rootless import paths
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.linux import socket, struct
from rootless.linux.openat2 import open_without_links
from rootless.linux.socket import address_in
from rootless.record import Record
from rootless.runtime.squashfs.header import ImageFile, identity_of

DIRECTORY = "images"
_ANSWER_TIMEOUT_S = 10
_UCRED = struct.Struct("iII")


class Borrowed(Record):
    """A detached mount, for one move_mount(2), and the connection that keeps it served; both the caller's to close."""

    mount: int
    connection: int


def borrow(image: ImageFile) -> Borrowed:
    """A mount of the image. The caller has joined the session. NotFound where the file is gone, InvalidInput
    where it is none, NotSupported without squashfuse_ll."""
    fd = open_image(image)
    try:
        status = os.fstat(fd)
        directory = make_directory()
        name = _name(status, image.offset)
        found = _ask(directory, name)
        if found is not None:
            return found
        lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _ask(directory, name)  # another start was faster
            if found is None:
                from rootless.runtime.squashfs import serve

                serve.start(fd, image, directory, name)
                found = _ask(directory, name)
        finally:
            os.close(lock)
        if found is None:
            raise RootlessError(f"the mount of {image.path} ended at once", hint="try it again; `rootless doctor` says what is amiss")
        return found
    finally:
        os.close(fd)


def make_directory() -> str:
    """RUNTIME/images, with the two empty directories that a mount and its server's root are put on."""
    directory = f"{paths.runtime_dir()}/{DIRECTORY}"
    for path in (directory, directory + "/mnt", directory + "/jail"):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
    return directory


def open_image(image: ImageFile) -> int:
    """The file, open for reading; the caller's. NotFound, InvalidInput."""
    try:
        if image.exact:
            # Without reading rights it does not open below; a FIFO must not be waited for.
            os.close(open_without_links(image.path))
        fd = os.open(image.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if image.exact else 0))
    except FileNotFoundError:
        raise NotFound(f"image file {image.path}: no such file") from None
    except OSError as error:
        raise InvalidInput(f"cannot open the image file {image.path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InvalidInput(f"{image.path} is no file", hint="a directory is a container's root with --rootfs")
    if image.identity and tuple(identity_of(os.fstat(fd))) != image.identity:
        os.close(fd)
        raise Conflict(f"the image file {image.path} is not the one any more that the container was made from", hint="start it again")
    return fd


def _name(status: os.stat_result, offset: int | None) -> str:
    """Of the mount's socket: another file, or the same one changed, is another mount, and so is another session's."""
    session = os.stat("/proc/self/ns/user").st_ino
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, session)
    return "-".join(f"{part:x}" for part in parts) + ("" if offset is None else f"-{offset:x}")


def _ask(directory: str, name: str) -> Borrowed | None:
    """What the keeper of the mount gives; None where there is none, or one that is about to end."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        # Kernel timeouts, not settimeout(): that one makes connect fail at once on a full backlog.
        limit = struct.pack("ll", _ANSWER_TIMEOUT_S, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        with address_in(directory, name) as address:
            client.connect(address)
        _, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        answer, fds, _, _ = socket.recv_fds(client, 1, 1, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        client.close()
        return None
    if answer == b"M" and len(fds) == 1 and uid == os.getuid():
        return Borrowed(fds[0], client.detach())
    for fd in fds:
        os.close(fd)
    client.close()
    return None
