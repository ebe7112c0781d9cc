"""The Debian package on a machine that has nothing of ours by pip: installed by apt with what it depends on, used by people with a
range and without one, over a reboot, upgraded while containers run, and purged. The order is the machine's history."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless import __version__
from tests.vm import debian_package
from tests.vm.machine import USERS, Machine
from tests.vm.test_boot import wait_until
from tests.vm.test_host import findings, script

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800, func_only=True),
    pytest.mark.parametrize("vm", ["trixie+package"], indirect=True),
]
PING = """
import http.client, os, socket
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(f"/run/user/{os.getuid()}/docker.sock")
connection.sock.settimeout(120)
connection.request("GET", "/_ping")
print(connection.getresponse().read().decode())
"""
ASK = f"python3 -c {shlex.quote(PING)}"
LABEL = "cat /proc/$(rootless inspect -f '{{.State.Pid}}' %s)/attr/current"
# What a package may leave behind: what people made, and caches (man's).
LEFT = (
    "find / -xdev -iname '*rootless*' ! -path '/home/*' ! -path '/srv/*' ! -path '/proc/*' ! -path '/var/log/*'"
    " ! -path '/var/cache/*' ! -path '/tmp/*'"
)


@pytest.fixture
def lingering(vm: Machine) -> Iterator[None]:
    vm.run("root", "loginctl enable-linger alice")
    yield
    vm.run("root", "loginctl disable-linger alice")


def state(vm: Machine, name: str, user: str = "alice") -> str:
    return vm.run(user, f"rootless inspect -f '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {name}").stdout.strip()


def pid(vm: Machine, name: str, user: str = "alice") -> int:
    return int(vm.run(user, f"rootless inspect -f '{{{{.State.Pid}}}}' {name}").stdout)


def test_what_apt_installs(vm: Machine) -> None:
    """Unchanged, whole, started by nobody; the profile is in the kernel."""
    told = vm.run("root", "set -e; dpkg -V rootless; dpkg --audit; dpkg-query -W -f '${Version}\n' rootless").stdout
    assert told.splitlines() == [__version__]
    assert vm.run("root", "grep ^rootless /sys/kernel/security/apparmor/profiles").stdout == "rootless (unconfined)\n"
    assert vm.run("root", "systemctl --failed --no-legend --plain; find /etc/systemd -name 'rootless*'").stdout == ""
    for user in USERS:
        where, version, *units = script(
            vm, user,
            """command -v rootless; rootless version --format '{{.Client.Version}}'
            systemctl --user is-enabled rootless.socket rootless-restart.service || :
            systemctl --user is-active rootless.socket rootless-restart.service rootless.service || :""",
        )  # fmt: skip
        assert where == "/usr/bin/rootless"
        assert version == __version__
        assert units == ["disabled"] * 2 + ["inactive"] * 3


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_containers_of_people(vm: Machine, who: str) -> None:
    """carol has no range. The command's profile is the container's, too."""
    status, found = findings(vm, who)
    assert status == 0
    assert {name for name, each in found.items() if each["status"] == "error"} == set()
    for name in ("container", "user namespace", "helpers", "AppArmor"):
        assert found[name]["status"] == "ok", found[name]
    told = script(
        vm, who,
        f"""rootless run --rm busybox sh -c 'id -u; chown 33:44 /etc; stat -c %u:%g /etc; ls /sys/class/net'
        rootless run -d --name web -p 127.0.0.1:8090:80 busybox sh -c 'mkdir /www; echo page >/www/index.html; exec httpd -f -h /www'
        {LABEL % "web"}
        for i in $(seq 50); do busybox wget -q -O - http://127.0.0.1:8090/ && break; sleep 0.5; done
        rootless-oci --version | head -n 1
        rootless rm -f web""",
    )  # fmt: skip
    assert told[:2] == ["0", "33:44"]
    assert "lo" in told
    assert told[-4:] == ["rootless (unconfined)", "page", f"rootless-oci version {__version__}", "web"]


def test_manual_pages_and_completions(vm: Machine) -> None:
    bash = """. /usr/share/bash-completion/bash_completion; _comp_load rootless; complete -p rootless
    COMP_WORDS=(rootless histo); COMP_CWORD=1; _rootless_completion rootless; echo "${COMPREPLY[@]}" """
    zsh = "autoload -Uz compinit; compinit -D; echo $_comps[rootless]; autoload +X _rootless && echo loaded"
    told = script(
        vm, "alice",
        f"""man rootless | head -n 1; man rootless run | head -n 1; man rootless-oci | head -n 1; man -k rootless-volume | wc -l
        bash -c {shlex.quote(bash)}
        zsh -fc {shlex.quote(zsh)}
        fish -c 'complete -C "rootless histo"' | cut -f 1""",
    )  # fmt: skip
    assert [re.split(r"\s", line)[0] for line in told[:3]] == ["ROOTLESS(1)", "ROOTLESS-RUN(1)", "ROOTLESS-OCI(1)"]
    assert int(told[3]) > 5
    assert told[4:] == ["complete -o nosort -F _rootless_completion rootless", "history", "_rootless", "loaded", "history"]


def test_units_of_a_user_over_a_reboot(vm: Machine, lingering: None) -> None:
    """The package's own, switched on as `systemctl` does it, and one of `rootless enable`; nobody else has them."""
    script(
        vm, "alice",
        """systemctl --user enable --now rootless.socket rootless-restart.service
        rootless run -d --name kept --restart unless-stopped --network none busybox sleep 4101
        rootless create --name unit --network none busybox sleep 4102
        rootless enable unit; systemctl --user start rootless-unit""",
    )  # fmt: skip
    assert vm.run("alice", ASK).stdout == "OK\n"
    assert vm.run("carol", "systemctl --user is-active rootless.socket rootless-restart", check=False).stdout == "inactive\n" * 2
    assert 'ExecStart="/usr/bin/rootless" start unit\n' in vm.run("alice", "cat ~/.config/systemd/user/rootless-unit.service").stdout
    vm.reboot()
    asked = "grep ^rootless /sys/kernel/security/apparmor/profiles; runuser -u alice -- " + ASK
    running = [f"pgrep -u alice -fx 'sleep {number}' >/dev/null" for number in (4101, 4102)]
    wait_until(lambda: vm.run("root", " && ".join(running), check=False).returncode == 0, "both, without a login", 300, vm=vm)
    assert vm.run("root", asked).stdout == "rootless (unconfined)\nOK\n"
    assert vm.run("alice", f"{LABEL % 'kept'}; {LABEL % 'unit'}").stdout == "rootless (unconfined)\n" * 2
    assert (state(vm, "kept"), state(vm, "unit")) == ("running 0", "running 0")
    script(
        vm, "alice",
        """systemctl --user stop rootless-unit; rootless disable unit; rootless rm -f kept unit
        systemctl --user disable --now rootless.socket rootless-restart.service; systemctl --user reset-failed""",
    )  # fmt: skip
    assert vm.run("alice", "find ~/.config/systemd -type f -o -type l; systemctl --user --failed --no-legend").stdout == ""


def test_an_upgrade_while_containers_run(vm: Machine, package: Path, lingering: None, tmp_path: Path) -> None:
    """They go on, with their network, policy, unit and who is attached; the newer one finds and stops them."""
    script(
        vm, "alice",
        """rootless network create app
        rootless run -d --name web --network app -p 127.0.0.1:8091:80 busybox httpd -f
        rootless run -d --name policy --restart always busybox sleep 4103
        rootless create --name unit --network none busybox sleep 4104
        rootless enable unit; systemctl --user start rootless-unit; systemctl --user enable --now rootless.socket""",
    )  # fmt: skip
    script(vm, "carol", "rootless run -d --name hers busybox sleep 4105")
    assert vm.run("alice", ASK).stdout == "OK\n"
    answer = "sh -c 'while read line; do echo got $line; done; exit 7'"
    attached = vm.start("alice", f"rootless run -i --rm --name attached --network none busybox {answer}")
    assert attached.stdin is not None
    assert attached.stdout is not None
    attached.stdin.write("before\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == "got before\n"
    names = ("web", "policy", "unit", "attached")
    before = [pid(vm, name) for name in names] + [pid(vm, "hers", "carol")]

    said = debian_package.install(vm, debian_package.newer(package, tmp_path))
    assert f"Unpacking rootless ({debian_package.NEWER}) over ({__version__})" in said
    assert "warning" not in said.lower(), said
    assert vm.run("root", "dpkg --audit; find /usr/lib/python3/dist-packages -maxdepth 1 -name 'rootless-*'; grep ^rootless "
                  "/sys/kernel/security/apparmor/profiles").stdout.splitlines() == [
        f"/usr/lib/python3/dist-packages/rootless-{debian_package.NEWER}.dist-info", "rootless (unconfined)"]  # fmt: skip
    assert debian_package.NEWER in vm.run("alice", "rootless version").stdout
    assert [pid(vm, name) for name in names] + [pid(vm, "hers", "carol")] == before

    attached.stdin.write("after\n")
    attached.stdin.close()
    assert attached.stdout.read() == "got after\n"
    assert attached.wait(120) == 7
    told = script(
        vm, "alice",
        f"""rootless exec web hostname -i >/dev/null; rootless run --rm --network app busybox nslookup web >/dev/null
        busybox wget -O /dev/null http://127.0.0.1:8091/ 2>&1 | grep -o '404'
        {ASK}; systemctl --user is-active rootless-unit
        kill -9 $(rootless inspect -f '{{{{.State.Pid}}}}' policy)""",
    )  # fmt: skip
    assert told == ["404", "OK", "active"]
    wait_until(lambda: state(vm, "policy") == "running 1", "the restart, by the monitor from before", 120, vm=vm)
    assert state(vm, "unit") == "running 0"
    assert script(vm, "carol", "rootless stop -t 0 hers; rootless start hers; rootless exec hers echo new; rootless rm -f hers") == [
        "hers", "hers", "new", "hers"]  # fmt: skip
    told = script(
        vm, "alice",
        """systemctl --user stop rootless-unit; rootless disable unit >/dev/null; rootless stop -t 0 web policy
        rootless ps -a --format '{{.Names}} {{.State}}' | sort
        rootless rm web policy unit >/dev/null; rootless network rm app
        systemctl --user disable --now rootless.socket; systemctl --user --failed --no-legend""",
    )  # fmt: skip
    assert told == ["web", "policy", "policy exited", "unit exited", "web exited", "app"]
    assert vm.run("alice", "pgrep -u alice -fa '[s]leep 410'", check=False).stdout == ""


def test_a_purge_leaves_what_people_made(vm: Machine, package: Path) -> None:
    """A container runs on; who installs the package again finds it, and all images."""
    script(vm, "alice", "rootless run -d --name stays --network none busybox sleep 4106; rootless volume create data")
    store = json.loads(vm.run("alice", "rootless inspect stays").stdout)[0]
    vm.run("root", "apt-get -y autoremove --purge rootless 2>&1", timeout=600)
    assert vm.run("root", f"dpkg-query -W rootless; {LEFT}", check=False).stdout == ""
    assert vm.run("alice", "command -v rootless", check=False).returncode == 1
    assert vm.run("alice", f"cat /proc/{store['State']['Pid']}/cmdline").stdout == "sleep\x004106\x00"
    debian_package.install(vm, package)
    told = script(
        vm, "alice",
        """rootless ps --format '{{.Names}} {{.State}}'; rootless exec stays echo inside; rootless stop -t 0 stays; rootless rm stays
        rootless volume ls -q; rootless volume rm data; rootless run --rm --network none busybox echo again""",
    )  # fmt: skip
    assert told == ["stays running", "inside", "stays", "stays", "data", "data", "again"]
    assert vm.run("carol", "rootless images -q").stdout
