"""The session where ids are few, change, or are a container's; a host that allows none."""
from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from rootless import paths
from rootless.errors import NotSupported
from rootless.linux import namespace, process
from rootless.session import connection, session, session_file
from rootless.session.ids import idmap, subids
from rootless.session.session import Session
from tests.harness.forked import forked
from tests.session.conftest import Places, use
from tests.session.sessions import (
    USER,
    holder_count,
    holder_pid,
    join_in_child,
    kill_and_wait,
)


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
    assert "one real user id" in told
    assert "no_new_privs" in told
    kill_and_wait(holder_pid(places))
    assert forked(child).single_id
    assert capfd.readouterr().err == ""


def test_newuidmap_that_fails_is_an_error_and_no_single_id(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that were granted and cannot be had are not emulated in silence."""
    fake = tmp_path / "newuidmap"
    fake.write_text("#!/bin/sh\necho 'newuidmap: write to uid_map failed: Operation not permitted'\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(subids, "obstacle", lambda *_, **__: None)  # the file looks well: it has its rights

    def child() -> list[str | None]:
        use(places)
        with pytest.raises(NotSupported) as raised:
            session.join()
        return [raised.value.message, raised.value.hint]

    message, hint = forked(child)
    assert message is not None
    assert message.startswith("newuidmap failed: newuidmap: write to uid_map failed")
    assert hint


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
        known = session_file.read(str(places.runtime))
        assert known is not None
        bigger = known.mapping._replace(uid=[*known.mapping.uid, idmap.IdRange(900000, 5, 5)])
        session_file.write(str(places.runtime), known.inode, bigger)
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
