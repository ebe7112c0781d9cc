"""Random input where a container, a configuration or another process can put it; bounded in time.

tests/fuzz/atheris_targets.py does the same with coverage, for as long as one likes.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootless.errors import RootlessError
from rootless.linux.socket import address_in
from rootless.runtime.mounts.plan import PlanFacts, build_plan
from rootless.runtime.namespaces import read_namespaces, split_map
from rootless.runtime.process.passwd import find_user
from rootless.runtime.seccomp.compiler import select_rules
from tests.harness.command import Rootless

BOUNDED = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FEW = settings(BOUNDED, max_examples=60)

WORDS = st.one_of(
    st.sampled_from(
        [
            "bind",
            "rbind",
            "ro",
            "rro",
            "rw",
            "nosuid",
            "rshared",
            "tmpcopyup",
            "idmap",
            "mode=1777",
            "size=1g",
            "",
        ]
    ),
    st.text(max_size=20),
)
PATHS = st.one_of(
    st.sampled_from(
        [
            "/",
            "/proc",
            "/proc/self/fd/7",
            "/dev",
            "/dev/console",
            "../..",
            "",
            "/sys/fs/cgroup",
            "/etc/../..",
            "relative",
        ]
    ),
    st.text(max_size=40),
)
KINDS = st.one_of(
    st.sampled_from(
        ["bind", "tmpfs", "proc", "sysfs", "cgroup", "devpts", "mqueue", "overlay", "none", "fuse.x"]
    ),
    st.text(max_size=9),
)
MOUNT = st.fixed_dictionaries(
    {"destination": PATHS, "source": PATHS}, optional={"type": KINDS, "options": st.lists(WORDS, max_size=6)}
)
LINUX = st.fixed_dictionaries(
    {},
    optional={
        "maskedPaths": st.lists(PATHS, max_size=4),
        "readonlyPaths": st.lists(PATHS, max_size=4),
        "sysctl": st.dictionaries(
            st.one_of(
                st.sampled_from(["net.ipv4.ip_forward", "kernel.shmmax", "net/../x"]), st.text(max_size=20)
            ),
            st.text(max_size=9),
            max_size=3,
        ),
        "devices": st.lists(
            st.fixed_dictionaries(
                {"path": PATHS, "type": st.sampled_from(["c", "b", "u", "p"])},
                optional={"major": st.integers(0, 4095), "minor": st.integers(0, 1 << 20)},
            ),
            max_size=3,
        ),
        "namespaces": st.lists(
            st.fixed_dictionaries(
                {"type": st.one_of(st.sampled_from(["user", "mount", "pid", "time"]), st.text(max_size=5))},
                optional={"path": PATHS},
            ),
            max_size=5,
        ),
    },
)


@BOUNDED
@given(mounts=st.lists(MOUNT, max_size=6), linux=LINUX, own=st.booleans())
def test_plans(mounts: list[dict[str, Any]], linux: dict[str, Any], own: bool) -> None:
    """A configuration of the right types gives a plan that can be told, or an error of ours."""
    with contextlib.suppress(RootlessError):
        steps = build_plan({"mounts": mounts, "linux": linux}, PlanFacts(own, own, own, own))
        assert all(isinstance(step.describe(), str) for step in steps)
    with contextlib.suppress(RootlessError):
        read_namespaces(linux)


@BOUNDED
@given(
    st.lists(st.tuples(*[st.integers(0, 1 << 32)] * 3), max_size=5),
    st.lists(st.tuples(*[st.integers(0, 1 << 32)] * 2), max_size=5),
)
def test_maps(wanted: list[tuple[int, int, int]], extents: list[tuple[int, ...]]) -> None:
    lines = [[int(word) for word in line.split()] for line in split_map(wanted, extents).splitlines()]
    assert sum(size for _, _, size in lines) == sum(size for _, _, size in wanted)


@BOUNDED
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=20)), lambda inner: st.lists(inner, max_size=3)
    ),
    st.lists(
        st.fixed_dictionaries(
            {
                "names": st.lists(st.text(max_size=9)),
                "action": st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_X", ""]),
            },
            optional={
                "args": st.lists(
                    st.fixed_dictionaries({"index": st.integers(-9, 9), "op": st.text(max_size=12)})
                )
            },
        )
    ),
)
def test_profiles(default: object, rules: list[dict[str, Any]]) -> None:
    with contextlib.suppress(RootlessError):
        select_rules(
            {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules},
            frozenset(),
            machine="x86_64",
            release=str(default),
        )


@BOUNDED
@given(passwd=st.binary(max_size=400), group=st.binary(max_size=400), user=st.text(max_size=20))
def test_users(tmp_path: Path, passwd: bytes, group: bytes, user: str) -> None:
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/passwd").write_bytes(passwd)
    (tmp_path / "etc/group").write_bytes(group)
    with contextlib.suppress(RootlessError):
        assert 0 <= find_user(user, root=str(tmp_path)).uid < 1 << 32


def connected(directory: Path, name: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(5)
    with address_in(str(directory), name) as address:
        client.connect(address)
    return client


PACKET = st.one_of(
    st.binary(max_size=64),
    st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(0, 20), st.binary(max_size=40_000)),
)
Fuzz = Callable[[], None]


@pytest.fixture
def sleeper(rootless: Rootless, busybox_image: str) -> Path:
    """The runtime directory of a container that echoes its stdin and never ends by itself."""
    rootless(
        "run",
        "-d",
        "-i",
        "--name",
        "box",
        "--network",
        "none",
        busybox_image,
        "sh",
        "-c",
        "while :; do cat >/dev/null; sleep 1; done",
    )
    (found,) = json.loads(rootless("inspect", "box").stdout)
    return rootless.sockets / "c" / str(found["Id"])


def test_attach_protocol(rootless: Rootless, sleeper: Path) -> None:
    """Whatever a client says, the monitor and its container live on, and serve the next client."""
    before = rootless("inspect", "--format", "{{.State.Pid}} {{.State.MonitorPid}}", "box").stdout

    @FEW
    @given(st.lists(PACKET, max_size=8))
    def talk(packets: list[bytes]) -> None:
        with connected(sleeper, "attach") as client:
            client.setblocking(False)
            for packet in packets:
                with contextlib.suppress(OSError):
                    client.send(packet)

    talk()
    assert rootless("inspect", "--format", "{{.State.Pid}} {{.State.MonitorPid}}", "box").stdout == before
    with connected(sleeper, "attach"):
        assert rootless("exec", "box", "echo", "alive").stdout == "alive\n"
    rootless("rm", "-f", "box")


def test_holders_socket(rootless: Rootless, busybox_image: str) -> None:
    """The session's holder reads nothing, so nothing said to it can matter."""
    rootless("run", "--rm", "--network", "none", busybox_image, "true")
    directory = rootless.sockets
    with connected(directory, "session.sock") as client:
        pid = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)

    @FEW
    @given(st.lists(st.binary(max_size=5000), max_size=4), st.booleans())
    def talk(packets: list[bytes], listen: bool) -> None:
        with connected(directory, "session.sock") as client:
            for packet in packets:
                with contextlib.suppress(OSError):
                    client.send(packet, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            if listen:
                # A reset: it closed while what we had said lay unread.
                with contextlib.suppress(ConnectionResetError):
                    _, descriptors, _, _ = socket.recv_fds(client, 1, 4)
                    for fd in descriptors:
                        socket.close(fd)

    talk()
    with connected(directory, "session.sock") as client:
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12) == pid
    assert rootless("run", "--rm", "--network", "none", busybox_image, "echo", "ran").stdout == "ran\n"
