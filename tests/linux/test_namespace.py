from __future__ import annotations

import errno
import os
import threading

import pytest

from rootless.linux import host, interface, libc, namespace
from tests.harness.account import User
from tests.harness.forked import become_root_of_own_namespace, forked
from tests.need import need


def test_the_maker_owns_a_namespace_and_the_child_sees_its_parent_no_more(user: User) -> None:
    def child() -> tuple[int, int, int | None]:
        become_root_of_own_namespace()
        fd = os.open("/proc/self/ns/user", os.O_RDONLY)
        try:
            namespace.parent(fd)
            code = None
        except OSError as error:
            code = error.errno
        return namespace.owner_uid(fd), namespace.ns_type(fd), code

    assert forked(child) == (0, namespace.CLONE_NEWUSER, errno.EPERM)


def test_other_namespaces_belong_to_the_user_namespace() -> None:
    def child() -> bool:
        become_root_of_own_namespace(namespace.CLONE_NEWUTS)
        owner = namespace.owning_user_namespace(os.open("/proc/self/ns/uts", os.O_RDONLY))
        assert not os.get_inheritable(owner)
        return namespace.identity(owner) == namespace.identity("/proc/self/ns/user")

    assert forked(child)


def test_setns_enters_what_another_process_made() -> None:
    def child() -> str:
        ready, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            become_root_of_own_namespace(namespace.CLONE_NEWUTS)
            host.sethostname("elsewhere")
            host.setdomainname("nis")
            os.write(write_end, b"r")
            os.close(write_end)
            os.kill(os.getpid(), 19)
        os.read(ready, 1)
        pidfd = os.pidfd_open(pid)
        namespace.setns(pidfd, namespace.CLONE_NEWUSER | namespace.CLONE_NEWUTS)
        os.kill(pid, 9)
        return os.uname().nodename

    assert forked(child) == "elsewhere"


def test_user_namespace_wants_a_single_thread() -> None:
    def child() -> int | None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        try:
            namespace.unshare(namespace.CLONE_NEWUSER)
        except OSError as error:
            return error.errno
        return None

    assert forked(child) == errno.EINVAL


def test_loopback_comes_up_and_may_be_told_twice() -> None:
    def child() -> None:
        import socket

        become_root_of_own_namespace(namespace.CLONE_NEWNET)
        with socket.socket() as server, pytest.raises(OSError):
            server.connect(("127.0.0.1", 9))
        interface.loopback_up()
        interface.loopback_up()
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            socket.create_connection(server.getsockname()).close()

    forked(child)


def test_unknown_calls_are_enosys() -> None:
    with pytest.raises(OSError) as caught:
        libc.syscall(libc.number("no_such_call"))
    assert caught.value.errno == errno.ENOSYS


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_numbers_are_those_of_the_kernel_headers(machine: str, header: str) -> None:
    path = next((p for p in (f"/usr/include/{header}", f"/usr/include/{header.partition('/')[2]}")
                 if os.path.exists(p)), None)  # fmt: skip
    need(path, f"{header} is not installed (linux-libc-dev)")
    assert path is not None
    with open(path) as file:
        words = [line.split() for line in file if line.startswith("#define __NR")]
    theirs = {
        line[1].removeprefix("__NR_"): int(line[2]) for line in words if line[2:3] and line[2].isdigit()
    }
    ours = {**libc._SHARED, **libc._BY_MACHINE[machine]}
    assert {name: theirs.get(name) for name in ours} == ours
