"""The container's terminal: allocated from its own devpts, never by a path it could have changed. Hot path."""

from __future__ import annotations

import errno
import os

from rootless.errors import InvalidInput, RootlessError
from rootless.linux import mount as m
from rootless.linux.filesystem import filesystem_magic
from rootless.linux.terminal import open_pair, set_controlling_terminal, set_window_size
from rootless.runtime.mounting import attach
from rootless.runtime.rootfs_path import open_in_root

_DEVPTS_MAGIC = 0x1CD1


def open_terminal(root_fd: int, *, rows: int, columns: int) -> tuple[int, int]:
    """(master, slave) of a new terminal in the devpts at /dev/pts of `root_fd`; rows and columns
    of 0 leave the size unset. RootlessError where something else is mounted there, or the host's."""
    try:
        directory = open_in_root(root_fd, "/dev/pts", links=False)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise _none("is not a devpts") from None
    try:
        if filesystem_magic(directory) != _DEVPTS_MAGIC:
            raise _none("is not a devpts")
        master, slave = open_pair("ptmx", dir_fd=directory)
    except PermissionError:
        raise _none("is the host's, which gives none here") from None
    finally:
        os.close(directory)
    if rows > 0 and columns > 0:
        set_window_size(master, rows=rows, columns=columns)
    return master, slave


def _none(why: str) -> RootlessError:
    return RootlessError(
        f"cannot have a terminal: /dev/pts of the container {why}",
        hint="do without a terminal (-t), or mount nothing over /dev and /dev/pts: "
        "single devices and files may be mounted below /dev",
    )


def bind_console(root_fd: int, slave: int) -> None:
    """Make the terminal /dev/console, as Docker does; never over what a link of that name leads to
    (CVE-2025-52565)."""
    fd = m.open_tree(slave, "", m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH)
    try:
        attach(fd, root_fd, "/dev/console", directory=False, links=False)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InvalidInput("/dev/console is a symbolic link: refusing to mount the terminal on it") from None
    finally:
        os.close(fd)


def use_terminal(slave: int, *, uid: int) -> None:
    """Make `slave` stdin, stdout, stderr and the controlling terminal of this session leader."""
    if uid:
        try:
            os.fchown(slave, uid, -1)
        except OSError as error:
            if error.errno != errno.EROFS:  # a devpts asked for read-only: it stays root's, as with runc
                raise
    set_controlling_terminal(slave)
    for fd in range(3):
        os.dup2(slave, fd)


def use_pipes(stdio: tuple[int, int, int], *, uid: int) -> None:
    """Make the descriptors stdin, stdout and stderr; pipes are given to `uid`, so that
    /dev/stdout can be opened again by it."""
    for fd, source in enumerate(stdio):
        os.dup2(source, fd)
        if uid:
            try:
                os.fchown(fd, uid, -1)
            except OSError:
                pass  # /dev/null and what else is not ours to give
