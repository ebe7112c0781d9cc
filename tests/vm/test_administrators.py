"""What docs/administrators.md has an administrator type, typed by root: every line of it, but those of ELSEWHERE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.machine import Machine

TREE = Path(__file__).parents[2]
ELSEWHERE = {
    "apt-get install ": "packaging/fresh-machine.sh does it, from README, and tests/vm/test_package.py with the package",
    "python3 -m venv /opt/rootless ": "minutes here; tests/cli/test_installed.py has pip and the wheel, the next line its link",
}
UNDO = """\
rm -rf /scratch /etc/profile.d/rootless.sh /usr/local/bin/rootless /etc/sysctl.d/60-rootless.conf
rm -f /etc/systemd/system/user@.service.d/rootless-delegate.conf
systemctl daemon-reload
userdel -f dora
apparmor_parser -R /etc/apparmor.d/rootless; rm -f /etc/apparmor.d/rootless"""


def lines() -> list[str]:
    """All that the page says to type."""
    page = (TREE / "docs/administrators.md").read_text()
    typed = [line[4:] for line in page.splitlines() if line.startswith("    ")]
    assert len(typed) > 8
    return [line for line in typed if not line.startswith(tuple(ELSEWHERE))]


@pytest.fixture
def checkout(vm: Machine) -> Iterator[str]:
    """A directory of root's with packaging/ in it, and a user without a range, dora; all that is typed is taken back."""
    vm.run("root", "mkdir -p /srv/checkout; useradd -m -s /bin/bash -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 dora")
    vm.put(TREE / "packaging", "/srv/checkout/packaging", user="root")
    yield "/srv/checkout"
    vm.run("root", UNDO)


def test_every_line_can_be_typed(vm: Machine, checkout: str) -> None:
    assert vm.run("root", "getsubids dora", check=False).returncode != 0
    free = vm.run("root", next(line for line in lines() if line.startswith("awk "))).stdout.strip()
    said = {}
    for line in lines():  # the page's range is taken here
        line = line.replace("alice", "dora").replace("100000-165535", f"{free}-{int(free) + 65535}")
        said[line.split()[0]] = vm.run("root", f"cd {checkout}; {line}").stdout

    # The range is dora's alone, and the next free number lies behind it.
    for table in ("getsubids dora", "getsubids -g dora"):
        assert vm.run("root", table).stdout.split()[2:] == [free, "65536"]
    assert said["awk"].strip() == str(int(free) + 65536)

    assert "/etc/sysctl.d/60-rootless.conf" in vm.run("root", "sysctl --system").stdout
    told = vm.run("root", "sysctl -n net.ipv4.ping_group_range user.max_user_namespaces fs.inotify.max_user_instances").stdout
    assert told.split() == ["0", "2147483647", "15000", "512"]

    delegated = vm.run("root", "systemctl show -P DelegateControllers user@1000.service").stdout.split()
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(delegated)

    assert "rootless (unconfined)" in vm.run("root", "cat /sys/kernel/security/apparmor/profiles").stdout
    assert vm.run("root", "readlink /usr/local/bin/rootless").stdout == "/opt/rootless/bin/rootless\n"

    # A login finds its own directory on the local disk, where it may make it.
    told = vm.run("root", "su -l dora -c 'mkdir -p $ROOTLESS_ROOT; stat -c \"%n %U\" $ROOTLESS_ROOT'").stdout
    assert told == "/scratch/dora/rootless dora\n"
