"""Containers' directories after kills, power cuts and foreign hands; what looking at many costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rootless.errors import Conflict
from rootless.storage.containers import containers
from rootless.storage.maintenance.sweep import sweep_containers
from rootless.storage.store import Store, make_locked
from tests.storage.joined import Joined
from tests.storage.making import make, state_of


def test_transient_containers_do_not_outlive_a_boot(store: Store) -> None:
    kept, lost, plain = (
        make(store, "kept", durable=False),
        make(store, "lost", durable=False),
        make(store, "plain"),
    )
    link = containers.directory(store, lost) + "/transient"
    os.unlink(link)
    os.symlink("another boot", link)
    assert sweep_containers(store) == [lost]
    assert containers.ids(store) == sorted([kept, plain])
    assert set(containers.names(store).values()) == {"kept", "plain"}


def test_sweep_spares_what_is_being_made(store: Store) -> None:
    make(store, "web")
    new = f"{store.containers}/.new-{'a' * 64}"
    held = make_locked(new)
    os.symlink("a" * 64, f"{store.names}/soon")
    assert sweep_containers(store) == []
    with pytest.raises(Conflict):
        make(store, "soon")
    os.close(held)
    assert sweep_containers(store) == [f".new-{'a' * 64}", "soon"]
    make(store, "soon")


def test_killed_at_any_instant(store: Store) -> None:
    """kill -9 while containers are made, renamed and removed: what is left is whole, or swept."""

    def work() -> None:
        number = 0
        while True:
            identifier = make(store, f"name-{number % 5}", durable=number % 3 == 0)
            containers.rename(store, identifier, f"other-{number % 5}")
            containers.remove(store, identifier)
            number += 1

    for round_number in range(40):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(9)
        time.sleep(0.004 + 0.0013 * round_number)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status)
        sweep_containers(store)
        for identifier in containers.ids(store):
            assert containers.config(store, identifier, {}) == {"image_id": "sha256:x"}
            assert containers.status(store, identifier).state == "created"
            containers.remove(store, identifier)
        sweep_containers(store)
        left = os.listdir(store.containers) if os.path.isdir(store.containers) else []
        assert [entry for entry in left if not _young(store, entry)] == []
        assert containers.names(store) == {}


def _young(store: Store, entry: str) -> bool:
    """A directory that was killed before its lock file was made is given ten seconds."""
    return entry.startswith(".new-") and os.listdir(f"{store.containers}/{entry}") == []


def test_foreign_files_are_removed(store: Store, joined: Joined) -> None:
    identifier = make(store, "web")
    upper = containers.directory(store, identifier) + "/upper"

    def fill() -> None:
        os.makedirs(upper + "/a/b")
        for path, owner in ((upper + "/a/b", 1000), (upper + "/a", 33), (upper, 65534)):
            os.chown(path, owner, owner)
            os.chmod(path, 0)

    joined(fill)
    joined(lambda: containers.remove(store, identifier))
    assert os.listdir(store.containers) == []


def test_a_read_only_store_can_be_read(store: Store, joined: Joined) -> None:
    from rootless.linux import mount, namespace

    identifier = make(store, "web")
    base = os.path.dirname(store.root)

    def run() -> None:
        namespace.unshare(namespace.CLONE_NEWNS)
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE, None)
        mount.mount(base, base, None, mount.MS_BIND, None)
        mount.mount(None, base, None, mount.MS_BIND | mount.MS_REMOUNT | mount.MS_RDONLY, None)
        assert containers.find(store, "web") == identifier
        assert containers.status(store, identifier).state == "created"
        containers.lock(store, identifier).release()
        store.lease().release()
        with pytest.raises(OSError, match="Read-only"):
            make(store, "other")

    joined(run)


def test_hundred_containers_are_listed(store: Store) -> None:
    for number in range(100):
        state_of(store, make(store, f"name-{number}", durable=False))
    known = containers.names(store)
    assert len(known) == len(containers.ids(store)) == 100
    for identifier in containers.ids(store):
        assert containers.config(store, identifier, {})
        assert containers.status(store, identifier).state == "running"
        assert known[identifier]


def test_hot_modules_import_little() -> None:
    code = (
        "import sys; import rootless.storage.containers.containers, rootless.storage.images, rootless.storage.drivers.rootfs; "
    )
    code += "import rootless.storage.drivers.choose; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-Sc", code], capture_output=True, text=True, check=True
    ).stdout.split()
    costly = {
        "dataclasses",
        "subprocess",
        "pathlib",
        "shutil",
        "tempfile",
        "hashlib",
        "logging",
        "threading",
        "tarfile",
    }
    assert not costly.intersection(loaded)


def test_many_are_made_while_others_sweep(store: Store) -> None:
    """Between a directory and its lock it looks like a killed process's."""
    stopped, stop = os.pipe()
    sweepers = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(stop)
                os.set_blocking(stopped, False)
                while True:
                    sweep_containers(store)
                    try:
                        os._exit(len(os.read(stopped, 1)))
                    except BlockingIOError:
                        continue
            finally:
                os._exit(9)
        sweepers.append(pid)
    os.close(stopped)
    made = [make(store, f"name-{number}", durable=False) for number in range(300)]
    os.close(stop)
    assert [os.waitpid(pid, 0)[1] for pid in sweepers] == [0, 0]
    assert containers.ids(store) == sorted(made)
    assert len(containers.names(store)) == 300
    assert [entry for entry in os.listdir(store.containers) if entry[0] == "."] == []
