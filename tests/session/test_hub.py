"""The session's hub: a network namespace, the same for all, that outlives the holder with whoever keeps it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rootless import paths
from rootless.errors import Unavailable
from rootless.linux import namespace
from rootless.network.hub import namespace as hub_namespace
from rootless.session import connection, session
from tests.harness.forked import become_root_of_own_namespace, forked
from tests.session.conftest import Places, use
from tests.session.sessions import holder_pid, holders, join_in_child, kill_and_wait


def hub_inode(places: Places) -> int:
    """As a command asks for it, from outside; 0: there is none."""
    join_in_child(places)
    hub, _ = connection.hub_from_holder(str(places.runtime))
    try:
        return os.fstat(hub).st_ino if hub >= 0 else 0
    finally:
        if hub >= 0:
            os.close(hub)


@contextmanager
def keeper(places: Places, name: str, *, enters: bool = False, in_container: bool = False) -> Iterator[None]:
    """A process in the session, of that name, for the places' RUNTIME, with a descriptor of the hub, or in it; or with a network
    of its own, as a container has that lives in the session's user namespace."""
    program = places.runtime.parent / name
    program.symlink_to(sys.executable)
    started, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        use(places)
        session.join()
        if in_container:
            namespace.unshare(namespace.CLONE_NEWNET | namespace.CLONE_NEWNS)
            os.set_inheritable(os.open("/proc/self/ns/net", os.O_RDONLY), True)
        else:
            hub, _ = connection.hub_from_holder(str(places.runtime))
            os.set_inheritable(hub, not enters)
            if enters:
                namespace.setns(hub, namespace.CLONE_NEWNET)
        os.set_inheritable(ready, True)
        socket = str(places.runtime / connection.NETD_SOCKET)
        words = [str(program), "-c", f"import os, signal; os.write({ready}, b'1'); signal.pause()", "--netd", socket]
        os.execv(program, words)
    os.close(ready)
    try:
        assert os.read(started, 1) == b"1"
        yield
    finally:
        os.close(started)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        program.unlink()


def test_all_commands_get_the_same_hub_and_stay_in_the_hosts_network(places: Places) -> None:
    def child() -> tuple[int, int]:
        use(places)
        session.join()
        hub, _ = connection.hub_from_holder(str(places.runtime))
        owner = namespace.owning_user_namespace(hub)
        assert namespace.identity(owner) == namespace.identity("/proc/self/ns/user")
        return os.fstat(hub).st_ino, os.stat("/proc/self/ns/net").st_ino

    seen = {forked(child) for _ in range(3)}
    assert seen == {(hub_inode(places), os.stat("/proc/self/ns/net").st_ino)}


def test_a_new_holder_is_in_the_hub_that_a_monitor_kept(places: Places) -> None:
    before = hub_inode(places)
    assert before, "the holder has no hub"
    with keeper(places, "rootless-monitor"):
        kill_and_wait(holder_pid(places))
        assert hub_inode(places) == before


def test_a_new_holder_is_in_the_hub_that_the_network_helper_is_in(places: Places) -> None:
    before = hub_inode(places)
    with keeper(places, "rootless: networks", enters=True):
        kill_and_wait(holder_pid(places))
        assert hub_inode(places) == before


def test_a_hub_that_nobody_kept_is_made_anew(places: Places) -> None:
    assert hub_inode(places)
    with keeper(places, "rootless-monitor", in_container=True):
        user_namespace = join_in_child(places)[1]
        kill_and_wait(holder_pid(places))
        after = hub_inode(places)
        assert join_in_child(places)[1] == user_namespace
        holder = holder_pid(places)
        assert after == os.stat(f"/proc/{holder}/ns/net").st_ino
        container = [pid for pid in holders(user_namespace) if pid != holder]
        assert after not in [os.stat(f"/proc/{pid}/ns/net").st_ino for pid in container], "a container's network is the hub"


def test_a_holder_for_another_runtime_has_a_hub_of_its_own(places: Places) -> None:
    """A hub has one network helper, whose socket is in one place."""
    before = hub_inode(places)
    other = Places(places.runtime.parent / "other/rootless", places.root)
    other.runtime.mkdir(parents=True, mode=0o700)
    other.runtime.parent.chmod(0o700)
    with keeper(places, "rootless-monitor"):
        assert hub_inode(other) != before
        assert join_in_child(other)[1] == join_in_child(places)[1], "they are one session"
        kill_and_wait(holder_pid(places))
        kill_and_wait(holder_pid(other))
        assert hub_inode(places) == before


def test_a_host_that_allows_no_network_namespace_has_a_session_without_hub(places: Places) -> None:
    def child() -> int:
        become_root_of_own_namespace()
        with open("/proc/sys/user/max_net_namespaces", "w") as file:
            file.write("0")
        use(places)
        session.join()
        hub, pid = connection.hub_from_holder(paths.runtime_dir())
        os.kill(pid, signal.SIGKILL)
        return hub

    assert forked(child) == -1


def test_a_holder_that_ends_below_a_command_is_no_host_without_networks(places: Places) -> None:
    """NotSupported would give a container of the default network another one than it was promised, without a word."""

    def child() -> str:
        use(places)
        session.join()
        _, pid = connection.hub_from_holder(paths.runtime_dir())
        kill_and_wait(pid)
        with pytest.raises(Unavailable) as refused:
            hub_namespace.open_hub()
        return refused.value.hint or ""

    assert "try again" in forked(child)
    assert hub_inode(places), "the next command starts another one"
