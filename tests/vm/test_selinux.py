"""SELinux enforcing: a label confines a container, and its policy knows no program in memory as a way into it.

The machine is booted anew with SELinux instead of AppArmor, for which these tests come last (conftest.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.vm.machine import Machine

pytestmark = pytest.mark.full  # three minutes, of which two are the boot

CONTEXT = "system_u:system_r:rl_test_t:s0"
OPTION = "--security-opt label=type:rl_test_t"  # customize.sh loads it
INSIDE = "cat /proc/self/attr/current; echo; echo x >/tmp/denied || echo refused"


@pytest.fixture(scope="module")
def enforcing(vm: Machine) -> Iterator[Machine]:
    vm.kernel_options = "security=selinux selinux=1 enforcing=0"
    vm.reboot()
    # alice comes first and stays: files without labels are not what logins are expected to have.
    vm.run("alice", "true")
    vm.run("root", "setenforce 1")
    yield vm
    vm.kernel_options = ""
    vm.run("alice", "sync")  # or containers that were removed may be there again
    vm.switch_off()  # nobody comes in any more who could do it in good order


def test_a_label_confines(enforcing: Machine) -> None:
    done = enforcing.run("alice", f"rootless run --name confined {OPTION} busybox sh -c '{INSIDE}'", check=False)
    assert [line.strip("\0 ") for line in done.stdout.splitlines()] == [CONTEXT, "refused"], done
    record = json.loads(enforcing.run("alice", "rootless inspect confined; rootless rm confined >/dev/null").stdout)[0]
    wall = next(each for each in record["Walls"] if each["Name"] == "selinux")
    assert (wall["State"], wall["Why"]) == ("on", "type:rl_test_t"), wall
    # exec goes behind the same wall, and without the option there is none.
    told = enforcing.run(
        "alice",
        f"rootless run -d --name later {OPTION} busybox sleep 1000 >/dev/null; rootless exec later cat /proc/self/attr/current;"
        " rootless rm -f later >/dev/null; echo; rootless run --rm busybox cat /proc/self/attr/current",
    )
    labels = [line.strip("\0 ") for line in told.stdout.splitlines()]
    assert labels[0] == CONTEXT
    assert labels[1] != CONTEXT


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (f"--init {OPTION}", "hint: leave --init out"),
        ("--security-opt label=type:no_such_t", "cannot take the security label 'system_u:system_r:no_such_t:s0'"),
    ],
)
def test_what_cannot_be(enforcing: Machine, options: str, why: str) -> None:
    done = enforcing.run("alice", f"rootless run --rm {options} busybox echo ran", check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert why in done.stderr


def test_the_oci_runtime(enforcing: Machine) -> None:
    edit = (
        "import json; c = json.load(open('config.json')); p = c['process']; p['terminal'] = False; "
        f"p['selinuxLabel'] = '{CONTEXT}'; p['args'] = ['sh', '-c', '{INSIDE}; cat /proc/self/mountinfo']; "
        "c['root']['readonly'] = False; c['linux']['mountLabel'] = 'system_u:object_r:tmp_t:s0'; "
        "json.dump(c, open('config.json', 'w'))"
    )
    script = f"""
    mkdir -p bundle/rootfs && cd bundle
    rootless create --name plain busybox >/dev/null; rootless export plain | tar -x -C rootfs; rootless rm plain >/dev/null
    rm -f config.json; rootless-oci spec --rootless
    python3 -c "{edit}"; rootless-oci run confined; rm -rf ~/bundle
    """
    done = enforcing.run("alice", script)
    lines = [line.strip("\0 ") for line in done.stdout.splitlines()]
    assert lines[:2] == [CONTEXT, "refused"], done
    (shm,) = (line for line in lines if " /dev/shm " in line)
    assert "context=" in shm
    assert "tmp_t" in shm
