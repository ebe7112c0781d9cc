from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from rootless import paths
from rootless.linux import process
from rootless.session import connection, session
from rootless.session.connection import NoHolder
from rootless.session.session import Session
from tests.harness.forked import forked
from tests.harness.processes import wait_until
from tests.session.conftest import Places, use
from tests.session.sessions import (
    holder_count,
    holder_pid,
    holders,
    join_in_child,
    kill_and_wait,
    listening,
)


def test_joining_makes_us_root_of_all_our_ids(places: Places) -> None:
    uid = os.getuid()

    def child() -> tuple[Session, tuple[int, ...], int]:
        use(places)
        joined = session.join()
        assert session.join() is joined
        assert session.inside()
        (places.runtime / "file").touch()
        os.chown(places.runtime / "file", 1000, 1000)
        return joined, (*os.getresuid(), *os.getresgid(), process.dumpable()), paths.host_uid()

    joined, ids, host_uid = forked(child)
    assert ids == (0, 0, 0, 0, 0, 0, 1)
    assert host_uid == uid
    assert joined.uid_map[0] == (0, uid, 1)
    assert joined.uid_map[1].inside == 1
    assert not joined.single_id
    owner = (places.runtime / "file").stat().st_uid
    assert owner == joined.uid_map[1].outside + 999


def test_all_commands_share_one_namespace(places: Places) -> None:
    first = join_in_child(places)

    assert {join_in_child(places) for _ in range(10)} == {first}


def test_programs_started_inside_know_where_they_are(places: Places) -> None:
    program = (
        "from rootless import paths; from rootless.session import session; import os;"
        "was = session.inside(); s = session.join(); "
        "print(was, paths.host_uid(), paths.runtime_dir(), os.getuid(), len(s.uid_map))"
    )

    def child() -> str:
        use(places)
        session.join()
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout

    maps = join_in_child(places)[0].uid_map
    assert forked(child).split() == ["True", str(os.getuid()), str(places.runtime), "0", str(len(maps))]


def test_the_variable_means_nothing_in_another_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.SESSION_VARIABLE, "12345:1")
    assert not paths.in_session()


def test_threads_are_refused_in_words(places: Places) -> None:
    join_in_child(places)

    def child() -> None:
        use(places)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        session.join()

    with pytest.raises(RuntimeError, match="2 threads"):
        forked(child)


def test_many_first_commands_start_one_holder(places: Places) -> None:
    go, release = os.pipe()
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            os.close(release)
            os.read(go, 1)
            use(places)
            session.join()
            os._exit(0 if os.getuid() == 0 else 1)
        children.append(pid)
    os.close(go)
    os.close(release)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    inode = join_in_child(places)[1]
    assert holder_count(inode) == 1


def test_the_holder_keeps_nothing_of_its_starter(places: Places) -> None:
    def child() -> None:
        use(places)
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), 77, inheritable=True)
        session.join()

    forked(child)
    pid = holder_pid(places)

    def others() -> list[str]:
        found = {}
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found[entry] = os.readlink(f"/proc/{pid}/fd/{entry}")
        assert {found.pop(number) for number in "012"} == {"/dev/null"}
        return sorted(name.partition(":")[0] for name in found.values())

    # The connection that has just asked for its pid is closed in a moment.
    wait_until(lambda: others() == ["anon_inode", "net", "socket", "user"], "a holder with its own descriptors alone")
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) == pid


def test_a_killed_holder_is_replaced_with_the_same_map(places: Places) -> None:
    before, _ = join_in_child(places)
    kill_and_wait(holder_pid(places))
    with pytest.raises(NoHolder):
        holder_pid(places)
    assert join_in_child(places)[0] == before


def test_what_still_lives_inside_gives_the_new_holder_the_old_namespace(places: Places) -> None:
    joined, finish = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(finish[1])
        use(places)
        session.join()
        os.write(joined[1], b"j")
        os.read(finish[0], 1)
        os._exit(0)
    os.read(joined[0], 1)
    inode = os.stat(f"/proc/{pid}/ns/user").st_ino
    kill_and_wait(holder_pid(places))
    again = join_in_child(places)[1]
    os.close(finish[1])
    os.waitpid(pid, 0)
    assert again == inode


def test_a_holder_that_is_stopped_is_replaced(places: Places) -> None:
    join_in_child(places)
    old = holder_pid(places)
    started = process.start_time(old)
    os.kill(old, signal.SIGSTOP)

    def child() -> None:
        use(places)
        connection.ANSWER_TIMEOUT_S = 1
        session.join()

    forked(child)
    assert holder_pid(places) != old
    wait_until(lambda: not process.alive(old, started), "the end of the stopped holder")


@pytest.mark.parametrize("delay_ms", [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20])
def test_a_starter_killed_at_any_moment_leaves_what_the_next_one_heals(places: Places, delay_ms: int) -> None:
    pid = os.fork()
    if pid == 0:
        use(places)
        session.join()
        os._exit(0)
    time.sleep(delay_ms / 1000)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    joined, inode = join_in_child(places)
    assert len(joined.uid_map) > 1
    assert holder_count(inode) == 1
    assert listening(places) == 1
    assert "session.sock.new" not in os.listdir(places.runtime)


def test_a_socket_nobody_listens_on_is_replaced(places: Places) -> None:
    places.runtime.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(str(places.runtime / "session.sock"))
    assert join_in_child(places)[0].uid_map


def test_a_long_runtime_directory_is_no_obstacle(places: Places) -> None:
    long = places.runtime.parent / ("long" * 30) / "rootless"
    long.parent.mkdir(mode=0o700)
    elsewhere = Places(long, places.root)
    assert join_in_child(elsewhere) == join_in_child(elsewhere)

    def stop() -> bool:
        use(elsewhere)
        return session.stop()

    assert forked(stop)


def test_stop_ends_it_and_says_whether_there_was_one(places: Places) -> None:
    inode = join_in_child(places)[1]

    def stop() -> tuple[bool, bool, bool, bool]:
        use(places)
        before = session.status().running
        return before, session.stop(), session.status().running, session.stop()

    assert forked(stop) == (True, True, False, False)
    time.sleep(0.05)
    assert holders(inode) == []
