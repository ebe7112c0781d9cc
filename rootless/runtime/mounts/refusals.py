"""What the kernel refuses to mount, in words: which mount, why, and what to do. Hot path."""

from __future__ import annotations

import errno

from rootless.errors import InvalidInput, NotSupported, RootlessError


def not_a_directory(source: str, guest_path: str) -> RootlessError:
    """A directory was to cover a file, or a file a directory, or a file stands where a directory is on the way."""
    return InvalidInput(
        f'error mounting "{source}" to rootfs at "{guest_path}": not a directory: Are you trying to mount a '
        "directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"
    )


def of_filesystem(error: OSError, fstype: str, guest_path: str, data: str) -> Exception:
    """The error of mount(2) of a new file system; itself where there is nothing to add."""
    if error.errno == errno.ENOTDIR:
        return not_a_directory(fstype, guest_path)
    if error.errno == errno.EINVAL and data:
        hint = "uid= and gid= are ids of the container's: /etc/subuid and /etc/subgid say how many there are" if "id=" in data else None
        return InvalidInput(f"cannot mount {fstype} at {guest_path}: the kernel refuses its options: {data}", hint=hint)
    if error.errno in (errno.EPERM, errno.ENODEV):
        return NotSupported(
            f"cannot mount {fstype} at {guest_path}: {error.strerror}",
            hint="a user namespace may mount tmpfs, proc, sysfs, devpts, mqueue, overlay, fuse and cgroup2",
        )
    return error
