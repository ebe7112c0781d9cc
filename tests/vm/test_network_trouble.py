"""The server of a home on NFS takes it away, or is away itself, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.harness.processes import wait_until
from tests.vm.layers import WAIT_S
from tests.vm.machine import Machine
from tests.vm.nfs import EXPORT, EXPORTS, START_SERVER, STOP_SERVER, STORE, UNEXPORT, Home
from tests.vm.test_network_home import RUN, home  # noqa: F401 - home is a fixture

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1200, func_only=True),
    pytest.mark.parametrize("vm", ["trixie+servers"], indirect=True),
]
VERSIONS = [("alice", "4.2"), ("carol", "3")]
# The store alone is there: a login has its working directory and its settings elsewhere.
ELSEWHERE = "export HOME=/var/tmp/$USER-elsewhere ROOTLESS_ROOT={}; mkdir -p $HOME; cd /;"


@pytest.mark.parametrize(("who", "version"), VERSIONS)
def test_an_export_that_is_withdrawn(home: Callable[[str, str], Home], who: str, version: str) -> None:  # noqa: F811
    at = home(who, version)
    root = ELSEWHERE.format(f"{at.path}/{STORE}")
    vm = at.vm
    at.run("rootless load -q -i /srv/busybox.tar")
    vm.run(who, f"{root} rootless run -d --name lives --network none busybox sleep 4321")
    vm.run("root", UNEXPORT)
    try:
        for verb, status in (("images", 1), ("load -q -i /srv/busybox.tar", 1), (f"{RUN.removeprefix('rootless ')} busybox true", 125)):
            done = vm.run(who, f"{root} rootless {verb}", check=False)
            assert done.returncode == status, verb
            assert "permission denied" in done.stderr.lower(), verb
            assert f"the server of {at.path} (nfs" in done.stderr
            assert "the administrator has to " in done.stderr
            assert f"mount {at.path} again" in done.stderr
            assert "Traceback" not in done.stderr
        # What is the machine's own is as it was.
        assert vm.run(who, f"{root} rootless ps -q | wc -l; rootless exec lives echo here").stdout.split() == ["1", "here"]
    finally:
        vm.run("root", EXPORT)
    assert vm.run(who, f"{root} {RUN} busybox echo again; rootless rm -f lives").stdout.split() == ["again", "lives"]
    if version == "3":
        return  # there the kernel says of a directory that is gone what it says of one that never was
    # And one whose directory is gone on the server.
    vm.run("root", f"rm -rf {EXPORTS}/{at.name}")
    done = vm.run(who, f"{root} rootless images", check=False)
    assert done.returncode == 1
    assert f"the server of {at.path} (nfs" in done.stderr
    assert "no longer has this file or directory (a stale handle)" in done.stderr
    assert f"the administrator has to mount {at.path} again" in done.stderr


@pytest.mark.parametrize(("who", "version"), VERSIONS)
def test_a_server_that_stops_during_a_run(home: Callable[[str, str], Home], who: str, version: str) -> None:  # noqa: F811
    """As any program does, a command waits; it can be killed, and goes on with the server. Nothing else waits for it."""
    at = home(who, version)
    root = ELSEWHERE.format(f"{at.path}/{STORE}")
    vm: Machine = at.vm
    at.run("rootless load -q -i /srv/busybox.tar")
    vm.run(who, f"{root} rootless run -d --name lives --network none busybox sh -c 'echo up; sleep 4321'; rootless exec lives true")
    vm.run("root", STOP_SERVER)

    def waits(pid: str) -> bool:
        return vm.run("root", f'grep -qs "^State:.D" /proc/{pid}/task/*/status', check=False).returncode == 0

    try:
        started = [vm.start(who, f"{root} echo $$; exec rootless images -q") for _ in range(2)]
        pids = [each.stdout.readline().strip() for each in started if each.stdout is not None]
        for pid in pids:
            wait_until(partial(waits, pid), "it waits", timeout_s=WAIT_S)
        vm.run("root", f"kill -9 {pids[0]}")
        started[0].communicate(timeout=WAIT_S)
        # The container is the machine's own, with all that is asked about it.
        told = vm.run(who, f"{root} rootless ps -q | wc -l; rootless logs lives; rootless exec lives echo here; rootless stop -t 1 lives")
        assert told.stdout.split() == ["1", "up", "here", "lives"]
        assert started[1].stderr is not None
        assert f"waiting for the server of {at.path} (nfs" in started[1].stderr.readline()
        assert "Ctrl-C ends the wait" in started[1].stderr.readline()
        assert started[1].poll() is None
    finally:
        vm.run("root", START_SERVER)
    listed, errors = started[1].communicate(timeout=WAIT_S)
    assert (started[1].returncode, errors) == (0, "")
    assert len(listed.split()) == 1
    done = vm.run(who, f"{root} {RUN} busybox echo again; rootless start lives && rootless logs lives; rootless rm -f lives")
    assert done.stdout.split() == ["again", "lives", "up", "up", "lives"]
