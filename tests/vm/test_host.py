"""What a host with systemd and logins shows: installed by pip, found fine, and users kept apart."""

from __future__ import annotations

import json
import shlex
import textwrap
from typing import Any

import pytest

from tests.vm.machine import USERS, Machine

BUSYBOX = "busybox:latest"
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
# A fresh store with the image in it, and a runtime directory of its own, for the rest of the script.
FRESH = """
export ROOTLESS_ROOT=$(mktemp -d /var/tmp/rl-XXXXXX) XDG_RUNTIME_DIR=$(mktemp -d)
trap 'rootless system reset --force >/dev/null 2>&1; rm -rf "$ROOTLESS_ROOT" "$XDG_RUNTIME_DIR"' EXIT
"""
FETCH = "for i in $(seq 50); do busybox wget -q -O - http://{address}/ && break; sleep 0.2; done"


def script(vm: Machine, user: str, text: str) -> list[str]:
    """The lines that the script says; any of its commands that fails ends it and fails the test."""
    return vm.run(user, "set -e\n" + textwrap.dedent(text)).stdout.splitlines()


def refused(attempts: list[str]) -> str:
    """A script that says those attempts that succeed (`set -e` knows nothing of `! command`)."""
    return "\n".join(f"if {each} >/dev/null 2>&1; then echo done: {shlex.quote(each)}; fi" for each in attempts)


def findings(vm: Machine, user: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status of `rootless doctor` and its findings by name."""
    done = vm.run(user, "rootless doctor --json", check=False)
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["findings"]}


@pytest.mark.differs
def test_the_machine_is_a_real_host(vm: Machine) -> None:
    told = script(vm, "alice", "ps -p 1 -o comm=; stat -fc %T /sys/fs/cgroup; cat /proc/self/cgroup")
    assert told[:2] == ["systemd", "cgroup2fs"]
    assert told[2].startswith("0::/user.slice/user-1000.slice/session-")
    assert vm.run("root", "systemctl --failed --no-legend --plain").stdout == ""


@pytest.mark.differs
@pytest.mark.parametrize("who", USERS)
def test_pip_installs_it_for_an_ordinary_user(vm: Machine, who: str) -> None:
    where, *version = script(vm, who, "command -v rootless; rootless version")
    assert where == f"/home/{who}/venv/bin/rootless"
    assert any("rootless" in line for line in version)


@pytest.mark.differs
def test_doctor_finds_a_good_host(vm: Machine) -> None:
    status, found = findings(vm, "alice")
    assert status == 0
    for name in ("container", "user namespace", "ids", "storage", "network", "ports", "helpers", "runtime dir"):
        assert found[name]["status"] == "ok", found[name]
    # The login's own scope has no controllers; the user's systemd gives a scope that has all of them.
    assert found["cgroups"]["status"] == "ok", found["cgroups"]
    assert all(name in found["cgroups"]["what"] for name in CONTROLLERS), found["cgroups"]


def test_doctor_names_the_controllers_that_are_not_delegated(vm: Machine) -> None:
    """A drop-in for one user of the same name replaces that for all: bob is given pids alone (the empty
    assignment takes back what systemd's own user@.service gives)."""
    override = "/etc/systemd/system/user@1001.service.d"
    again = "systemctl daemon-reload; systemctl stop user@1001.service"
    vm.logout("bob")
    try:
        lines = r"[Service]\nDelegate=\nDelegate=pids\n"
        vm.run("root", f"mkdir -p {override}; printf '{lines}' >{override}/delegate.conf; {again}")
        status, found = findings(vm, "bob")
    finally:
        vm.logout("bob")
        vm.run("root", f"rm -r {override}; {again}")
    assert status == 0
    cgroups = found["cgroups"]
    assert cgroups["status"] in ("warning", "not available"), cgroups
    assert "memory" in cgroups["what"] + cgroups["effect"], cgroups
    assert "delegate.conf" in cgroups["fix_admin"], cgroups


def test_without_subordinate_ids_there_is_one_id_and_it_is_said_once(vm: Machine) -> None:
    """Also where systemd-nsresourced lends ranges, which is told and not used."""
    lends = vm.name != "bookworm"
    if lends:
        vm.run("root", "systemctl start systemd-nsresourced.socket systemd-nsresourced.service")
    status, found = findings(vm, "carol")
    assert ("systemd-nsresourced runs here, and is not used" in found["emulated ids"]["what"]) == lends
    assert status == 0
    assert found["ids"]["status"] == "warning"
    assert "usermod --add-subuids" in found["ids"]["fix_admin"]
    assert found["emulated ids"]["status"] == "ok"
    assert found["emulated ids"]["what"].startswith("no range: ids are emulated (full)")
    done = vm.run(
        "carol",
        f"""{FRESH}
        set -e
        rootless load -q -i /srv/busybox.tar >/dev/null
        for i in 1 2; do rootless run --rm {BUSYBOX} sh -c 'id -u; wc -l </proc/self/uid_map; touch /etc/own'; done
        rootless run --rm {BUSYBOX} sh -c 'chown 33:44 /etc; chmod 4755 /etc; stat -c %u:%g:%a /etc'
        rootless run --rm -u 33:44 {BUSYBOX} sh -c 'id -u; id -g; touch /tmp/own; stat -c %u:%g /tmp/own'
        """,
    )
    if lends:
        vm.run("root", "systemctl stop systemd-nsresourced.socket systemd-nsresourced.service")
    assert done.stdout.split() == ["0", "1", "0", "1", "33:44:4755", "33", "44", "33:44"]
    assert done.stderr.count("one real user id") == 1, done.stderr


@pytest.mark.differs
def test_a_containers_life(vm: Machine) -> None:
    told = script(
        vm,
        "alice",
        f"""
        rootless run -d --name life {BUSYBOX} sh -c 'echo born; trap "echo told; exit 7" TERM; while :; do sleep 0.1; done' >/dev/null
        rootless exec life sh -c 'echo inside $(hostname | wc -c); exit 3' || echo status $?
        until rootless logs life | grep -q born; do sleep 0.2; done
        rootless ps --format '{{{{.Names}}}} {{{{.State}}}}'
        rootless stop life
        rootless logs life
        rootless inspect --format '{{{{.State.Status}}}} {{{{.State.ExitCode}}}}' life
        rootless rm life
        rootless ps -aq
        """,
    )
    expected = ["inside 13", "status 3", "life running", "life", "born", "told", "exited 7", "life"]
    assert told == expected


def test_a_published_port(vm: Machine) -> None:
    script(
        vm,
        "alice",
        f"""
        rootless run -d --name web -p 127.0.0.1:8080:80 {BUSYBOX} \\
            sh -c 'echo served >/tmp/index.html; exec httpd -f -p 80 -h /tmp' >/dev/null
        """,
    )
    assert script(vm, "bob", FETCH.format(address="127.0.0.1:8080")) == ["served"]
    taken = vm.run("bob", f"rootless run --rm -p 127.0.0.1:8080:80 {BUSYBOX} true", check=False)
    assert taken.returncode == 125
    assert "8080" in taken.stderr
    script(vm, "alice", "rootless rm -f web")


def test_two_users_do_not_see_each_other(vm: Machine) -> None:
    pids = {}
    for user in ("alice", "bob"):
        pids[user] = script(
            vm,
            user,
            f"""
            rootless run -d --name same -u 1000 -e SECRET={user} {BUSYBOX} sleep 1000 >/dev/null
            rootless ps -aq | wc -l
            rootless inspect --format '{{{{.State.Pid}}}}' same
            """,
        )
        assert pids[user][0] == "1"
    alices = pids["alice"][1]
    owners = script(vm, "root", f"stat -c %u /proc/{alices} /proc/{pids['bob'][1]}")
    assert owners == ["100999", "166535"]  # uid 1000 inside, a different one for each outside
    attacks = [
        f"kill -0 {alices}",
        f"cat /proc/{alices}/environ",
        f"ls /proc/{alices}/root/",
        f"ls /proc/{alices}/fd/",
        f"readlink /proc/{alices}/ns/net",
    ]
    # Root of a container of bob's that is shown every process there is can do no more than he.
    inside = shlex.quote(refused(attacks))
    assert script(vm, "bob", f"rootless run --rm --privileged --pid host {BUSYBOX} sh -c {inside}") == []
    attacks += [
        "ls /run/user/1000",
        "ls ~alice/.local/share/rootless",
        *(f"nsenter -U -t {pid} true" for pid in (alices, "$(pgrep -u alice -f 'rootless: session')")),
    ]
    assert script(vm, "bob", refused(attacks)) == []
    assert script(vm, "alice", "rootless exec same sh -c 'echo $SECRET'") == ["alice"]
    # The same attempts are none where they are allowed: the tests can tell the two apart.
    assert len(script(vm, "root", refused(attacks[:5]))) == 5
    for user in ("alice", "bob"):
        script(vm, user, "rootless rm -f same")


def test_the_runtime_directory_of_somebody_else_is_not_used(vm: Machine) -> None:
    """As `su` leaves it: XDG_RUNTIME_DIR is alice's, and the user is bob. He has one in /tmp instead."""
    told = script(
        vm,
        "bob",
        f"""
        export XDG_RUNTIME_DIR=/run/user/1000
        rootless run -d --name fallback {BUSYBOX} sleep 1000 >/dev/null
        stat -c '%a %U' /tmp/rootless-1001
        rootless exec fallback echo reached
        """,
    )
    assert told == ["700 bob", "reached"]
    assert script(vm, "alice", refused(["ls /tmp/rootless-1001", "stat /tmp/rootless-1001/session.sock"])) == []
    script(vm, "bob", "XDG_RUNTIME_DIR=/run/user/1000 rootless rm -f fallback; rm -rf /tmp/rootless-1001")


def test_a_squatted_runtime_directory_is_not_used(vm: Machine) -> None:
    """bob makes the directory in /tmp that alice would use: hers is in her home then."""
    vm.run("bob", "mkdir -m 777 /tmp/rootless-1000")
    try:
        told = script(
            vm,
            "alice",
            f"""
            unset XDG_RUNTIME_DIR
            rootless run --rm {BUSYBOX} echo ran
            stat -c '%a %U' ~/.local/share/rootless/run
            """,
        )
        assert told == ["ran", "700 alice"]
        assert vm.run("bob", "ls -A /tmp/rootless-1000").stdout == ""
    finally:
        vm.run("bob", "rm -rf /tmp/rootless-1000")
