"""What one login can do to the containers of another: nothing. Every attempt is one that their owner can make."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.vm.machine import Machine
from tests.vm.test_host import BUSYBOX, refused, script

# Connects as whoever runs it; the status says whether the other side lets it in.
CONNECT = """
import socket, sys
kind = {"seqpacket": socket.SOCK_SEQPACKET, "stream": socket.SOCK_STREAM}[sys.argv[1]]
connection = socket.socket(socket.AF_UNIX, kind)
connection.settimeout(5)
connection.connect(sys.argv[2])
if len(sys.argv) > 3:  # one that answers when it is spoken to
    connection.send(sys.argv[3].encode())
try:
    sys.exit(not connection.recv(4096))
except TimeoutError:
    sys.exit(0)  # it listens to us
"""


class Target(NamedTuple):
    """A container of alice's: processes, cgroup and run directory."""

    pids: dict[str, str]  # of the container's PID 1, its monitor, its network, her session
    cgroup: str
    run: str


@pytest.fixture(scope="module")
def target(vm: Machine) -> Iterator[Target]:
    vm.run("root", f"cat >/srv/connect.py <<'END'\n{CONNECT}END")
    identifier, pid, cgroup = script(
        vm,
        "alice",
        f"""
        rootless run -d --name target --network slirp4netns -p 127.0.0.1:8081:80 -v data:/data -e SECRET=hers {BUSYBOX} \\
            sh -c 'while :; do date; sleep 1; done'
        rootless inspect -f '{{{{.State.Pid}}}}' target; rootless inspect -f '{{{{.HostConfig.Cgroup}}}}' target
        """,
    )
    monitor, network, session = script(
        vm, "root", f"ps -o ppid= -p {pid}; pgrep -n -u alice slirp4netns; pgrep -o -u alice -f 'rootless: session'"
    )
    pids = {"init": pid, "monitor": monitor.strip(), "network": network, "session": session}
    yield Target(pids, cgroup, f"/run/user/1000/rootless/c/{identifier}")
    vm.run("alice", "rootless rm -f target; rootless volume rm data")


def done_by(vm: Machine, user: str, attempts: list[str]) -> int:
    """How many of them succeed; they are shown with a failure."""
    return len(script(vm, user, refused(attempts)))


def test_processes(vm: Machine, target: Target) -> None:
    pids = target.pids.values()
    signals = [f"kill -0 {pid}" for pid in pids]
    looks = [
        f"{look.format(f'/proc/{pid}')}"
        for pid in (target.pids["init"], target.pids["network"])
        for look in ("cat {}/environ", "ls {}/root/", "ls {}/cwd/", "ls {}/fd/", "readlink {}/ns/net", "head -c 1 {}/maps")
    ]
    assert done_by(vm, "bob", signals + looks) == 0
    inside = shlex.quote(refused(signals + looks))
    assert script(vm, "bob", f"rootless run --rm --privileged --pid host {BUSYBOX} sh -c {inside}") == []
    assert done_by(vm, "alice", signals) == len(signals)
    assert done_by(vm, "root", looks) == len(looks)


def test_the_store_is_closed_even_in_an_open_home(vm: Machine, target: Target) -> None:
    store = "~alice/.local/share/rootless"
    attempts = [f"ls {store}", f"stat {store}/layers", f"ls {store}/volumes/data/_data", f"ls {target.run}"]
    vm.run("root", "chmod o+rx ~alice ~alice/.local ~alice/.local/share /run/user/1000")
    try:
        assert done_by(vm, "bob", attempts) == 0
        for verb in ("ps -a", "rm -f target", f"run --rm {BUSYBOX} true"):
            done = vm.run("bob", f"ROOTLESS_ROOT=$(echo {store}) rootless {verb}", check=False)
            assert done.returncode in (1, 125), (verb, done)
            assert "belongs to alice" in done.stderr  # and whose a store is, is asked before what is in it
            assert "Traceback" not in done.stderr
        # Nothing in there is anybody else's to write, not even where its directories were open.
        contents = " ".join(f"! -path '{part}'" for part in ("*/fs/*", "*/_data*", "*/upper*", "*/work*"))
        writable = f"find ~alice/.local/share/rootless ! -type l -perm /002 {contents}"
        assert script(vm, "root", f"{writable} | head") == []
    finally:
        vm.run("root", "chmod o-rx ~alice/.local/share /run/user/1000")
    assert done_by(vm, "alice", attempts) == len(attempts)


def test_sockets_ask_who_is_there(vm: Machine, target: Target) -> None:
    """Behind closed directories; and opened by root, those that are ours still let nobody else in."""
    attach = f"python3 /srv/connect.py seqpacket {target.run}/attach"
    session = "python3 /srv/connect.py seqpacket /run/user/1000/rootless/session.sock"
    network = f"python3 /srv/connect.py stream {target.run}/slirp.sock '{{\"execute\":\"list_hostfwd\"}}'"
    ours = [attach, session]
    assert done_by(vm, "alice", [*ours, network]) == 3
    assert done_by(vm, "bob", [*ours, network]) == 0
    places = f"/run/user/1000 /run/user/1000/rootless /run/user/1000/rootless/c {target.run}"
    vm.run("root", f"chmod o+rx {places}; chmod o+rw {target.run}/attach /run/user/1000/rootless/session.sock")
    try:
        assert done_by(vm, "bob", [f"test -S {target.run}/attach"]) == 1
        assert done_by(vm, "bob", ours) == 0
    finally:
        vm.run("root", f"chmod o-rwx {places} {target.run}/attach /run/user/1000/rootless/session.sock")
    assert script(vm, "alice", "rootless exec target echo lives") == ["lives"]


def test_cgroups_and_systemd(vm: Machine, target: Target) -> None:
    unit = target.cgroup.split("/")[-2]
    writes = [
        f"sh -c 'echo {value} >{target.cgroup}/{file}'"
        for file, value in (("cgroup.freeze", "0"), ("memory.max", "max"), ("pids.max", "max"), ("cgroup.subtree_control", "+pids"))
    ]
    asks = [
        "busctl --address=unix:path=/run/user/1000/bus status org.freedesktop.systemd1",
        "env XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "
        f"systemctl --user show -p ActiveState {unit} --value",
    ]
    moves = [f"sh -c 'echo $$ >{target.cgroup}/cgroup.procs'", f"sh -c 'echo 1 >{target.cgroup}/cgroup.kill'"]
    assert done_by(vm, "bob", [*writes, *asks, *moves]) == 0
    assert done_by(vm, "bob", ["systemctl --no-ask-password stop user@1000.service", "loginctl terminate-user alice"]) == 0
    assert done_by(vm, "alice", [*writes, *asks]) == len(writes) + len(asks)
    assert script(vm, "alice", "rootless exec target echo lives") == ["lives"]


def test_a_container_does_not_reach_the_hosts_loopback(vm: Machine, target: Target) -> None:
    """The login of bob does, as any process of this host; a published port is for all who are there."""
    vm.run("alice", "mkdir -p ~/www; echo private >~/www/index.html; busybox httpd -p 127.0.0.1:8090 -h ~/www")
    try:
        fetch = "wget -q -O - http://{}:8090/"
        assert script(vm, "bob", f"busybox {fetch.format('127.0.0.1')}") == ["private"]
        run = f"rootless run --rm {{}} {BUSYBOX} timeout 10 {fetch}"
        assert done_by(vm, "bob", [run.format("", host) for host in ("10.0.2.2", "127.0.0.1")]) == 0
        # Unless bob, who may, says that his container may.
        assert script(vm, "bob", run.format("--network slirp4netns:allow_host_loopback=true", "10.0.2.2")) == ["private"]
    finally:
        vm.run("alice", "kill $(pgrep -u alice -f '[h]ttpd -p 127.0.0.1:8090')")


@pytest.mark.parametrize("trap", ["ln -s /home/bob/trap /tmp/rootless-1000", "mkdir -m 700 /tmp/rootless-1000", "touch /tmp/rootless-1000"])
def test_a_trap_in_tmp_is_not_stepped_into(vm: Machine, trap: str) -> None:
    """Without XDG_RUNTIME_DIR; alice has another place then, and says nothing to bob."""
    vm.run("bob", f"mkdir -pm 777 trap; chmod o+x ~; {trap}")
    try:
        told = script(
            vm, "alice", f"unset XDG_RUNTIME_DIR; rootless run --rm {BUSYBOX} echo ran; stat -c '%a %U' ~/.local/share/rootless/run"
        )
        assert told == ["ran", "700 alice"]
        assert vm.run("bob", "ls -A trap").stdout == ""
    finally:
        vm.run("bob", "rm -rf /tmp/rootless-1000 trap; chmod o-x ~")
