"""Containers' directories: names, ids, locks, derived status, removal, sweeping."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.storage.containers import containers
from rootless.storage.maintenance.sweep import sweep_containers
from rootless.storage.store import Store
from tests.storage.making import make, state_of


def test_reading_an_absent_store_creates_nothing(store: Store) -> None:
    assert containers.ids(store) == []
    assert containers.names(store) == {}
    with pytest.raises(NotFound, match="No such container: x"):
        containers.find(store, "x")
    assert not os.path.exists(store.root)


def test_found_by_id_name_and_prefix(store: Store) -> None:
    identifier = make(store, "web")
    assert containers.ids(store) == [identifier]
    assert containers.names(store) == {identifier: "web"}
    for ref in (identifier, identifier[:12], identifier[:2], "web", "/web"):
        assert containers.find(store, ref) == identifier
    for ref in ("we", "", "..", "../names", "g" * 64, "0" * 64, identifier + "0"):
        with pytest.raises(NotFound):
            containers.find(store, ref)


def test_ambiguous_prefix_is_a_conflict(store: Store) -> None:
    for last in "ab":
        containers.create(store, "f" * 63 + last, f"name-{last}", {})
    with pytest.raises(Conflict, match="Multiple IDs found with provided prefix: ff"):
        containers.find(store, "ff")
    # A name wins over a prefix, as Docker has it.
    containers.create(store, "e" * 64, "ffff", {})
    assert containers.find(store, "ffff") == "e" * 64


def test_name_taken_and_freed(store: Store) -> None:
    first = make(store, "web")
    with pytest.raises(
        Conflict, match=rf'The container name "/web" is already in use by container "{first}"'
    ):
        make(store, "web")
    assert containers.ids(store) == [first]
    assert os.listdir(store.containers) == [first]
    containers.remove(store, first)
    second = make(store, "web")
    assert containers.find(store, "web") == second


@pytest.mark.parametrize("name", ["", "a", ".a", "-a", "a/b", "a b", "ü" * 3, "a" * 201, "a\n"])
def test_bad_names(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        make(store, name)
    assert not os.path.exists(store.root)


def test_rename(store: Store) -> None:
    one, two = make(store, "one"), make(store, "two")
    with pytest.raises(Conflict):
        containers.rename(store, one, "two")
    containers.rename(store, one, "three")
    assert containers.names(store) == {one: "three", two: "two"}
    make(store, "one")


def test_claim_of_a_vanished_container_is_void(store: Store) -> None:
    identifier = make(store, "web")
    os.rename(containers.directory(store, identifier), f"{store.containers}/.rm-{identifier}")
    with pytest.raises(NotFound):
        containers.find(store, "web")
    assert containers.find(store, make(store, "web"))
    assert sweep_containers(store) == [f".rm-{identifier}"]


def test_one_of_many_wins_a_name(store: Store) -> None:
    os.makedirs(store.names)
    # All find the same void claim first.
    os.symlink("0" * 64, f"{store.names}/web")
    reader, writer = os.pipe()
    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            status = 0
            try:
                make(store, "web")
            except Conflict:
                status = 1
            finally:
                os.write(writer, bytes([status]))
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert sorted(os.read(reader, 100)) == [0] + [1] * 7
    assert len(containers.ids(store)) == 1
    assert containers.find(store, "web") == containers.ids(store)[0]


def test_lock(store: Store) -> None:
    identifier = make(store, "web")
    with containers.lock(store, identifier), pytest.raises(Conflict, match="busy"):
        containers.lock(store, identifier, blocking=False)
    containers.lock(store, identifier, blocking=False).release()
    with pytest.raises(NotFound):
        containers.lock(store, "0" * 64)


def test_waiting_for_the_lock_of_a_removed_container(store: Store) -> None:
    identifier = make(store, "web")
    held = containers.lock(store, identifier)
    outcome: list[NotFound] = []

    def wait() -> None:
        try:
            containers.lock(store, identifier)
        except NotFound as error:
            outcome.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    containers.remove(store, identifier)
    held.release()
    waiter.join(120)
    assert outcome


def test_status_is_derived(store: Store) -> None:
    identifier = make(store, "web")
    directory = containers.directory(store, identifier)

    def status() -> containers.ContainerStatus:
        return containers.status(store, identifier)

    assert status().state == "created"
    state = state_of(store, identifier)
    assert (status().state, status().pid, status().started_at) == ("running", os.getpid(), "2026-01-02T03:04:05.000000000Z")
    state_of(store, identifier, paused=True)
    assert status().state == "paused"
    state_of(store, identifier, pid=0, started_at="", exit_code=127, error="no such command")
    assert status() == ("created", 0, 127, "", "", False, "no such command")
    # One that had run before, and could not be started again.
    state_of(store, identifier, pid=0, finished_at="2026-01-02T03:04:06Z", exit_code=127, error="no such command")
    assert status() == ("exited", 0, 127, "2026-01-02T03:04:05.000000000Z", "2026-01-02T03:04:06Z", False, "no such command")
    for gone in ({"start_time": 1}, {"boot_id": "another"}):
        state_of(store, identifier, **gone)
        assert (status().state, status().exit_code) == ("exited", 137)
    state = state_of(store, identifier, start_time=1)
    for raw, code in ((3 << 8, 3), (signal.SIGTERM, 143), (0, 0), (signal.SIGSEGV | 0x80, 139)):
        with open(directory + "/exit.json", "w") as file:
            json.dump({"pid": state["pid"], "start_time": 1, "status": raw, "finished_at": "2026-01-02T03:04:06Z"}, file)
        assert status()[:5] == ("exited", 0, code, "2026-01-02T03:04:05.000000000Z", "2026-01-02T03:04:06Z")
    with open(directory + "/exit.json", "w") as file:
        json.dump({"pid": state["pid"], "start_time": 2, "status": 0, "finished_at": "2026-01-02T03:04:06Z"}, file)
    assert status().error == "monitor lost"
    containers.remove(store, identifier)
    with pytest.raises(NotFound):
        status()
