"""linux.netDevices: moved by root of the user namespace that owns the network, refused to others."""

from __future__ import annotations

import subprocess

import pytest

from tests.harness.account import ALL_IDS
from tests.need import need, need_program, without_range
from tests.oci.bundles import Runtime

SHOW = "cat /proc/net/dev | cut -d: -f1; cat /proc/net/fib_trie /proc/net/if_inet6"


def run(oci: Runtime, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script as root of a new user and network namespace, with $RUN for the runtime."""
    need_program("ip")
    oci.write()
    command = f'RUN="{oci.program} --root {oci.state} run -b {oci.bundle}"; {script}'
    return subprocess.run(
        [*ALL_IDS, "--net", "--mount", "sh", "-c", command],
        capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def moving(oci: Runtime) -> Runtime:
    linux = oci.spec["linux"]
    del linux["uidMappings"], linux["gidMappings"]
    linux["namespaces"] = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
    linux["netDevices"] = {"one": {"name": "inside0"}, "two": {}}
    oci.spec["process"]["args"] = ["sh", "-c", SHOW]
    oci.spec["process"]["capabilities"] = {}
    return oci


MAKE = (
    "ip link add one type veth peer name two && ip addr add 10.9.8.7/24 dev one && ip addr add fd00:9::7/64 dev one nodad"
    " && ip link set one up && ip link set two up"
)


@pytest.mark.parametrize("own", [False, True])
def test_a_device_moves_with_its_addresses(moving: Runtime, own: bool) -> None:
    if own:
        moving.spec["linux"]["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            moving.spec["linux"][kind] = [{"containerID": 0, "hostID": 0, "size": 1 if without_range() else 100}]
    done = run(moving, f"{MAKE} || exit 77; $RUN c; echo status $?; ip -o link")
    need(done.returncode != 77, f"no veth here: {done.stderr}")
    assert "status 0" in done.stdout, done.stderr
    inside, outside = done.stdout.split("status 0")
    names = {line.strip() for line in inside.splitlines()}
    assert {"inside0", "two"} <= names
    assert "one" not in names
    assert "10.9.8.7" in inside
    assert "fd000009000000000000000000000007" in inside
    assert "one" not in outside


def test_what_is_wrong_is_named(moving: Runtime) -> None:
    linux = moving.spec["linux"]
    for devices, said in (
        ({"nosuch": {}}, "linux.netDevices.nosuch: there is no such network device"),
        ({"one": {"name": "x" * 16}}, "linux.netDevices.one.name"),
        ({"one": {"name": "a/b"}}, "linux.netDevices.one.name"),
        ({"one": {"name": "x"}, "two": {"name": "x"}}, "given twice"),
        ({"lo": {"name": "other"}}, "linux.netDevices.lo: cannot be moved"),
        ({"one": {"name": "lo"}}, "linux.netDevices.one: in the container: there is a device lo already"),
    ):
        linux["netDevices"] = devices
        done = run(moving, f"{MAKE} || exit 77; $RUN c; echo status $?; ip -o link")
        need(done.returncode != 77, f"no veth here: {done.stderr}")
        assert "status 1" in done.stdout, done.stdout
        assert said in done.stderr, done.stderr
        assert ": one@two" in done.stdout, "it is where it was"
    linux["namespaces"].pop()
    linux["netDevices"] = {"one": {}}
    assert "needs a network namespace" in run(moving, f"{MAKE}; $RUN c").stderr


def test_an_ordinary_user_may_not(oci: Runtime) -> None:
    oci.spec["linux"]["namespaces"].append({"type": "network"})
    oci.spec["linux"]["netDevices"] = {"lo": {"name": "x"}}
    oci.write()
    done = oci("run", "-b", str(oci.bundle), "c", status=1)
    assert "linux.netDevices" in done.stderr
    assert "CAP_NET_ADMIN" in done.stderr
    assert oci("list", "-q").stdout == ""
