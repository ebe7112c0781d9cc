"""The `directory` driver: layers copied on top of each other into a tree of the container's own.

Whiteouts and opaque directories are applied while copying. Contents are shared where the file
system can (FICLONE), else copied in the kernel. Wants the session joined.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from rootless.errors import RootlessError
from rootless.storage.remove_tree import remove_tree, remove_tree_at

_FICLONE = 0x40049409
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("user.overlay.opaque", "user.fuseoverlayfs.opaque", "trusted.overlay.opaque")
_PRIVATE = ("user.overlay.", "user.fuseoverlayfs.", "trusted.")


def copy_layers(lower: list[str], path: str) -> None:
    """Make `path` from the layer trees `lower` (top first); nothing if it is there.

    Made aside and renamed: `path` is complete or not there. RootlessError when the disk is full.
    """
    if os.path.isdir(path):
        return
    aside = path + ".new"
    remove_tree(aside)
    os.mkdir(aside, 0o755)
    try:
        top = os.open(aside, _DIRECTORY)
        try:
            for layer in reversed(lower):
                source = os.open(layer, _DIRECTORY)
                try:
                    _Copy().merge(source, top, "")
                finally:
                    os.close(source)
        finally:
            os.close(top)
        os.rename(aside, path)
    except OSError as error:
        remove_tree(aside)
        raise RootlessError(
            f"cannot copy the image's files to {path}: {error.strerror}",
            hint="free space, or have a storage driver that needs no copy: see `rootless doctor`",
        ) from error
    except RecursionError:
        remove_tree(aside)
        raise RootlessError("the image has directories nested more than some 300 levels deep") from None
    except BaseException:
        remove_tree(aside)
        raise


class _Copy:
    """One layer being laid over a tree; remembers hard links."""

    def __init__(self) -> None:
        self._links: dict[tuple[int, int], str] = {}
        self._top = -1

    def merge(self, here: int, there: int, path: str) -> None:
        """Lay the directory `here` over `there`; its own metadata last, filling it changes times."""
        if not path:
            self._top = there
        if is_opaque(here):
            for name in os.listdir(there):
                _clear(there, name)
        for name in os.listdir(here):
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                self._one(here, there, name, status, path)
                continue
            try:
                os.mkdir(name, 0o700, dir_fd=there)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(name, dir_fd=there, follow_symlinks=False).st_mode):
                    _clear(there, name)
                    os.mkdir(name, 0o700, dir_fd=there)
            source = os.open(name, _DIRECTORY, dir_fd=here)
            try:
                target = os.open(name, _DIRECTORY, dir_fd=there)
                try:
                    self.merge(source, target, f"{path}{name}/")
                finally:
                    os.close(target)
            finally:
                os.close(source)
        _copy_metadata(here, there, os.fstat(here))

    def _one(self, here: int, there: int, name: str, status: os.stat_result, path: str) -> None:
        _clear(there, name)
        mode = status.st_mode
        if stat.S_ISCHR(mode):
            return  # 0:0, a whiteout: clearing was all
        if name[:4] == ".wh.":
            if name != ".wh..wh..opq":
                _clear(there, name[4:])
            return
        first = self._links.get((status.st_dev, status.st_ino))
        if first is not None:
            try:
                # Only directories we made ourselves are on that path, and nobody else is in this tree.
                os.link(first, name, src_dir_fd=self._top, dst_dir_fd=there, follow_symlinks=False)
                return
            except OSError:
                pass  # too many links, or a path too long: a copy is as good
        if stat.S_ISREG(mode):
            self._file(here, there, name, status)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
            _own(there, name, status)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(name, mode & 0o7777, dir_fd=there)
            _own(there, name, status)
        if status.st_nlink > 1:
            self._links[(status.st_dev, status.st_ino)] = path + name

    @staticmethod
    def _file(here: int, there: int, name: str, status: os.stat_result) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        try:
            target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=there)
            try:
                copy_data(source, target, status.st_size)
                _copy_metadata(source, target, status)
            finally:
                os.close(target)
        finally:
            os.close(source)


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


def is_opaque(fd: int) -> bool:
    """Whether the directory hides what lower layers have in it, in any of the known spellings."""
    for name in _OPAQUE:
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError:
            continue
    try:
        os.stat(".wh..wh..opq", dir_fd=fd, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


def _clear(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        failures = remove_tree_at(parent, name)
        if failures:
            raise OSError(errno.ENOTEMPTY, failures[0]) from None


def _own(parent: int, name: str, status: os.stat_result) -> None:
    if status.st_uid or status.st_gid:
        os.chown(name, status.st_uid, status.st_gid, dir_fd=parent, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=parent, follow_symlinks=False)


def _copy_metadata(source: int, target: int, status: os.stat_result) -> None:
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, status.st_mode & 0o7777)
    for name in os.listxattr(source):
        if name.startswith(_PRIVATE) or name == "security.selinux":
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
