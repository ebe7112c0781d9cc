from __future__ import annotations

import errno
import os
import signal
import struct
import time

import pytest

from rootless.linux import filesystem, keyring, process, seccomp, terminal
from rootless.linux.capability import CAPABILITIES, get_capabilities, last_cap, set_capabilities
from tests.harness.forked import become_root_of_own_namespace, forked


def test_we_are_alive_and_nobody_else_with_our_number() -> None:
    started = process.start_time(os.getpid())
    assert process.alive(os.getpid(), started)
    assert not process.alive(os.getpid(), started + 1)
    with pytest.raises(ProcessLookupError):
        process.pidfd_open_checked(os.getpid(), started + 1)
    os.close(process.pidfd_open_checked(os.getpid(), started))


def test_zombies_are_dead_and_the_reaped_are_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    started = process.start_time(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(pid, started)
    with pytest.raises(ProcessLookupError):
        process.pidfd_open_checked(pid, started)
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        process.start_time(pid)


def test_names_with_parentheses_do_not_confuse() -> None:
    def child() -> bool:
        before = process.start_time(os.getpid())
        process.set_name("a) R 1 (b")
        return process.start_time(os.getpid()) == before

    assert forked(child)


def test_close_range_closes_all_in_between() -> None:
    def child() -> bool:
        os.dup2(0, 500)
        process.close_range(400, 600)
        return os.path.exists("/proc/self/fd/500")

    assert not forked(child)


def test_a_child_follows_its_dead_parent() -> None:
    def child() -> tuple[int, int]:
        process.set_child_subreaper()
        reader, writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0:
                process.set_pdeathsig(signal.SIGKILL)
                os.write(writer, os.getpid().to_bytes(4, "little"))
                time.sleep(30)
            time.sleep(30)
        grandchild = int.from_bytes(os.read(reader, 4), "little")
        os.kill(middle, signal.SIGKILL)
        os.waitpid(middle, 0)
        pid, status = os.waitpid(-1, 0)
        return pid - grandchild, status

    assert forked(child) == (0, signal.SIGKILL)


def test_personality_and_no_new_privs() -> None:
    def child() -> tuple[int, bool, bool]:
        before = process.no_new_privs()
        process.personality(process.ADDR_NO_RANDOMIZE)
        process.set_no_new_privs()
        return process.personality(0xFFFFFFFF), before, process.no_new_privs()

    assert forked(child)[::2] == (process.ADDR_NO_RANDOMIZE, True)


def test_capabilities_are_exactly_those_asked_for() -> None:
    def child() -> dict[str, frozenset[str]]:
        become_root_of_own_namespace()
        set_capabilities(
            effective={"CAP_CHOWN"},
            permitted={"CAP_CHOWN", "CAP_KILL"},
            inheritable={"CAP_KILL"},
            bounding={"CAP_KILL", "CAP_SYS_CHROOT"},
            ambient={"CAP_KILL"},
        )
        return get_capabilities()._asdict()

    assert forked(child) == {
        "effective": {"CAP_CHOWN"},
        "permitted": {"CAP_CHOWN", "CAP_KILL"},
        "inheritable": {"CAP_KILL"},
        "bounding": {"CAP_KILL", "CAP_SYS_CHROOT"},
        "ambient": {"CAP_KILL"},
    }


def test_every_capability_of_this_kernel_has_a_name() -> None:
    assert last_cap() <= max(CAPABILITIES.values()), "a new kernel: add the capability's name"


def test_no_capability_is_left_without_names() -> None:
    def child() -> list[frozenset[str]]:
        become_root_of_own_namespace()
        empty: set[str] = set()
        for _ in range(2):  # the second time there is nothing to drop, and no right to
            set_capabilities(
                effective=empty, permitted=empty, inheritable=empty, bounding=empty, ambient=empty
            )
        return list(get_capabilities())

    assert forked(child) == [frozenset()] * 5


RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000


def bpf(*instructions: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def test_filter_denies_what_it_says() -> None:
    getppid = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    program = bpf(
        (0x20, 0, 0, 0),  # load the number
        (0x15, 0, 1, getppid),
        (0x06, 0, 0, RET_ERRNO | errno.EXDEV),
        (0x06, 0, 0, RET_ALLOW),
    )

    def child() -> int:
        process.set_no_new_privs()
        assert seccomp.load_filter(program) == 0
        return os.getppid()

    assert forked(child) in (-1, -errno.EXDEV)


def test_filter_without_right_or_sense_is_an_error() -> None:
    with pytest.raises(OSError) as caught:
        seccomp.load_filter(b"odd")
    assert caught.value.errno == errno.EINVAL
    if not process.no_new_privs():
        with pytest.raises(PermissionError):
            forked(lambda: seccomp.load_filter(bpf((0x06, 0, 0, RET_ALLOW))))
    assert seccomp.action_available(RET_ALLOW)
    assert not seccomp.action_available(0x12340000)


def test_new_keyrings_differ() -> None:
    first, second = forked(lambda: (keyring.join_new_session_keyring(), keyring.join_new_session_keyring()))
    assert first != second


def test_terminal_pair_talks_and_has_a_size() -> None:
    master, peer = terminal.open_pair()
    terminal.set_window_size(master, rows=24, columns=132)
    assert terminal.window_size(peer) == (24, 132)
    assert os.ttyname(peer) == f"/dev/pts/{terminal.pts_number(master)}"
    os.write(peer, b"hello")
    assert os.read(master, 10) == b"hello"
    os.close(master)
    os.close(peer)


def test_a_session_leader_gets_its_terminal() -> None:
    def child() -> str:
        os.setsid()
        _, peer = terminal.open_pair()
        terminal.set_controlling_terminal(peer)
        return os.ttyname(os.open("/dev/tty", os.O_RDWR))

    assert forked(child)


def test_rename_without_replacing(tmp_path: object) -> None:
    one, other = f"{tmp_path}/one", f"{tmp_path}/other"
    for path in (one, other):
        with open(path, "w") as file:
            file.write(path)
    with pytest.raises(FileExistsError):
        filesystem.rename_noreplace(one, other)
    os.unlink(other)
    filesystem.rename_noreplace(one, other)
    assert os.listdir(str(tmp_path)) == ["other"]
    assert filesystem.filesystem_type("/proc") == "proc"
    fd = os.open(other, os.O_RDONLY)
    filesystem.syncfs(fd)
    os.close(fd)


def test_descendants_are_those_below_and_no_others() -> None:
    """A child with a child of its own; another child that is none of its."""
    go_on, let_go = os.pipe()
    ready_read, ready_write = os.pipe()

    def fork(below: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                child = fork(below - 1) if below else 0
                os.write(ready_write, b"%d " % os.getpid())
                os.read(go_on, 1)
                if child:
                    os.write(let_go, b"x")
                    os.waitpid(child, 0)
            finally:
                os._exit(0)
        return pid

    try:
        first, second = fork(2), fork(0)
        told = b""
        while told.count(b" ") < 4:
            told += os.read(ready_read, 64)
        everybody = {int(word) for word in told.split()}
        found = process.descendants(first)
        assert found[0] == first
        assert set(found) == everybody - {second}
        assert process.descendants(second) == [second]
        assert everybody <= set(process.descendants(os.getpid()))
        assert {first, second} <= set(process.children_by_parent()[os.getpid()])
    finally:
        os.write(let_go, b"xxxx")
        for pid in (first, second):
            os.waitpid(pid, 0)
        for fd in (go_on, let_go, ready_read, ready_write):
            os.close(fd)
