"""`system reset`: everything of ours removed, and the session ended."""

from __future__ import annotations

import os
import sys

from rootless.engine.lifecycle import remove
from rootless.errors import InvalidInput, RootlessError
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.store import Store
from rootless.words import plain

OURS = ("blobs", "build", "containers", "driver.json", "events", "gc.lock", "host-images", "images", "layers", "names", "names.lock",
        "networks", "networks.lock", "packs", "pods",
        "run", "seccomp", "single-id-told", "tmp", "userns.lock", "volumes")  # fmt: skip
"""What stands below ROOT; a reset touches nothing else that a user may keep there."""
_OF_NOBODY = 2
"""The child's exit status where files belong to ids that the session has not."""


def reset(store: Store) -> list[str]:
    """Remove all containers, images and volumes, what starts them at boot, then the session, if nobody of
    another ROOT lives in it. Not from inside the session. What was undone of `enable`.

    What cannot be removed is a RootlessError naming it; the rest is gone then all the same.
    """
    if session.inside():
        raise InvalidInput(
            "`system reset` cannot end the session it runs in", hint="leave `rootless unshare` first"
        )
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()  # the files need the session, and the session can only be ended from outside
    if child == 0:
        os._exit(_reset_inside(store))
    _, status = os.waitpid(child, 0)
    session.stop()
    from rootless.engine.lifecycle.autostart import autostart

    disabled = autostart.disable_all(store)
    result = os.waitstatus_to_exitcode(status)
    if result:
        hint = "end what still uses it, and try again"
        if result == _OF_NOBODY:
            hint = (
                "files there belong to ids that you have no more: try again once your range in /etc/subuid and /etc/subgid is back; "
                f"without one an administrator can: sudo rm -rf {store.root}"
            )
        raise RootlessError(f"not everything below {store.root} could be removed", hint=hint)
    try:
        os.rmdir(store.root)
    except OSError:
        pass  # a mount point, or something of the user's is in it
    return disabled


def _reset_inside(store: Store) -> int:
    """The child's part: its exit status."""
    from rootless.storage import left_files
    from rootless.storage.remove_tree import remove_tree

    failures: list[str] = []
    try:
        session.join()
        for identifier in containers.ids(store):
            try:
                remove.remove(store, identifier, force=True, with_pod=True)
            except (RootlessError, OSError) as error:
                failures.append(error.message if isinstance(error, RootlessError) else str(error))
        for name in OURS:
            for place in {store.root, store.home}:
                failures += remove_tree(f"{place}/{name}")
        failures += _remove_sockets(store)
    except (RootlessError, OSError) as error:
        failures.append(str(error))
    for failure in failures[:10]:
        print(f"rootless: {plain(failure)}", file=sys.stderr)
    sys.stderr.flush()
    if failures and left_files.are_of_nobody(store.root):
        return _OF_NOBODY
    return 1 if failures else 0


def _remove_sockets(store: Store) -> list[str]:
    """What our containers left in RUNTIME; what could not be removed. Another store's may be in use."""
    from rootless.storage.remove_tree import remove_tree

    failures: list[str] = []
    try:
        entries = os.listdir(store.runtime + "/c")
    except OSError:
        return failures
    for entry in entries:
        path = f"{store.runtime}/c/{entry}"
        try:
            ours = os.readlink(path + "/root") == store.root
        except OSError:
            continue
        if ours:
            failures += remove_tree(path)
    try:
        os.rmdir(store.runtime + "/c")
    except OSError:
        pass  # containers of another ROOT have theirs there
    return failures
