"""What the steps of a build wrote: layers that have no diff id yet.

    build/steps/.new-<pid>-<rand>   being made, flock held on the directory; swept when unlocked
    build/steps/<32 hex>/fs         the tree, as a layer's; `settled` beside it, with a layer's meaning
    build/steps/<32 hex>.layer      link to ../../layers/<hex>: it has become the layer with that diff id
    RUNTIME/b/<name of a .new->     the sockets of a step's container; `root` links to the store
    build/moving.lock               shared by who mounts steps, exclusive for the moment in which one becomes a layer

A step is made by one rename of the upper directory that it was written in: no tar, no walk. Its id is drawn by
lot. Where layers are named by diff ids, "step:<id>" names a step, whichever of the two places it is in.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from rootless import atomic
from rootless.errors import RootlessError
from rootless.linux.process import boot_id
from rootless.record import TYPE_CHECKING
from rootless.storage.layers import step_names
from rootless.storage.store import Store, is_called, make_directory, open_lock

if TYPE_CHECKING:
    from rootless.storage.owner_file import Owners


class NewStep:
    """A directory in which a step is made: a context manager, gone at the end unless `commit` was called.

    `path` has room for the upper directory and whatever else the maker needs beside it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = -1
        self.path = ""

    def __enter__(self) -> NewStep:
        make_directory(step_names.top(self._store))
        while True:
            self.path = f"{step_names.top(self._store)}/.new-{os.getpid()}-{os.urandom(6).hex()}"
            os.mkdir(self.path, 0o700)
            try:
                self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(self._held, fcntl.LOCK_EX)
                if is_called(self.path, self._held):
                    return self
                os.close(self._held)
            except FileNotFoundError:
                pass  # a sweeper was faster than our lock

    def __exit__(self, *_: object) -> None:
        from rootless.storage.remove_tree import remove_tree

        remove_tree(self.path)
        os.close(self._held)

    def commit(self, upper: str, owners: Owners) -> str:
        """Make the directory `upper`, which is below `path`, a step; its name, "step:<id>". `owners`: of its files, where
        they have no id here.

        What else is in `path` is deleted with it. Nothing is mounted from `upper` any more.
        """
        aside = f"{self.path}/step"
        os.mkdir(aside, 0o700)
        os.rename(upper, aside + "/fs")
        if owners:
            from rootless.storage.layers import layer_owners

            layer_owners.write(aside, owners)
        os.symlink(boot_id(), aside + "/settled")
        name = os.urandom(16).hex()
        os.rename(aside, f"{step_names.top(self._store)}/{name}")
        return step_names.PREFIX + name


class Mounting:
    """While held, no step changes its place: from the look at the directories to their mount."""

    def __init__(self, store: Store) -> None:
        self._fd = open_lock(f"{store.root}/build/moving.lock")

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def __exit__(self, *_: object) -> None:
        # The lock is the open file's, which processes forked meanwhile have, too.
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)


def become_layer(store: Store, step: str, found: str, record: dict[str, object]) -> None:
    """Give the step its diff id `found`: it is the layer of that name from now on, or the one that is there already.

    `record` is layer.json's content. The caller holds `store.lease()` and has joined the session.
    """
    from rootless.storage.layers import layer_lock, layers

    name = step.removeprefix(step_names.PREFIX)
    own = f"{step_names.top(store)}/{name}"
    final = layers.directory(store, found)
    make_directory(store.layers)
    with layer_lock.making(store, found):
        if not os.path.isdir(own):
            return  # another build had it, too, and was faster
        there = os.path.isdir(final)
        if there and not layers.is_synced(final, boot_id()):
            layers.remove(store, found)
            there = False
        if not there:
            atomic.write_json(own + "/layer.json", record, durable=False)
        guard = open_lock(f"{store.root}/build/moving.lock")
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            _link(f"../../layers/{os.path.basename(final)}", own + step_names.LAYER)
            os.rename(own, f"{step_names.top(store)}/.rm-{name}" if there else final)
        finally:
            os.close(guard)
    if there:
        from rootless.storage.remove_tree import remove_tree

        remove_tree(f"{step_names.top(store)}/.rm-{name}")


def exists(store: Store, step: str) -> bool:
    """Whether there is a step of that name, in whichever place."""
    own = f"{step_names.top(store)}/{step.removeprefix(step_names.PREFIX)}"
    return os.path.isdir(own) or os.path.isdir(own + step_names.LAYER)


def adopt(store: Store, step: str, found: str) -> bool:
    """Let the layer with the diff id `found`, which is there, be the step; False where a step of that name is another.

    Of a step that was done elsewhere. The caller holds `store.lease()`.
    """
    if exists(store, step):
        return step_names.diff_id(store, step) == found
    make_directory(step_names.top(store))
    own = f"{step_names.top(store)}/{step.removeprefix(step_names.PREFIX)}"
    _link(f"../../layers/{found.removeprefix('sha256:')}", own + step_names.LAYER)
    return True


def _link(target: str, path: str) -> None:
    aside = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    os.symlink(target, aside)
    os.rename(aside, path)


def remove(store: Store, step: str) -> None:
    """Forget the step; a layer that it has become stays for `gc.collect` to judge. Wants the session joined."""
    discard(set_aside(store, step))


def set_aside(store: Store, step: str) -> str:
    """The first half of `remove`, which takes no time: nobody finds the step any more; what `discard` is to have."""
    name = step.removeprefix(step_names.PREFIX)
    gone = f"{step_names.top(store)}/.rm-{name}"
    try:
        os.rename(f"{step_names.top(store)}/{name}", gone)
    except FileNotFoundError:
        pass
    try:
        os.unlink(f"{step_names.top(store)}/{name}{step_names.LAYER}")
    except FileNotFoundError:
        pass
    return gone


def discard(gone: str) -> None:
    """Delete what was set aside. RootlessError where not all could be."""
    from rootless.storage.remove_tree import remove_tree

    failures = remove_tree(gone)
    if failures:
        name = os.path.basename(gone).removeprefix(".rm-")
        raise RootlessError(f"build step {name[:12]}: not all could be deleted: " + "; ".join(failures[:3]))


def sweep(store: Store) -> list[str]:
    """Delete what killed builds left half-made or half-deleted; what went. Wants the session joined."""
    from rootless.storage import abandoned
    from rootless.storage.remove_tree import remove_tree

    done = []
    for entry in step_names.entries(store):
        where = f"{step_names.top(store)}/{entry}"
        gone = abandoned.set_aside(where) if entry.startswith(".new-") else where if entry.startswith(".rm-") else ""
        if gone:
            remove_tree(gone)
            done.append(entry)
    return done + _sweep_runtime(store)


def _sweep_runtime(store: Store) -> list[str]:
    """Remove the sockets of steps that are not being made any more; another store's are not ours to judge."""
    done = []
    try:
        entries = os.listdir(f"{store.runtime}/b")
    except OSError:
        return []
    for entry in entries:
        where = f"{store.runtime}/b/{entry}"
        try:
            if os.readlink(where + "/root") != store.root or os.path.isdir(f"{step_names.top(store)}/{entry}"):
                continue
        except FileNotFoundError:
            # Of a build that was killed before it made the link, or after it removed all: whosever it was.
            with contextlib.suppress(OSError):
                os.rmdir(where)
            continue
        except OSError:
            continue
        remove_sockets(where)
        done.append(where)
    return done


def remove_sockets(path: str) -> None:
    """Delete RUNTIME/b/<name>; the link that says whose it is goes last, so that what a kill leaves is known."""
    from rootless.storage.remove_tree import remove_tree

    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path):
            if name != "root":
                remove_tree(f"{path}/{name}")
    remove_tree(path)
