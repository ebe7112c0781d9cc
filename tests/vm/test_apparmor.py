"""AppArmor on a kernel that has it: a profile that root has loaded confines a container, by either command."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.vm.machine import Machine
from tests.vm.test_host import BUSYBOX, FRESH, findings

# Everything but one name: what is denied is AppArmor's doing and nobody else's.
PROFILE = """
profile rl-test flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, signal, mount, umount, pivot_root, ptrace, unix, dbus,
  deny /**denied rwl,
}
"""
INSIDE = "cat /proc/self/attr/current; echo x >/tmp/denied || echo refused; echo x >/tmp/fine && echo allowed"


@pytest.fixture(scope="module")
def profile(vm: Machine) -> Iterator[str]:
    vm.run("root", f"cat >/srv/rl-test <<'END'{PROFILE}END\napparmor_parser -r /srv/rl-test")
    yield "rl-test"
    vm.run("root", "apparmor_parser -R /srv/rl-test")


def test_a_profile_confines(vm: Machine, profile: str) -> None:
    option = f"--security-opt apparmor={profile}"
    done = vm.run("alice", f"rootless run --name confined {option} busybox sh -c '{INSIDE}'", check=False)
    assert done.stdout.splitlines() == [f"{profile} (enforce)", "refused", "allowed"], done
    record = json.loads(vm.run("alice", "rootless inspect confined; rootless rm confined >/dev/null").stdout)[0]
    assert record["AppArmorProfile"] == profile
    wall = next(each for each in record["Walls"] if each["Name"] == "apparmor")
    assert (wall["State"], wall["Why"]) == ("on", profile), wall
    # exec goes behind the same wall, and without the option there is none.
    told = vm.run(
        "alice",
        f"rootless run -d --name later {option} busybox sleep 1000 >/dev/null; rootless exec later cat /proc/self/attr/current;"
        " rootless rm -f later >/dev/null; rootless run --rm busybox cat /proc/self/attr/current",
    )
    assert told.stdout.splitlines() == [f"{profile} (enforce)", "unconfined"]


def test_a_profile_that_nobody_loaded(vm: Machine, profile: str) -> None:
    done = vm.run("alice", "rootless run --rm --security-opt apparmor=no-such busybox echo ran", check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot take the security label 'no-such'" in done.stderr
    assert "load the profile" in done.stderr


def test_doctor_knows(vm: Machine) -> None:
    found = json.loads(vm.run("alice", "rootless doctor --json").stdout)["findings"]
    wall = next(each for each in found if each["name"] == "AppArmor")
    assert wall["status"] == "ok", wall


def test_the_oci_runtime(vm: Machine, profile: str) -> None:
    edit = (
        "import json; c = json.load(open('config.json')); p = c['process']; p['terminal'] = False; "
        f"p['apparmorProfile'] = '{{}}'; p['args'] = ['sh', '-c', '{INSIDE}']; c['root']['readonly'] = False; "
        "json.dump(c, open('config.json', 'w'))"
    )
    script = f"""
    mkdir -p bundle/rootfs && cd bundle
    rootless create --name plain busybox >/dev/null; rootless export plain | tar -x -C rootfs; rootless rm plain >/dev/null
    rm -f config.json; rootless-oci spec --rootless
    python3 -c "{edit.format(profile)}"; rootless-oci run confined
    python3 -c "{edit.format('no-such')}"; rootless-oci run unknown || echo status $?
    rm -rf ~/bundle
    """
    done = vm.run("alice", script)
    assert done.stdout.splitlines()[:3] == [f"{profile} (enforce)", "refused", "allowed"], done
    assert done.stdout.splitlines()[3].startswith("status "), done
    assert "no-such" in done.stderr


def test_our_own_profile_covers_what_starts_us(vm: Machine) -> None:
    """Ubuntu gives user namespaces to who has it (`userns`): the commands, containers' monitors, and what a unit starts. An
    interpreter that runs something else has it not."""
    if vm.name == "bookworm":
        pytest.skip("AppArmor 3 knows no such rule, and no host that has it restricts user namespaces")
    print_profile = "from rootless.session.diagnosis import apparmor_profile; print(apparmor_profile()[1])"
    text = vm.run("alice", f'venv/bin/python -c "{print_profile}"').stdout
    assert '"/home/alice/venv/bin/rootless{,-oci}"' in text
    vm.run("root", f"cat >/srv/rootless <<'END'\n{text}END\napparmor_parser -r /srv/rootless")
    label = "cat /proc/$(rootless inspect -f '{{.State.Pid}}' %s)/attr/current"
    try:
        told = vm.run(
            "alice",
            f"""rootless run -d --name typed busybox sleep 1000 >/dev/null; {label % "typed"}; rootless rm -f typed >/dev/null
            venv/bin/python -c 'print(open("/proc/self/attr/current").read().strip())'
            rootless create --name unit busybox sleep 1000 >/dev/null; rootless enable unit >/dev/null
            grep ^ExecStart= ~/.config/systemd/user/rootless-unit.service
            systemctl --user start rootless-unit; {label % "unit"}
            systemctl --user stop rootless-unit; rootless disable unit >/dev/null; rootless rm unit >/dev/null""",
        ).stdout.splitlines()
    finally:
        vm.run("root", "apparmor_parser -R /srv/rootless")
    assert told == ["rootless (unconfined)", "unconfined", 'ExecStart="/home/alice/venv/bin/rootless" start unit', "rootless (unconfined)"]


def test_user_namespaces_are_switched_off(vm: Machine) -> None:
    """By Debian's setting: doctor says which it is, also to a user without a range, and `run` says that doctor knows."""
    vm.run("root", "sysctl -q -w kernel.unprivileged_userns_clone=0")
    try:
        status, found = findings(vm, "carol")
        assert status == 1
        assert "kernel.unprivileged_userns_clone is 0" in found["user namespace"]["what"]
        run = f"{FRESH}\nrootless load -q -i /srv/busybox.tar >/dev/null; rootless run --rm {BUSYBOX} true"
        refused = vm.run("carol", run, check=False)
        assert (refused.returncode, refused.stdout) == (125, "")
        assert "rootless doctor" in refused.stderr
    finally:
        vm.run("root", "sysctl -q -w kernel.unprivileged_userns_clone=1")
