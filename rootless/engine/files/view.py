"""A container's files from outside, running or not.

A container that does not run is mounted for us alone, and with it all that a start would mount in it:
what is read is what it will see, and what is written is where it will find it. The mounts are made as
a start makes them, on descriptors, in a mount namespace that ends with us. Wants the session joined.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rootless.engine.files.copy_end import PATH_DIRECTORY, CopyEnd
from rootless.engine.files.incoming import empty, placed
from rootless.engine.files.mounts import container_root, mount_points
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import Conflict, NotSupported, RootlessError
from rootless.linux import mount as m
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.descriptors import close_all
from rootless.runtime.mounting import attach
from rootless.runtime.mounts.masks import ReadonlyRoot
from rootless.runtime.mounts.overlay import MOST_LAYERS
from rootless.runtime.mounts.plan import PlanFacts, mount_step
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.runtime.mounts.steps import Filesystem
from rootless.runtime.rootfs_path import mount_target
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.runtime.mounts.steps import Step


_PROPAGATIONS = ("private", "shared", "slave", "unbindable")


@contextmanager
def files(store: Store, identifiers: list[str]) -> Iterator[list[CopyEnd]]:
    """Each container's root with all that is mounted in it: the live one, or mounted for us alone, under
    the container's lock. A container that is named twice is one place."""
    with ExitStack() as stack:
        places: dict[str, CopyEnd] = {}
        # In one order for everybody, so that two copies in opposite directions do not wait for each other.
        for identifier in sorted(set(identifiers)):
            places[identifier] = stack.enter_context(_files(store, identifier))
        yield [places[identifier] for identifier in identifiers]


@contextmanager
def receiving(store: Store, identifier: str, staged: str) -> Iterator[tuple[CopyEnd, int]]:
    """One container's root as of `files`, and the directory `staged` of the store, opened: where the container does not run,
    on the same mount, so that what is in it can be renamed to its place. Deleted at the end, in either case."""
    with _files(store, identifier, staged) as place:
        inside = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if not place.staged else place.open(place.staged, os.O_RDONLY)
        try:
            yield place, inside
        finally:
            # Before the root is unmounted, for which the kernel writes all of its file system to the disk.
            empty(inside)
            os.close(inside)


@contextmanager
def _files(store: Store, identifier: str, staged: str = "") -> Iterator[CopyEnd]:
    found = running.find(store, identifier)
    if found is None:
        with containers.lock(store, identifier):
            # It may have been started while we waited.
            found = running.find(store, identifier)
            if found is None:
                running.refuse_elsewhere(store, identifier)
                record = read_config(store, identifier)
                root = container_root.prepare(store, record)
                record = container_root.resolve_mounts(store, record)
                container_root.fill_volumes(store, record, root)
                directory = containers.directory(store, record["id"])
                with image_files(record), placed(directory, root, staged) as name, mounted(root, steps(store, record)) as fd:
                    yield CopyEnd(fd, record.get("id_map"), directory, staged=name)
                return
    with found:
        fd = _root_of(found)
    try:
        yield CopyEnd(fd, containers.config(store, identifier).get("id_map"), containers.directory(store, identifier), runs=True)
    finally:
        os.close(fd)


@contextmanager
def reading(store: Store, identifier: str) -> Iterator[CopyEnd]:
    """One container's root with all that is mounted in it, to be read, as slowly as the reader likes: the lock is held only
    while it is mounted. One that is started or removed meanwhile is not waited for: what is read is what it writes then, or
    an OSError."""
    found = running.find(store, identifier)
    if found is not None:
        found.close()
    else:
        with _to_be_read(store, identifier) as stopped:
            if stopped is not None:
                yield stopped
                return
    with _files(store, identifier) as place:
        yield place


@contextmanager
def root_alone(store: Store, identifier: str, *, follows_links: bool = True) -> Iterator[CopyEnd]:
    """The container's root without what is mounted in it, for `export`: of its volumes it holds what the
    image has in their place. To be read, as `reading`. Without `follows_links` no path leads through a link of a container that
    runs, for programs that open files by their names; NotSupported before Linux 5.14."""
    record = read_config(store, identifier)
    found = running.find(store, identifier)
    if found is None:
        with _to_be_read(store, identifier, bare=True) as place:
            if place is not None:
                yield place
                return
        found = running.require(store, identifier)
    from rootless.runtime.inside import clone_tree

    with found:
        fd = clone_tree(found.pid, found.pidfd, "/", recursive=False, follows_links=follows_links)
    try:
        yield CopyEnd(fd, record.get("id_map"))
    finally:
        os.close(fd)


@contextmanager
def _to_be_read(store: Store, identifier: str, *, bare: bool = False) -> Iterator[CopyEnd | None]:
    """Mounted without a directory to write to, which a start takes for itself; None where it has been started meanwhile."""
    with ExitStack() as stack:
        with containers.lock(store, identifier):
            found = running.find(store, identifier)
            if found is not None:
                found.close()
                yield None
                return
            running.refuse_elsewhere(store, identifier)
            record = read_config(store, identifier)
            root = container_root.prepare(store, record)
            wanted: list[Step] = []
            if not bare:
                record = container_root.resolve_mounts(store, record)
                container_root.fill_volumes(store, record, root)
                wanted = steps(store, record)
                stack.enter_context(image_files(record))
            fd = _mounted_to_read(root, wanted, stack)
        yield CopyEnd(fd, record.get("id_map"), containers.directory(store, record["id"]), shown=not record["read_only"])


def _mounted_to_read(root: Rootfs, wanted: list[Step], stack: ExitStack) -> int:
    if not root.upper or len(root.lower) >= MOST_LAYERS:
        return stack.enter_context(mounted(root, wanted))
    shown = root._replace(lower=(root.upper, *root.lower), upper="", work="", readonly=True)
    try:
        return stack.enter_context(mounted(shown, wanted))
    except RootlessError:
        if not wanted:
            raise
    with mounted(root, wanted):
        pass  # before the first start there are no mount points, and no way to make them; or this says what is wrong
    return stack.enter_context(mounted(shown, wanted))


def steps(store: Store, record: ContainerConfig) -> list[Step]:
    """The mounts of a start, less the kernel's own, in their order; private, whatever was asked for: what
    we mount below one must not show on the host."""
    found: list[Step] = []
    nothing = PlanFacts(own_pid=False, own_network=False, own_ipc=False, own_uts=False)
    user = mount_points.of_user(record, store.volumes)
    taken = {mount["destination"] for mount in user}
    for mount in mount_points.of_etc(containers.directory(store, _owner_of_etc(store, record))):
        if mount["destination"] not in taken:
            found.append(_OfEtc(mount["source"], mount["destination"]))
    for mount in user:
        target = mount["destination"]
        if mount["type"] != "tmpfs":
            kept = [word for word in mount.get("options") or () if not word.endswith(_PROPAGATIONS)]
            found.append(mount_step({**mount, "options": [*kept, "rprivate"]}, nothing, target))
        else:
            # It is made at the start, empty, and what were written to one of ours would be lost.
            flags = m.MS_RDONLY | m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC
            found.append(Filesystem("tmpfs", target, flags, "mode=755"))
    if record["read_only"]:
        found.append(ReadonlyRoot())
    return found


@contextmanager
def image_files(record: ContainerConfig) -> Iterator[None]:
    """Keep the mounts of image files that the container has served: `steps` borrows them in a child, which does not stay."""
    connections: tuple[int, ...] = ()
    if any(mount["type"] == "squashfs" for mount in record["mounts"]):
        from rootless.engine.files.mounts import image_file

        trees, connections = image_file.borrow(record)
        close_all(trees.values())
    try:
        yield
    finally:
        close_all(connections)


def _owner_of_etc(store: Store, record: ContainerConfig) -> str:
    """The container whose files of /etc these are: the other one's where it shares the network."""
    mode = record["network"]["mode"]
    if mode.startswith("container:"):
        try:
            return containers.find(store, mode.partition(":")[2])
        except RootlessError:
            pass  # it is gone: this one will not start again, its files are there all the same
    return record["id"]


class _OfEtc(Record):
    """A file of /etc that each start writes anew: nothing can be put in its place. Before the first start
    it is what the image has there."""

    host_path: str
    guest_path: str

    def describe(self) -> str:
        return f"bind {self.host_path} to {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        target = mount_target(root_fd, self.guest_path, directory=False)
        try:
            try:
                fd = m.open_tree(m.AT_FDCWD, self.host_path, m.OPEN_TREE_CLONE)
            except FileNotFoundError:
                fd = m.open_tree(target, "", m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH)
            try:
                attach(fd, root_fd, self.guest_path, directory=False)
            finally:
                os.close(fd)
        finally:
            os.close(target)


def _root_of(found: running.RunningContainer) -> int:
    """The root of its first process, the caller's. Conflict where that has ended: the number may be another's,
    whose root is the host's."""
    ended = Conflict(f"container {found.id} is not running", hint="it has ended just now: try again")
    try:
        fd = os.open(f"/proc/{found.pid}/root", PATH_DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        raise ended from None
    except PermissionError:
        raise NotSupported(
            f"container {found.id[:12]} runs in another session, whose files cannot be seen from this one",
            hint=f"its user namespace is not ours: restart it (rootless restart {found.id[:12]}), or copy by "
            f"`rootless exec {found.id[:12]} tar ...`",
        ) from None
    if found.wait(0):
        os.close(fd)
        raise ended
    return fd
