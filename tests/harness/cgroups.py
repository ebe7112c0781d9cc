"""A cgroup that root gives to the tests' account, on a host with cgroup v2 (a hybrid one's will do).

    MOUNT/rootless-tests-UID             its cgroup.procs is the account's: processes may be moved within
    MOUNT/rootless-tests-UID/outside     where the tests run: nothing there is theirs to divide
    MOUNT/rootless-tests-UID/delegated   all theirs, as an administrator or systemd would delegate it
    MOUNT/rootless-tests-UID-apart       theirs, too, but nothing lets them move in from where they run
"""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

from rootless.cgroup import subtrees

VARIABLE = "ROOTLESS_TEST_CGROUP"
_FILES = ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


def give(account: pwd.struct_passwd) -> dict[str, str]:
    """As root: make it, move this process in; what to add to the tests' environment, {} where the host has none."""
    mount = subtrees.mount_point()
    if not mount:
        return {}
    top = Path(mount) / f"rootless-tests-{account.pw_uid}"
    apart = Path(f"{top}-apart")
    try:
        for path in (top, top / "outside", top / "delegated", top / "delegated/login", apart):
            path.mkdir(exist_ok=True)
        os.chown(top / "cgroup.procs", account.pw_uid, -1)
        os.chown(top / "outside/cgroup.procs", account.pw_uid, -1)
        for path in (top / "delegated", top / "delegated/login", apart):
            for name in _FILES:
                with contextlib.suppress(FileNotFoundError):
                    os.chown(path / name, account.pw_uid, -1)
        (top / "outside/cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return {}  # a read-only mount, or no right: the tests that want it say so
    return {VARIABLE: str(top)}


def apart() -> Path | None:
    """A directory that is the tests' to divide and out of their reach."""
    named = os.environ.get(VARIABLE)
    return Path(named + "-apart") if named else None


def delegated() -> Path | None:
    """The directory that is the tests' to divide."""
    named = os.environ.get(VARIABLE)
    return Path(named) / "delegated" if named else None
