"""A container's root file system: mounted from its layers, here or for `cp`, `diff`, `export`. Hot path."""

from __future__ import annotations

import os

from rootless.errors import RootlessError
from rootless.linux import mount as m
from rootless.linux.namespace import CLONE_NEWNS, unshare
from rootless.linux.openat2 import open_without_links
from rootless.linux.process import set_pdeathsig
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.descriptors import close_all, stop_importing
from rootless.runtime.mounting import follow_no_links
from rootless.runtime.mounts.overlay import mount_overlay
from rootless.runtime.sync import pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rootless.runtime.mounts.steps import Step
    from rootless.runtime.squashfs.header import ImageFile
    from rootless.runtime.sync import Message

    # Data and descriptors, as a message has them.
    Answer = tuple[dict[str, Any], tuple[int, ...]]


class Rootfs(Record):
    """Where the root comes from.

    `driver` is "overlay", "fuse-overlayfs" or "directory". `lower` are the layers' directories,
    topmost first, `upper` and `work` the container's own (empty strings: a read-only view).
    `path` is where it is mounted: an existing directory. For "directory" `lower` is the tree itself, or
    empty where `path` is, which then is mounted on itself.
    """

    driver: str
    lower: tuple[str, ...]
    upper: str
    work: str
    path: str
    readonly: bool
    # What fuse-overlayfs shows the layers' ids as: "from:to:count" and so on; "": as they are.
    uid_map: str = ""
    gid_map: str = ""
    exact: bool = False  # of "directory": `lower` was resolved, a link in it now was put there since
    image: ImageFile | None = None  # of "overlay": a file with a squashfs, below all of `lower`
    host: tuple[str, ...] | None = None  # of "fuse-overlayfs": the machine's "/" is below all of `lower`, less these directories
    image_mount: int = -1  # its mount, detached, good for one mount_root()


def mount_root(root: Rootfs) -> int:
    """Mount `root` at `root.path` in the current mount namespace, which must be private to us.

    Returns an O_PATH descriptor of it, the caller's. "fuse-overlayfs" leaves a
    daemon that ends when the mount goes.
    """
    if root.driver == "overlay":
        mount_overlay(root.path, _lower(root), upper=root.upper, work=root.work)
    elif root.driver == "fuse-overlayfs":
        return attach_root(root, fuse_overlay(root))
    elif root.driver == "directory":
        source = root.lower[0] if root.lower else root.path
        flags = m.OPEN_TREE_CLONE | m.AT_RECURSIVE
        if not root.exact:
            return attach_root(root, m.open_tree(m.AT_FDCWD, source, flags))
        top = open_without_links(source)
        try:
            return attach_root(root, m.open_tree(top, "", flags | m.AT_EMPTY_PATH))
        finally:
            os.close(top)
    else:
        raise RootlessError(f"unknown storage driver {root.driver!r}")
    return open_root(root)


def with_image(root: Rootfs) -> tuple[Rootfs, tuple[int, ...]]:
    """`root` for one mount_root(), with its image file's mount, and what the caller closes: that, and a connection, kept for as
    long as the root is used."""
    if root.image is None:
        return root, ()
    from rootless.runtime.squashfs import connect

    borrowed = connect.borrow(root.image)
    return root._replace(image_mount=borrowed.mount), (borrowed.mount, borrowed.connection)


def _lower(root: Rootfs) -> tuple[str, ...]:
    """The overlay's layers. The kernel wants each to be in this mount namespace: an image file's goes where the overlay will be."""
    if root.image is None:
        return root.lower
    m.move_mount(root.image_mount, "", m.AT_FDCWD, root.path, m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_T_SYMLINKS)
    return (*root.lower, f"/proc/self/fd/{root.image_mount}")


def open_root(root: Rootfs) -> int:
    """An O_PATH descriptor of the mounted root."""
    return os.open(root.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def fuse_overlay(root: Rootfs) -> int:
    """Start fuse-overlayfs for `root`: a descriptor of its detached mount, for move_mount(2).

    The daemon gets a mount namespace of its own, with the host's view: in that of a container,
    pivot_root would give it its own file system as "/", and it would wait for itself for ever. It
    keeps no mount there, so that it ends when the returned one is gone. It becomes the child of the nearest subreaper. The
    user namespace is ours, not the container's: FUSE lets in who is in that of the mount or below it, and `cp`, `export`
    and the program that emulates ids are in ours.
    """

    from rootless.runtime.mounts.fuse_overlayfs import run_daemon

    def mount(doing: _Doing) -> Answer:
        doing.step = "mount the root (fuse-overlayfs)"
        maps = (root.uid_map, root.gid_map)
        run_daemon(root.path, root.lower, upper=root.upper, work=root.work, maps=maps, host=root.host)
        fd = m.open_tree(m.AT_FDCWD, root.path, m.OPEN_TREE_CLONE)
        m.umount2(root.path, m.MNT_DETACH)
        return {}, (fd,)

    return _apart(mount).fds[0]


def attach_root(root: Rootfs, mount_fd: int) -> int:
    """Mount the detached `mount_fd` at `root.path`; the same descriptor, of the root from now on."""
    m.move_mount(mount_fd, "", m.AT_FDCWD, root.path, m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_T_SYMLINKS)
    return mount_fd


class mounted:
    """The root of a stopped container, mounted out of everybody's sight: a context manager giving
    a descriptor of its directory, for os.listdir, dir_fd or openat2(RESOLVE_IN_ROOT), closed at the end.

    A forked child makes the mount in a mount namespace of its own, does the `steps` to it (mounts in the
    root), and passes the descriptor and the namespace's, which keeps what is mounted together: nothing
    shows in the host's mounts, and whatever happens to us nothing stays mounted. The caller has joined
    the session.
    """

    def __init__(self, root: Rootfs, steps: Sequence[Step] = ()) -> None:
        self._root = root
        self._steps = steps
        self._fds: tuple[int, ...] = ()

    def __enter__(self) -> int:
        root, borrowed = with_image(self._root)
        try:
            self._fds = (*_mounted_elsewhere(root, self._steps), *borrowed)
        except BaseException:
            close_all(borrowed)
            raise
        return self._fds[0]

    def __exit__(self, *_: object) -> None:
        close_all(self._fds)


def _mounted_elsewhere(root: Rootfs, steps: Sequence[Step]) -> list[int]:
    def mount(doing: _Doing) -> Answer:
        doing.step = f"mount the root ({root.driver})"
        root_fd = mount_root(root)
        for step in steps:
            doing.step = step.describe()
            step.apply(root_fd)
        doing.step = ""
        flags = os.O_RDONLY | os.O_CLOEXEC
        top = os.open(root.path, flags | os.O_DIRECTORY)
        return {}, (top, os.open("/proc/self/ns/mnt", flags))

    return _apart(mount).fds


def without_links(path: str) -> int:
    """The directory `path`, which has no link (ELOOP), and what is mounted below it as they are, but that no path there leads through
    a link: a descriptor of a detached mount, the caller's. For programs that take plain paths where others may write. NotSupported
    before Linux 5.14. Wants the session joined."""

    def clone(doing: _Doing) -> Answer:
        doing.step = f"look at {path}"
        top = open_without_links(path)
        tree = m.open_tree(top, "", m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH | m.AT_RECURSIVE)
        follow_no_links(tree, recursive=True)
        return {}, (tree,)

    return _apart(clone).fds[0]


def run_in_root(root: Rootfs, action: Callable[[], Any]) -> Any:
    """Call `action` in a forked child whose "/" is the container's root; its result, which must
    be JSON, comes back, and its RootlessError or OSError is raised here.

    For code that takes plain paths: no link of the image can lead out. The caller has joined
    the session; descriptors it holds are usable in `action`.
    """

    root, borrowed = with_image(root)

    def act(doing: _Doing) -> Answer:
        doing.step = f"mount the root ({root.driver})"
        enter_root(mount_root(root))
        stop_importing()
        doing.step = ""
        return {"value": action()}, ()

    try:
        return _apart(act).data["value"]
    finally:
        close_all(borrowed)


class _Doing:
    """What is being done, for the error that says where it stopped."""

    step = ""


def _apart(act: Callable[[_Doing], Answer]) -> Message:
    """The answer of `act` in a forked child, where what it mounts is seen by nobody else.

    Its RootlessError or OSError is raised here.
    """
    ours, theirs = pair()
    pid = os.fork()
    if pid == 0:
        doing = _Doing()
        try:
            ours.close()
            set_pdeathsig(9)
            doing.step = "private mount namespace"
            unshare(CLONE_NEWNS)
            m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)
            data, fds = act(doing)
            theirs.send("done", data, fds)
        except (OSError, RootlessError) as error:
            theirs.send_error(error, step=doing.step)
        finally:
            os._exit(0)
    theirs.close()
    try:
        return ours.expect("done")
    finally:
        ours.close()
        os.waitpid(pid, 0)


def enter_root(root_fd: int) -> None:
    """Make the mount `root_fd` "/" and drop everything that was outside it, which the caller has made slaves: so
    detaching it tells nobody. pivot_root(2)."""
    os.fchdir(root_fd)
    m.pivot_root(".", ".")
    # The old root now lies on top of the new one, and that is what is unmounted. (mount(2) of "." is the new one.)
    m.umount2(".", m.MNT_DETACH)
    os.chdir("/")


def move_root(root_fd: int) -> None:
    """The same without pivot_root(2), which an initramfs refuses: what can be unmounted of the old
    root is, then the new one is moved over it."""
    root = os.readlink(f"/proc/self/fd/{root_fd}")
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in reversed(points):
        point = point.replace("\\040", " ").replace("\\134", "\\")
        inside = point == root or point.startswith(root + "/")
        if point != "/" and not inside and not root.startswith(point + "/"):
            try:
                m.umount2(point, m.MNT_DETACH)
            except OSError:
                pass  # locked to a mount of a more privileged namespace
    os.fchdir(root_fd)
    m.mount(".", "/", None, m.MS_MOVE)
    os.chroot(".")
    os.chdir("/")
