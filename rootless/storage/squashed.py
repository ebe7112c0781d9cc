"""An image's layers as one squashfs, images/sqfs/<digest of their ids>.sqfs, where the store is in two places (places.py).

Layers are unpacked in the local place, which is another one on the next machine and gone after the job. The file is what all
machines run the image from, without unpacking it, and all that there is of an image which was built or committed here. Made
in the local place, copied beside its name, given it then: it is whole or not there, and never replaced.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections.abc import Sequence

from rootless.linux import signal
from rootless.linux.filesystem import touch_access_time
from rootless.linux.process import set_pdeathsig
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.runtime.squashfs.header import ImageFile
from rootless.runtime.squashfs.serve import find_program
from rootless.session import run_program, session
from rootless.storage import disk_errors, squashfs_tools
from rootless.storage.copy_data import copy_data
from rootless.storage.directories import ask_again
from rootless.storage.layers import lower
from rootless.storage.store import Store, make_directory
from rootless.words import plain

_OPTIONS = ("-noappend", "-no-progress", "-quiet", "-comp", "zstd", "-Xcompression-level", "3", "-b", "128K")
_FUTURE_S = 2 * 86_400.0
"""From what is still young, a day before now: a time that is a day ahead of now."""
_NOTED_EVERY_S = 3600.0
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_SUFFIX, _ONE_ID = ".sqfs", ".one.sqfs"


def directory(store: Store) -> str:
    """Where they lie; it may not be there yet."""
    return store.images + "/sqfs"


def name_of(diff_ids: Sequence[str], *, single_id: bool) -> str:
    """The file's name. Owners are numbers in the one of a user with a range, attributes in that of a user without."""
    return hashlib.sha256("\n".join(diff_ids).encode()).hexdigest() + (_ONE_ID if single_id else _SUFFIX)


def find(store: Store, diff_ids: Sequence[str]) -> ImageFile | None:
    """The file of the image with these layers, bottom first, if there is one. Wants the session joined."""
    if not diff_ids:
        return None
    path = f"{directory(store)}/{name_of(diff_ids, single_id=session.join().single_id)}"
    store.wait()
    if not os.path.isfile(path) and store.shared:
        ask_again(store.shared, directory(store))  # another machine may have just made it
    return ImageFile(path) if os.path.isfile(path) else None


def note_use(image: ImageFile) -> None:
    """Note in the file's atime that a container here has it: `sweep` on another machine leaves it for a day more. Its mtime stays,
    which tells one mount from another."""
    try:
        ago = time.time() - _last_use(os.stat(image.path))
        if not 0 <= ago <= _NOTED_EVERY_S:  # a later time is of another clock, and says nothing
            touch_access_time(image.path)
    except OSError:
        pass  # a store that is only read


def _last_use(status: os.stat_result) -> float:
    return max(status.st_mtime, status.st_atime)


def can_be_made() -> bool:
    """Whether the programs are there that make such files and mount them."""
    return run_program.find(squashfs_tools.PACK) is not None and can_be_mounted()


def can_be_mounted() -> bool:
    """Whether this machine has the program that mounts them."""
    return find_program() is not None


def make(store: Store, diff_ids: Sequence[str]) -> None:
    """Make the file of the image with these layers, which are all unpacked; nothing where it is there. Joins the session.

    Where that cannot be done here a line on stderr says so: the image runs on this machine all the same. RootlessError where
    there is no room for it.
    """
    single = session.join().single_id
    target = f"{directory(store)}/{name_of(diff_ids, single_id=single)}"
    if not diff_ids or os.path.exists(target):
        return
    if not can_be_made():
        sys.stderr.write(
            f"rootless: without mksquashfs and squashfuse_ll the image's files are in {plain(store.root)} alone: other machines unpack "
            "it anew, and what was built here is lost with that directory\nhint: as administrator: apt install squashfuse squashfs-tools\n"
        )
        return
    aside = aside_path(store)
    try:
        write(store, diff_ids, aside, single_id=single)
        _move(aside, target)
    except OSError as error:
        raise disk_errors.failed(f"cannot keep the image's files as {target}", error, store.root) from error
    finally:
        try:
            os.unlink(aside)
        except OSError:
            pass  # never made


def aside_path(store: Store) -> str:
    """Where a file is made, in the local place."""
    return f"{store.root}/.sqfs-{os.getpid()}-{os.urandom(4).hex()}"


def write(store: Store, diff_ids: Sequence[str], target: str, *, single_id: bool) -> None:
    """Make the squashfs `target` of the layers, which are all unpacked. The session is joined, and has one id or not.
    RootlessError, OSError, NotSupported without mksquashfs; what is at `target` then is the caller's to remove."""
    below = tuple(lower.lower_directories(store, list(diff_ids)))
    place = target + ".d"
    os.mkdir(place, 0o700)
    try:
        # The kernel's overlay wants two layers, or one and an upper.
        root = Rootfs("overlay" if len(below) > 1 else "directory", below, "", "", place, True)
        with mounted(root) as fd:
            squash(fd, target, ("-all-root",) if single_id else ())
    finally:
        os.rmdir(place)


def squash(source: int, target: str, options: tuple[str, ...], *, what: str = "the image's file") -> None:
    """A squashfs of what is below the directory `source`. RootlessError, which calls it `what`, with what mksquashfs says; NotSupported
    without it."""
    program = squashfs_tools.find(squashfs_tools.PACK, what)
    said = os.memfd_create("said", os.MFD_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            try:
                set_pdeathsig(signal.SIGKILL)
                os.fchdir(source)
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                for fd in (1, 2):
                    os.dup2(said, fd)
                os.execve(program, [program, ".", target, *_OPTIONS, *options], {"LC_ALL": "C", "PATH": os.defpath})
            finally:
                os._exit(127)
        try:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        if status:
            output = os.pread(said, 1 << 16, 0).decode(errors="replace")
            squashfs_tools.raise_failed(squashfs_tools.PACK, what, status, output, target)
    finally:
        os.close(said)


def _move(source: str, target: str) -> None:
    make_directory(os.path.dirname(target))
    beside = f"{os.path.dirname(target)}/.new-{os.urandom(8).hex()}"
    try:
        one = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            other = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                copy_data(one, other, os.fstat(one).st_size)
                os.fsync(other)
            finally:
                os.close(other)
        finally:
            os.close(one)
        _give_name(beside, target)
    finally:
        try:
            os.unlink(beside)
        except FileNotFoundError:
            pass  # it was renamed


def _give_name(source: str, target: str) -> None:
    """Let `source` be `target`, unless another machine was faster: its containers may read that one, and NFS 3 takes a file that
    is replaced away from whoever has it open (ESTALE)."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(source, target)


def total(store: Store) -> tuple[int, int]:
    """How many there are, and their bytes."""
    try:
        with os.scandir(directory(store)) as entries:
            sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries if entry.name.endswith(_SUFFIX)]
    except FileNotFoundError:
        return 0, 0  # there are none, or another machine has just removed one
    return len(sizes), sum(sizes)


def remove(store: Store, diff_ids: Sequence[str]) -> tuple[int, int]:
    """Remove the files of the image with these layers; how many, and their bytes. What is mounted stays until it is let go."""
    count = size = 0
    for single in (False, True):
        path = f"{directory(store)}/{name_of(diff_ids, single_id=single)}"
        try:
            found = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            continue
        count, size = count + 1, size + found
    return count, size


def is_older(path: str, young: float) -> bool:
    """Whether the file was changed before `young`. One from the future, of a machine whose clock is ahead, counts as of now and gets
    that time: else it would stay young for as long as that clock is ahead. FileNotFoundError."""
    changed = os.stat(path, follow_symlinks=False).st_mtime
    if changed > young + _FUTURE_S:
        os.utime(path, follow_symlinks=False)
        return False
    return changed < young


def sweep(store: Store, wanted: Sequence[Sequence[str]], young: float) -> int:
    """Remove the files of no image, `wanted` being the layers of all, but for those made, or first mounted somewhere, after
    `young` (a time of time.time()), which another machine may need; the bytes."""
    kept = {name_of(diff_ids, single_id=single) for diff_ids in wanted for single in (False, True)}
    freed = 0
    try:
        with os.scandir(directory(store)) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                used = young <= status.st_atime <= young + _FUTURE_S
                if entry.name not in kept and is_older(entry.path, young) and not used:
                    os.unlink(entry.path)
                    freed += status.st_size
    except FileNotFoundError:
        pass  # there are none, or another machine removes them, too
    return freed
