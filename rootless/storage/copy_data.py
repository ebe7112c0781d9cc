"""A file's contents into another file: shared blocks where the file system can (FICLONE), else copied by the kernel.
And its extended attributes."""

from __future__ import annotations

import errno
import fcntl
import os

from rootless.runtime import owner_record

_FICLONE = 0x40049409
_CAPABILITY = "security.capability"
# How storage drivers and unpacking note things of their own, owners among them.
_DRIVERS = ("user.overlay.", "user.fuseoverlayfs.", "user.rootless.", owner_record.NAME)


def copy_data(source: int, target: int, size: int) -> None:
    """The first `size` bytes of one file, however it grows meanwhile: shared blocks where possible, holes
    kept otherwise. What of them is gone by then is a hole."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
        os.ftruncate(target, size)
        return
    except OSError:
        pass
    os.ftruncate(target, size)
    position = 0
    while position < size:
        end = size
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
            end = min(os.lseek(source, position, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            if error.errno != errno.EINVAL:  # a file system that knows no holes
                raise
        while position < end:
            try:
                done = os.copy_file_range(source, target, end - position, position, position)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                done = os.pwrite(target, os.pread(source, min(1 << 20, end - position), position), position)
            if not done:
                return
            position += done


def kept_attributes(fd: int, *, capabilities: bool) -> list[tuple[str, bytes]]:
    """The users' extended attributes of a file or directory; with `capabilities` those of a program, too."""
    return [
        (name, os.getxattr(fd, name))
        for name in os.listxattr(fd)
        if (name.startswith("user.") and not name.startswith(_DRIVERS)) or (capabilities and name == _CAPABILITY)
    ]


def copy_attributes(source: int, target: int, *, capabilities: bool) -> None:
    """Give `target` the `kept_attributes` of `source`, after chown(2), which clears capabilities. What a file system
    cannot keep is left out, as cp(1) does."""
    for name, value in kept_attributes(source, capabilities=capabilities):
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise
