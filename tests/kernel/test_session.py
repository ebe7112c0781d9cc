from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rootless import paths
from rootless.errors import NotSupported
from rootless.linux import namespace, process
from rootless.session import connection, idmap, record, session
from rootless.session.connection import NoHolder
from rootless.session.session import Session
from tests.kernel.conftest import Places, use
from tests.kernel.forked import forked

USER = "/proc/self/ns/user"


def join_in_child(places: Places) -> tuple[Session, int]:
    """(session, inode of its namespace) as a command would join it."""

    def child() -> tuple[Session, int]:
        use(places)
        return session.join(), os.stat(USER).st_ino

    return forked(child)


def holder_pid(places: Places) -> int:
    holder = connection.ask_holder(str(places.runtime))
    os.close(holder.namespace_fd)
    return holder.holder_pid


def holders(inode: int) -> list[int]:
    """Living processes in that user namespace."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{entry}/ns/user").st_ino == inode:
                found.append(int(entry))
        except OSError:
            continue
    return found


def listening(places: Places) -> int:
    """How many sockets listen there, also those that have lost their name: one per holder."""
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return sum(
        len(words) == 8 and words[3] == "00010000" and words[7].startswith(f"{places.runtime}/")
        for words in sockets
    )


def holder_count(inode: int) -> int:
    """How many are left in that namespace when forks on their way out have gone."""
    deadline = time.monotonic() + 2
    while len(holders(inode)) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(holders(inode))


def kill_and_wait(pid: int) -> None:
    started = process.start_time(pid)
    os.kill(pid, signal.SIGKILL)
    while process.alive(pid, started):
        time.sleep(0.01)


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


def test_all_commands_share_one_namespace_and_joining_is_quick(places: Places) -> None:
    first = join_in_child(places)

    def timed() -> tuple[Session, int, float]:
        use(places)
        begin = time.perf_counter()
        joined = session.join()
        return joined, os.stat(USER).st_ino, time.perf_counter() - begin

    runs = [forked(timed) for _ in range(10)]
    assert {run[:2] for run in runs} == {first}
    # 0.3 ms on an idle machine; the best of ten, so that a busy one does not fail us
    assert min(run[2] for run in runs) < 0.005


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
    open_files = {entry: os.readlink(f"/proc/{pid}/fd/{entry}") for entry in os.listdir(f"/proc/{pid}/fd")}
    assert {open_files.pop(number) for number in "012"} == {"/dev/null"}
    assert sorted(name.partition(":")[0] for name in open_files.values()) == ["socket", "user"]
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
    assert not process.alive(old, started)


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


def test_a_container_in_a_container_writes_its_maps_itself(places: Places) -> None:
    """Root of a namespace with several ids, as in a container: no newuidmap needed."""

    def child() -> tuple[int, Session]:
        use(places)
        outer = session.join()
        same = idmap.identity(outer.uid_map)
        # the container's own namespace, every id as itself
        ready, mapped = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            namespace.unshare(namespace.CLONE_NEWUSER)
            os.write(ready[1], b"r")
            os.read(mapped[0], 1)
            os.environ.pop(paths.SESSION_VARIABLE)
            inner_runtime = places.runtime.parent / "inner"
            inner_runtime.mkdir(mode=0o700)
            paths._host_uid = None
            session._joined = None
            use(Places(inner_runtime / "rootless", places.root))
            inner = session.join()
            os.setresuid(1000, 1000, 1000)
            assert list(inner.uid_map) == same
            os._exit(0)
        os.read(ready[0], 1)
        for kind in ("uid", "gid"):
            Path(f"/proc/{pid}/{kind}_map").write_text(idmap.format_map(same))
        os.write(mapped[1], b"m")
        return os.waitpid(pid, 0)[1], outer

    status, _ = forked(child)
    kill_inner(places)
    assert status == 0


def kill_inner(places: Places) -> None:
    """End the holder of the nested session, which the outer session may see."""

    def child() -> None:
        use(places)
        session.join()
        # Named after its user namespace: see paths.runtime_dir.
        (inner,) = (places.runtime.parent / "inner").glob("rootless-in-*")
        holder = connection.ask_holder(str(inner))
        os.kill(holder.holder_pid, signal.SIGKILL)

    forked(child)


def test_without_helpers_there_is_one_id_and_that_is_told_once(
    places: Places, capfd: pytest.CaptureFixture[str]
) -> None:
    """no_new_privs takes newuidmap its rights, as in a hardened service."""

    def child() -> Session:
        use(places)
        process.set_no_new_privs()
        return session.join()

    uid = os.getuid()
    joined = forked(child)
    assert joined == Session((idmap.IdRange(0, uid, 1),), (idmap.IdRange(0, os.getgid(), 1),), True)
    told = capfd.readouterr().err
    assert "one user id only" in told
    assert "no_new_privs" in told
    kill_and_wait(holder_pid(places))
    assert forked(child).single_id
    assert capfd.readouterr().err == ""


def test_ranges_that_were_added_renew_the_session(places: Places) -> None:
    def single() -> None:
        use(places)
        process.set_no_new_privs()
        session.join()

    forked(single)
    # as if the administrator had touched /etc/subuid after that
    os.utime(places.runtime / "session.json", (0, 0))
    assert not join_in_child(places)[0].single_id
    assert holder_count(join_in_child(places)[1]) == 1


def test_files_touched_without_a_change_cost_one_look(places: Places) -> None:
    before = join_in_child(places)
    os.utime(places.runtime / "session.json", (0, 0))
    assert join_in_child(places) == before
    assert (places.runtime / "session.json").stat().st_mtime > 1


def test_ranges_that_were_taken_away_are_told(places: Places, capfd: pytest.CaptureFixture[str]) -> None:
    def child() -> tuple[Session, int]:
        use(places)
        before = connection.ask_holder(str(places.runtime)).namespace_fd
        known = record.read(str(places.runtime))
        assert known is not None
        bigger = known.mapping._replace(uid=[*known.mapping.uid, idmap.IdRange(900000, 5, 5)])
        record.write(str(places.runtime), known.inode, bigger)
        os.utime(places.runtime / "session.json", (0, 0))
        return session.join(), os.fstat(before).st_ino

    first = join_in_child(places)
    assert forked(child) == first
    told = capfd.readouterr().err
    assert "are others than this session's" in told
    assert f"kill {holder_pid(places)}" in told
    assert join_in_child(places) == first
    assert capfd.readouterr().err == ""


def test_the_session_of_a_running_container_can_be_joined_by_pid(places: Places) -> None:
    """Also when it is not the present one any more."""
    joined, finish = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(finish[1])
        use(places)
        session.join()
        namespace.unshare(namespace.CLONE_NEWUSER)
        os.write(joined[1], b"j")
        os.read(finish[0], 1)
        os._exit(0)
    os.read(joined[0], 1)

    def child() -> tuple[int, bool]:
        use(places)
        session.stop()
        session.join_of(pid)
        above = namespace.parent(os.open(f"/proc/{pid}/ns/user", os.O_RDONLY))
        return os.getuid(), os.fstat(above).st_ino == os.stat(USER).st_ino

    try:
        assert forked(child) == (0, True)
    finally:
        os.close(finish[1])
        os.waitpid(pid, 0)


def test_a_host_without_user_namespaces_is_explained(places: Places) -> None:
    """A limit of zero namespaces, as an administrator sets it, in a namespace of our own."""

    def child() -> None:
        use(places)
        session.join()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        session._joined = None
        os.environ.pop(paths.SESSION_VARIABLE)
        paths._host_uid = None
        inner = places.runtime.parent / "limited"
        inner.mkdir(mode=0o700)
        use(Places(inner / "rootless", places.root))
        session.join()

    with pytest.raises(NotSupported) as caught:
        forked(child)
    assert "make a user namespace" in caught.value.message
    assert os.strerror(errno.ENOSPC) in caught.value.message
    assert "user.max_user_namespaces is 0" in (caught.value.hint or "")
    assert "sysctl" in (caught.value.hint or "")
