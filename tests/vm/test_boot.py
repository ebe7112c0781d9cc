"""Containers at the logout of their user, at a reboot, and when the machine loses its power."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import time
from collections.abc import Callable, Iterator

import pytest

from tests.harness.images import busybox_layer, static_busybox
from tests.image.strange_registry import Handler, StrangeRegistry, tar_of
from tests.vm.machine import Machine

# logind's UserStopDelaySec (10 s unless set), then ten seconds for what ignores SIGTERM, on a slow machine.
STOP_DELAY_S = 180
BIG_BYTES = 40 << 20
PROJECT = """
services:
  db:
    image: busybox
    command: sleep 4021
    restart: always
    healthcheck: {test: [CMD, "true"], start_interval: 1s, start_period: 60s}
  web:
    image: busybox
    command: sleep 4022
    restart: unless-stopped
    depends_on: {db: {condition: service_healthy}}
  once:
    image: busybox
    command: sleep 4023
"""
QUIET = "--network none busybox"
NAMED = "--network app busybox"


@pytest.fixture
def alice(vm: Machine) -> Iterator[Callable[[str], str]]:
    """alice(shell): stdout of a script of hers. Afterwards she has no containers, units or lingering."""
    yield lambda shell: vm.run("alice", "set -e\n" + shell).stdout.strip()
    vm.run("root", "loginctl disable-linger alice")
    vm.run(
        "alice",
        "rootless disable --policies; for n in $(rootless ps -a --format '{{.Names}}'); do rootless disable $n; done; "
        "rootless rm -f $(rootless ps -aq); rootless network prune -f; systemctl --user reset-failed",
        check=False,
    )


def state(vm: Machine, name: str) -> str:
    """STATUS RESTARTS of a container of alice's."""
    return vm.run("alice", f"rootless inspect -f '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {name}").stdout.strip()


def runs(vm: Machine, command: str) -> bool:
    """Whether alice has such a process; asked as root, for which alice need not log in."""
    return vm.run("root", f"pgrep -u alice -fx {shlex.quote(command)}", check=False).returncode == 0


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float, *, vm: Machine | None = None) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            if vm is not None:  # shown with the failure
                vm.run("root", "loginctl list-sessions; systemd-cgls --no-pager -l /user.slice", check=False)
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(1)


def log_out(vm: Machine) -> None:
    """Up to the moment when logind has nothing more to do for alice."""
    vm.logout("alice")
    quiet = "! loginctl show-user alice -p State 2>/dev/null | grep -Eq 'active|online'"
    wait_until(lambda: vm.run("root", quiet, check=False).returncode == 0, "the logout", 120)


KILL_CONF = "/etc/systemd/logind.conf.d/kill.conf"
TELL_LOGIND = "systemctl kill --kill-who=main -s HUP systemd-logind"


def configure_logind(vm: Machine, *lines: str) -> None:
    """logind is not restarted, only told (SIGHUP): it would start the managers of all users that it finds."""
    text = r"\n".join(("[Login]", "UserStopDelaySec=2", *lines, ""))
    vm.run("root", f"mkdir -p $(dirname {KILL_CONF}); printf '{text}' >{KILL_CONF}; {TELL_LOGIND}")


@pytest.fixture
def killing(vm: Machine) -> Iterator[None]:
    """logind with KillUserProcesses=yes, its own default, and no session of alice's from before.

    A session that ended without this setting has left our holder, and goes when it goes.
    """
    configure_logind(vm, "KillUserProcesses=yes")
    vm.logout("alice")
    end_old = "for each in $(loginctl show-user alice -p Sessions --value); do systemctl stop session-$each.scope; done"
    vm.run("root", end_old, check=False)
    gone = '[ -z "$(loginctl show-user alice -p Sessions --value)" ]'
    wait_until(lambda: vm.run("root", gone, check=False).returncode == 0, "the end of old sessions", 120, vm=vm)
    yield
    vm.run("root", f"rm {KILL_CONF}; {TELL_LOGIND}")


def test_logout_without_lingering_on_a_host_that_kills(
    vm: Machine, killing: None, alice: Callable[[str], str]
) -> None:
    done = vm.run("alice", f"rootless run -d --name web {QUIET} sleep 4001")
    assert "lingering is off for alice" in done.stderr
    assert "loginctl enable-linger" in done.stderr
    again = vm.run("alice", f"rootless run -d --name other {QUIET} sleep 4002")
    assert "lingering" not in again.stderr, "said once"
    log_out(vm)
    wait_until(lambda: not runs(vm, "sleep 4001"), "its end, as told", STOP_DELAY_S, vm=vm)
    assert state(vm, "web").split()[0] == "exited"
    assert alice("rootless start web >/dev/null; rootless exec web echo works") == "works"


def test_a_host_that_kills_some_users_only(vm: Machine, killing: None, alice: Callable[[str], str]) -> None:
    """Where she is spared nothing is said, and logind leaves her session, and what is in it, alone."""
    told = {}
    for number, lines in enumerate(
        (("KillOnlyUsers=bob",), ("KillOnlyUsers=bob alice",), ("KillOnlyUsers=alice", "KillExcludeUsers=alice"))
    ):
        configure_logind(vm, "KillUserProcesses=yes", *lines)
        forget = "rm -f /run/user/1000/rootless/told-lingering"
        done = vm.run("alice", f"{forget}; rootless run -d --name spared{number} {QUIET} sleep 401{number}")
        told[lines] = "lingering is off" in done.stderr
    assert list(told.values()) == [False, True, False], told
    log_out(vm)
    time.sleep(10)
    assert runs(vm, "sleep 4010")
    assert state(vm, "spared2") == "running 0"


def test_logout_with_lingering(vm: Machine, killing: None, alice: Callable[[str], str]) -> None:
    vm.run("root", "loginctl enable-linger alice")
    alice("rootless network create app >/dev/null")
    done = vm.run("alice", f"rootless run -d --name web {NAMED} sleep 4003")
    assert "lingering" not in done.stderr
    log_out(vm)
    time.sleep(10)
    assert runs(vm, "sleep 4003")
    assert state(vm, "web") == "running 0"
    assert alice("rootless exec web nslookup web >/dev/null; rootless exec web echo works") == "works"


def test_what_is_not_told_is_not_killed(vm: Machine, alice: Callable[[str], str]) -> None:
    done = vm.run("alice", f"rootless run -d --name web {QUIET} sleep 4004")
    told = "lingering is off" in done.stderr
    log_out(vm)
    time.sleep(20)
    assert runs(vm, "sleep 4004") is not told


@pytest.fixture
def project(vm: Machine) -> Iterator[None]:
    """A compose project of bob's, `demo`, enabled: of its services one waits for another, and one is not to come back."""
    vm.run("root", "loginctl enable-linger bob")
    vm.run("bob", f"mkdir -p ~/demo; printf %s {shlex.quote(PROJECT)} >~/demo/compose.yaml; cd ~/demo; rootless compose up -d")
    vm.run("bob", "rootless enable --project demo")
    yield
    vm.run("bob", "rootless disable --project demo; cd ~/demo; rootless compose down -t 0; rm -r ~/demo", check=False)
    vm.run("root", "loginctl disable-linger bob")


@pytest.mark.full  # six minutes; test_apparmor.py has a unit that starts, and the next test a store over a boot
@pytest.mark.differs
def test_enabled_containers_come_back_with_the_machine(vm: Machine, alice: Callable[[str], str], project: None) -> None:
    vm.run("root", "loginctl enable-linger alice")
    alice(
        "rootless network create app >/dev/null\n"
        f"rootless create --name unit --restart on-failure {NAMED} sleep 4005 >/dev/null\n"
        f"rootless run -d --name kept --restart unless-stopped {NAMED} sleep 4006 >/dev/null\n"
        f"rootless run -d --name stopped --restart unless-stopped {QUIET} sleep 4007 >/dev/null\n"
        f"rootless run -d --name plain {QUIET} sleep 4008 >/dev/null\n"
        "rootless stop -t 0 stopped >/dev/null\n"
        "rootless enable unit >/dev/null; rootless enable --policies >/dev/null\n"
        "systemctl --user start rootless-unit"
    )
    # A restart by policy stays the unit's: systemd follows the new main process.
    vm.run("alice", "kill -9 $(rootless inspect -f '{{.State.Pid}}' unit)")
    wait_until(lambda: state(vm, "unit") == "running 1", "the restart", 120)
    assert alice("sleep 2; systemctl --user is-active rootless-unit") == "active"
    assert "rootless-unit.service/" in alice("cat /proc/$(rootless inspect -f '{{.State.Pid}}' unit)/cgroup")
    vm.reboot()
    wait_until(lambda: runs(vm, "sleep 4005") and runs(vm, "sleep 4006"), "both, without a login", 300, vm=vm)
    assert state(vm, "unit") == "running 0"
    assert state(vm, "kept") == "running 0"
    assert alice("rootless exec kept nslookup unit >/dev/null; rootless exec unit nslookup kept >/dev/null; echo found") == "found"
    assert state(vm, "stopped").split()[0] == "exited"
    assert state(vm, "plain").split()[0] == "exited"
    assert alice("systemctl --user is-active rootless-unit") == "active"
    # bob's project: whole but for what has no policy, in its order, without a login of his.
    of_bob = "pgrep -u bob -fx 'sleep {}' >/dev/null"
    wait_until(lambda: vm.run("root", of_bob.format(4022), check=False).returncode == 0, "the project", 300, vm=vm)
    listed = vm.run("bob", "rootless ps -a --format '{{.Names}} {{.State}}'").stdout.splitlines()
    assert sorted(listed) == ["demo-db-1 running", "demo-once-1 exited", "demo-web-1 running"]
    began = "rootless inspect -f '{{.State.StartedAt}}' demo-db-1 demo-web-1; systemctl --user is-active 'rootless-project:demo'"
    db, web, unit = vm.run("bob", began).stdout.split()
    assert (db < web, unit) == (True, "active")
    # Its end is the unit's end; disabled, it does not come back.
    alice("rootless stop -t 0 unit >/dev/null; rootless disable unit >/dev/null")
    wait_until(
        lambda: vm.run("alice", "systemctl --user is-active rootless-unit", check=False).stdout != "active\n",
        "the unit's end", 120,
    )  # fmt: skip
    assert vm.run("alice", "test ! -e ~/.config/systemd/user/rootless-unit.service").returncode == 0


def test_power_cut(vm: Machine, alice: Callable[[str], str]) -> None:
    """In the middle of `run`, of a pull, of a load and of `rm`: nothing is lost, all goes on, the pull where
    it was."""
    alice(
        f"rootless run -d --name kept --restart always {QUIET} sh -c 'echo kept >/kept; exec sleep 4009' >/dev/null\n"
        "for i in 1 2 3; do rootless create --name gone$i busybox true >/dev/null; done; sync"
    )
    big = os.urandom(BIG_BYTES)
    with StrangeRegistry() as registry:
        image = registry.add_image(
            [busybox_layer(static_busybox()), tar_of({"big": big})],
            config={"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        )
        digest = image["layers"][1]["digest"]
        registry.before = lambda handler: handler.path.endswith(digest) and trickle(handler, registry.blobs[digest])
        partial = f"~alice/.local/share/rootless/blobs/partial/{digest[7:]}"
        pull = f"rootless pull -q --tls-verify=false 10.0.2.2:{registry.address.partition(':')[2]}/big"
        loops = [vm.start("alice", pull)]
        arrived = f"[ $(stat -c %s {partial}) -gt {BIG_BYTES // 4} ]"
        vm.run("root", f"until {arrived} 2>/dev/null; do sleep 0.2; done; sync {partial}")
        loops += [
            vm.start("alice", f"while :; do rootless run --rm {QUIET} true; done"),
            vm.start("alice", "while :; do rootless load -q -i /srv/busybox.tar; done"),
            vm.start("alice", "rootless rm gone1 gone2 gone3"),
        ]
        time.sleep(4)
        vm.power_cut()
        for each in loops:
            each.kill()
            each.wait()
        there = int(vm.run("root", f"stat -c %s {partial}").stdout)
        assert BIG_BYTES // 4 <= there < BIG_BYTES
        assert state(vm, "kept").split()[0] in ("exited", "running")
        registry.before = lambda _: False
        registry.requests.clear()
        alice(pull)
        ranges = [headers.get("Range") for _, path, headers in registry.requests if path.endswith(digest)]
        assert ranges == [f"bytes={there}-"]
    name = pull.rpartition(" ")[2]
    assert alice(f"rootless run --rm --network none {name} sha256sum /big").split()[0] == hashlib.sha256(big).hexdigest()
    listed = alice("rootless ps -a --format '{{.Names}} {{.State}}'").splitlines()
    assert {line.split()[1] for line in listed} <= {"exited", "created", "running"}
    assert alice(f"rootless run --rm {QUIET} echo works") == "works"
    assert alice("rootless start kept >/dev/null; sleep 1; rootless exec kept cat /kept") == "kept"
    assert alice("rootless load -q -i /srv/busybox.tar")
    assert alice("rootless rm -f $(rootless ps -aq) >/dev/null; rootless ps -aq") == ""
    assert alice("ls -A ~/.local/share/rootless/containers") == ""


def trickle(handler: Handler, data: bytes) -> bool:
    """Send a blob at 1 MiB a second; as much as the other side lives to take."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for at in range(0, len(data), 1 << 18):
            handler.wfile.write(data[at : at + (1 << 18)])
            time.sleep(0.25)
    return True
