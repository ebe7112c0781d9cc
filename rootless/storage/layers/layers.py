"""Layers: image layers unpacked once, shared read-only by all containers.

    layers/<hex>/fs           the tree; whiteouts as overlayfs wants them
    layers/<hex>/layer.json   {"diff_id", "size", "entries", "notes", "opaque_root", "many_ids"}
    layers/<hex>/owners.json  {path: [uid, gid]} of what could not be chowned; only where there is any (layer_owners.py)
    layers/<hex>/links.json   the same of the links and pipes among them
    layers/<hex>/settled      symlink to the boot id it was unpacked in; to "yes" once it reached the disk
    layers/.new-<pid>-<rand>  being unpacked, flock held on the directory; swept when unlocked
    layers/.lock-<hex>        flocked while that layer is being made

A layer is there complete and verified, or it is not there. Not one of its thousands of files is
fsynced: see `is_synced` and docs/development/decisions/ on durability. Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic
from rootless.errors import Corrupt, InvalidInput, NotFound, RootlessError
from rootless.linux.process import boot_id
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.layers import layer_lock
from rootless.storage.store import Store, is_called, make_directory

if TYPE_CHECKING:
    from typing import Any

_HEX = frozenset("0123456789abcdef")


class Unpacked(Record):
    """A layer as `unpack` left it; `notes` are whole sentences' worth of warnings, with counts."""

    diff_id: str
    path: str
    size: int
    entries: int
    notes: dict[str, int]
    fresh: bool  # False: it was there already


def directory(store: Store, diff_id: str) -> str:
    """The layer's directory, whether or not it is there; InvalidInput for what is neither a sha256 digest nor
    the name of a build's step (steps.py)."""
    if diff_id.startswith("step:"):
        from rootless.storage.layers import step_names

        return step_names.directory(store, diff_id)
    encoded = diff_id.removeprefix("sha256:")
    if len(encoded) != 64 or not _HEX.issuperset(encoded):
        raise InvalidInput(f"invalid layer diff id {diff_id[:100]!r}")
    return f"{store.root}/layers/{encoded}"


def path(store: Store, diff_id: str) -> str:
    """The layer's tree, what an overlay has as a lower directory."""
    return directory(store, diff_id) + "/fs"


def is_synced(layer: str, booted: str) -> bool:
    """Whether the complete layer in directory `layer` can be trusted to be as it was unpacked.

    It can if this is the boot it was unpacked in (the page cache is coherent whatever the disk
    has), or if a later syncfs(2) was noted. Else a power cut may have left files empty.
    """
    try:
        return os.readlink(layer + "/settled") in (booted, "yes")
    except OSError:
        return False  # no mark: lost with whatever else was


def has(store: Store, diff_id: str) -> bool:
    """Whether the layer is there and whole; False for one that a power cut may have damaged."""
    layer = directory(store, diff_id)
    return os.path.isdir(layer) and is_synced(layer, boot_id())


def info(store: Store, diff_id: str) -> dict[str, Any]:
    """layer.json; NotFound if the layer is not there."""
    try:
        return atomic.read_json(directory(store, diff_id) + "/layer.json")  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise NotFound(f"no such layer: {diff_id}", hint="pull the image again") from None
    except ValueError:
        raise Corrupt(f"layer {diff_id} is damaged", hint="pull the image again") from None


def size(store: Store, diff_id: str) -> int:
    """Bytes of the layer's files; 0 if it is not there."""
    try:
        return int(info(store, diff_id).get("size", 0))
    except RootlessError:
        return 0


def list_layers(store: Store) -> list[str]:
    """Diff ids of all layers."""
    try:
        entries = os.listdir(store.layers)
    except FileNotFoundError:
        return []
    return ["sha256:" + entry for entry in entries if len(entry) == 64 and entry[0] != "."]


def unpack(store: Store, diff_id: str, fileobj: Any, *, limits: Any = None) -> Unpacked:
    """Unpack the uncompressed tar stream `fileobj` as layer `diff_id`, verifying it on the way.

    `fileobj` has read(n), or is an iterator of bytes; it is read in another thread. Corrupt if
    the stream's sha256 is not `diff_id` or it is no sound archive; RootlessError for a full disk
    or a layer past `limits` (extract.Limits); nothing is left then. If the layer is there, or
    another process is just making it, that one is used and the stream not read (or not further).
    Call in a process that has joined the session, and hold `store.lease()`.
    """
    final = directory(store, diff_id)
    make_directory(store.layers)
    with layer_lock.making(store, diff_id):
        if os.path.isdir(final):
            if is_synced(final, boot_id()):
                return _existing(store, diff_id)
            remove(store, diff_id)
        return _unpack_new(store, diff_id, fileobj, limits)


def add(store: Store, fileobj: Any) -> Unpacked:
    """Unpack a tar stream that was written here, and let its digest be the layer's diff id. Else as `unpack`."""
    make_directory(store.layers)
    return _unpack_new(store, "", fileobj, None)


def _existing(store: Store, diff_id: str) -> Unpacked:
    record = info(store, diff_id)
    return Unpacked(
        diff_id, path(store, diff_id), record["size"], record["entries"], record.get("notes", {}), False
    )


def _unpack_new(store: Store, diff_id: str, fileobj: Any, limits: Any) -> Unpacked:
    from rootless.storage.layers import layer_owners
    from rootless.storage.layers.extract import extract
    from rootless.storage.tar.source import TarSource

    new, held = _new_directory(store)
    try:
        os.mkdir(new + "/fs", 0o755)
        root_fd = os.open(new + "/fs", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        source = TarSource(fileobj)
        try:
            _plain_top(root_fd)
            result = extract(source, root_fd, limits=limits)
        finally:
            source.close()
            os.close(root_fd)
        if diff_id and result.digest != "sha256:" + diff_id.removeprefix("sha256:"):
            raise Corrupt(
                f"layer {diff_id} is corrupt: its contents have digest {result.digest}",
                hint="pull the image again; if that does not help, the image itself is broken",
            )
        record = {
            "diff_id": result.digest,
            "size": result.size,
            "entries": result.entries,
            "notes": result.notes,
            "opaque_root": result.opaque_root,
            "many_ids": result.many_ids,
        }
        atomic.write_json(new + "/layer.json", record, durable=False)
        layer_owners.write(new, result.owners)
        os.symlink(boot_id(), new + "/settled")
        if not diff_id:
            return _give_place(store, new, result.digest)
        os.rename(new, directory(store, diff_id))
    except BaseException:
        from rootless.storage.remove_tree import remove_tree

        remove_tree(new)
        raise
    finally:
        os.close(held)
    return Unpacked(diff_id, path(store, diff_id), result.size, result.entries, result.notes, True)


def _give_place(store: Store, new: str, diff_id: str) -> Unpacked:
    """Let the finished directory `new` be the layer, unless it is there already."""
    from rootless.storage.remove_tree import remove_tree

    with layer_lock.making(store, diff_id):
        fresh = not has(store, diff_id)
        if fresh:
            remove(store, diff_id)  # one that a power cut has damaged
            os.rename(new, directory(store, diff_id))
    if not fresh:
        remove_tree(new)
    return _existing(store, diff_id)._replace(fresh=fresh)


def _plain_top(root_fd: int) -> None:
    """Undo what the new directory inherited: a default ACL or a set-group-ID bit would spread."""
    for name in ("system.posix_acl_default", "system.posix_acl_access"):
        try:
            os.removexattr(root_fd, name)
        except OSError:
            pass
    os.fchown(root_fd, -1, os.getegid())
    os.fchmod(root_fd, 0o755)


def _new_directory(store: Store) -> tuple[str, int]:
    while True:
        new = f"{store.layers}/.new-{os.getpid()}-{os.urandom(6).hex()}"
        os.mkdir(new, 0o700)
        try:
            fd = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if is_called(new, fd):
                return new, fd
            os.close(fd)
        except FileNotFoundError:
            pass  # a sweeper was faster than our lock


def remove(store: Store, diff_id: str) -> None:
    """Delete the layer; gone for everybody at once, idempotent. Wants the session joined.

    RootlessError naming the files if some cannot be deleted; `sweep` tries again.
    """
    from rootless.storage.remove_tree import remove_tree

    gone = f"{store.layers}/.rm-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        os.rename(directory(store, diff_id), gone)
    except FileNotFoundError:
        return
    failures = remove_tree(gone)
    if failures:
        from rootless.storage import left_files

        raise RootlessError(
            f"layer {diff_id[:19]}: not all could be deleted: " + "; ".join(failures[:3]), hint=left_files.hint(gone)
        )


def sweep(store: Store) -> list[str]:
    """Delete what killed processes left half-made or half-deleted; what went. Wants the session joined."""
    from rootless.storage import abandoned
    from rootless.storage.remove_tree import remove_tree

    done: list[str] = []
    try:
        entries = os.listdir(store.layers)
    except FileNotFoundError:
        return done
    for entry in entries:
        where = f"{store.layers}/{entry}"
        gone = abandoned.set_aside(where) if entry.startswith(".new-") else where if entry.startswith(".rm-") else ""
        if gone:
            remove_tree(gone)
            done.append(entry)
    return done


def sync(store: Store) -> int:
    """Bring all layers to the disk and note that they are; how many were. One syncfs(2), seconds at worst.

    Layers of another boot that were never settled are left alone: they are to be unpacked again.
    """
    from rootless.linux.filesystem import syncfs
    from rootless.storage.layers import step_names

    booted = boot_id()
    marks = []
    for layer in (*(directory(store, diff_id) for diff_id in list_layers(store)), *step_names.unnamed(store)):
        mark = layer + "/settled"
        try:
            if os.readlink(mark) == booted:
                marks.append(mark)
        except OSError:
            continue
    if marks:
        fd = os.open(store.layers, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(fd)
        finally:
            os.close(fd)
        for mark in marks:
            aside = f"{mark}.{os.getpid()}"
            try:
                os.symlink("yes", aside)
                os.rename(aside, mark)
            except OSError:
                continue  # removed meanwhile
    return len(marks)
