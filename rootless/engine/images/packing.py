"""A directory as one squashfs file: what a network home takes where it would not take 80,000 files."""

from __future__ import annotations

import os
from shlex import quote

from rootless.errors import InvalidInput, NotSupported
from rootless.runtime.mounts import rootfs
from rootless.session import session
from rootless.storage import disk_errors, holes, named_paths, squashed, squashfs_tools


def pack(source: str, target: str) -> int:
    """Make the file `target` of what is below the directory `source`; its size in bytes. Joins the session.

    Made beside it, synced and renamed: `target` is the old one or the new one, whole. Whoever may write to one of the directories
    meanwhile leads us nowhere else by a link. NotSupported without mksquashfs.
    """
    squashfs_tools.find(squashfs_tools.PACK, "a packed directory")
    if not os.path.isdir(source):
        raise InvalidInput(f"{source} is no directory")
    source = named_paths.follow(os.path.abspath(source), "the directory") or os.path.realpath(source)
    above, _, name = os.path.abspath(target).rpartition("/")
    above = named_paths.follow(above or "/", "the directory") or above
    target = f"{above.rstrip('/')}/{name}"
    if os.path.isdir(target) or (target + "/").startswith(source + "/"):
        raise InvalidInput(f"{target} cannot be the packed file of {source}", hint="name a file outside of the directory")
    opened: list[int] = []
    try:
        opened.append(place := named_paths.open_followed(above, "the directory", flags=os.O_PATH | os.O_DIRECTORY))
        session.join()  # files of other ids of the user's can be read then
        # mksquashfs opens by its name what it has looked at: a directory that is a link by then would lead it to the caller's own files.
        opened.append(tree := rootfs.without_links(source))
        holes.tell(tree)
        os.set_inheritable(place, True)  # by mksquashfs, which knows paths alone
        return _made(tree, f"/proc/self/fd/{place}", name, f"the file of {source}")
    except NotSupported as error:
        by_hand = f"mksquashfs {quote(source)} {quote(target)} -all-root -comp zstd"
        raise NotSupported(error.message, hint=f"update the kernel; where nobody else writes to it meanwhile: {by_hand}") from None
    except OSError as error:
        raise disk_errors.failed(f"cannot write {target}", error, above) from error
    finally:
        for fd in opened:
            os.close(fd)


def _made(tree: int, directory: str, name: str, what: str) -> int:
    aside = f"{directory}/.{name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        squashed.squash(tree, aside, ("-all-root",), what=what)
        fd = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        os.rename(aside, f"{directory}/{name}")
        return size
    finally:
        try:
            os.unlink(aside)
        except OSError:
            pass  # it was renamed, or never made
