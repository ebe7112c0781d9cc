"""slirp4netns itself, on a throw-away namespace, as the ordinary user."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rootless.errors import Conflict, InvalidInput, NotSupported, RootlessError
from rootless.network import ports, privileged_ports
from rootless.network.etc import hosts
from rootless.network.uplink import driver
from rootless.network.uplink.slirp4netns import start
from tests.harness import processes
from tests.harness.importing import PYTHON_PATH
from tests.need import need
from tests.network.asking import ask, ask_udp, descriptors
from tests.network.conftest import Namespace

Connect = Callable[..., dict[str, Any]]


def test_published_ports_are_served(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace, ports=ports.parse(["5220:80", "0:80"]))
    published = ports.from_data(data["ports"])
    assert ask(5220, b"over tcp") == b"OVER TCP"
    assert published[1].host_port > 1023
    assert ask(published[1].host_port, b"a free one") == b"A FREE ONE"
    assert data["protection"] == ["sandbox", "seccomp"]
    assert data["warnings"] == []


def test_as_many_ports_as_there_are_descriptors(namespace: Namespace, connect: Connect) -> None:
    """slirp4netns says a line for each: nobody reads it, and once it waited for that after some 350."""
    data = connect(namespace, ports=ports.parse(["20000-20599:1000-1599"]))
    assert len(data["ports"]) == 600


def test_more_ports_than_that_are_refused_at_once(namespace: Namespace, connect: Connect) -> None:
    exposed = ports.publish_all(ports.read_exposed(["1000-9000/tcp"]), [])
    with pytest.raises(NotSupported, match="8001 ports cannot be published"):
        connect(namespace, ports=exposed)


def test_udp_is_served_on_loopback_where_that_is_allowed(namespace: Namespace, connect: Connect) -> None:
    options = start.SlirpOptions(allow_host_loopback=True)
    data = connect(namespace, options=options, ports=ports.parse(["127.0.0.1:5221:53/udp"]))
    assert ask_udp(5221, b"over udp") == b"OVER UDP"
    assert data["warnings"] == []


def test_udp_is_served_on_the_hosts_address(namespace: Namespace, connect: Connect) -> None:
    address = hosts.host_address()
    need(address, "this host has no address but loopback")
    data = connect(namespace, ports=ports.parse(["5221:53/udp"]))
    assert ask_udp(5221, b"over udp", address=str(address)) == b"OVER UDP"
    assert "udp port 53 answers on the host's addresses but not on 127.0.0.1" in data["warnings"][0]


def test_udp_on_loopback_alone_is_refused(namespace: Namespace, connect: Connect) -> None:
    with pytest.raises(NotSupported, match="udp port 53 cannot be published on") as caught:
        connect(namespace, ports=ports.parse(["127.0.0.1:5221:53/udp"]))
    assert caught.value.hint is not None
    assert "allow_host_loopback=true" in caught.value.hint


def test_the_network_is_up_on_return(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace)
    code = (
        "import fcntl, socket, struct; s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('10.0.2.2', 9));"
        "mtu = fcntl.ioctl(s, 0x8921, struct.pack('16s16x', b'tap0'));"  # SIOCGIFMTU
        "print(s.getsockname()[0], struct.unpack_from('i', mtu, 16)[0])"
    )
    assert namespace.python(code) == f"{data['address']} {data['mtu']}" == "10.0.2.100 65520"


def test_other_addresses(namespace: Namespace, connect: Connect) -> None:
    data = connect(
        namespace, options=start.parse("slirp4netns:cidr=10.77.0.0/24,mtu=1500"), ports=ports.parse(["5222:80"])
    )
    assert (data["address"], data["dns"], data["mtu"]) == ("10.77.0.100", "10.77.0.3", 1500)
    assert ask(5222, b"x") == b"X"


@pytest.mark.parametrize("allowed", [False, True])
def test_the_hosts_loopback_is_out_of_reach_unless_asked(
    namespace: Namespace, connect: Connect, allowed: bool
) -> None:
    connect(namespace, options=start.SlirpOptions(allow_host_loopback=allowed))
    with socket.create_server(("127.0.0.1", 5223)):
        code = (
            "import socket\ntry: socket.create_connection(('10.0.2.2', 5223), timeout=5); print('reached')\n"
            "except OSError: print('refused')"
        )
        assert namespace.python(code) == ("reached" if allowed else "refused")


# A host of its own: its resolv.conf names a resolver on its loopback, which answers 192.0.2.53.
STUB_HOST = """
import os, socket, subprocess, sys, threading
from rootless.linux.interface import loopback_up
from rootless.network.uplink.slirp4netns import start
from tests.network.conftest import Namespace
loopback_up()
with open(sys.argv[1] + "/resolv.conf", "w") as file:
    file.write("nameserver 127.0.0.1\\n")
subprocess.run(["mount", "--bind", sys.argv[1] + "/resolv.conf", "/etc/resolv.conf"], check=True)
resolver = socket.socket(type=socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
def answer():
    query, where = resolver.recvfrom(512)
    record = b"\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x3c\\0\\x04" + bytes([192, 0, 2, 53])
    resolver.sendto(query[:2] + b"\\x81\\x80\\0\\x01\\0\\x01\\0\\0\\0\\0" + query[12:] + record, where)
threading.Thread(target=answer, daemon=True).start()
inside = Namespace()
# As a container being born, which is not dumpable: its /proc/PID/ns cannot be opened, the pid will not do.
namespaces = tuple(os.open(f"/proc/{inside.pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net"))
try:
  data = start.start(1, namespaces=namespaces, run_dir=sys.argv[1])
  print(inside.python(r'''
import socket
s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(10); s.connect(("10.0.2.3", 53))
s.send(b"RL\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x01a\\0\\0\\x01\\0\\x01")
print(".".join(map(str, s.recv(512)[-4:])))
'''))
finally:
  inside.close()
os.close(data["hold_fds"][0])
os.waitpid(data["pid"], 0)
"""


@pytest.mark.usefixtures("namespace")
def test_names_are_asked_of_a_resolver_on_the_hosts_loopback(tmp_path: Path) -> None:
    """In a user namespace of ours as in a session, with the namespaces handed over as descriptors."""
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    done = subprocess.run(
        ["unshare", "-Urmn", sys.executable, "-P", "-c", STUB_HOST, str(deep)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": PYTHON_PATH},
    )  # fmt: skip
    assert done.stdout == "192.0.2.53\n", done.stderr


def test_a_taken_port_is_a_conflict_that_names_its_holder(
    namespace: Namespace, other_namespace: Namespace, connect: Connect, tmp_path: Path
) -> None:
    connect(namespace, ports=ports.parse(["5224:80"]))
    before = descriptors()
    run_dir = tmp_path / "other"
    run_dir.mkdir()
    with pytest.raises(Conflict) as caught:
        start.start(
            other_namespace.pid,
            run_dir=str(run_dir),
            ports=ports.parse(["5224:80"]),
            name="web",
            port_holder=lambda mapping: "shop" if mapping.host_port == 5224 else None,
        )
    assert caught.value.message == (
        "driver failed programming external connectivity on endpoint web: "
        "Bind for 0.0.0.0:5224 failed: port is already allocated"
    )
    assert caught.value.hint == "container shop has it: stop that one, or choose another host port"
    assert descriptors() == before, "descriptors leaked"
    assert ask(5224, b"still there") == b"STILL THERE"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_taken_by_a_stranger(namespace: Namespace, connect: Connect, protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 5225))
        if protocol == "tcp":
            taken.listen()
        with pytest.raises(Conflict, match=r"Bind for 0\.0\.0\.0:5225 failed: port is already allocated") as caught:
            connect(namespace, ports=ports.parse([f"5225:80/{protocol}"]))
    assert caught.value.hint is not None
    assert f"ss -{protocol[0]}lnp 'sport = :5225'" in caught.value.hint


def test_a_range_of_host_ports_gives_a_free_one(namespace: Namespace, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 5226)):
        data = connect(namespace, ports=ports.parse(["5226-5228:80"]))
    assert ports.describe(ports.from_data(data["ports"])) == "0.0.0.0:5227->80/tcp"
    assert ask(5227, b"x") == b"X"


def test_a_reserved_port_names_the_sysctl_and_the_alternative(namespace: Namespace, connect: Connect) -> None:
    need(privileged_ports.unprivileged_port_start() >= 80, "this host lets users bind port 79")
    with pytest.raises(NotSupported, match=r"Bind for 0\.0\.0\.0:79 failed: ports below \d+ are reserved") as caught:
        connect(namespace, ports=ports.parse(["79:80"]))
    assert caught.value.hint is not None
    assert "-p 8079:..." in caught.value.hint
    assert "echo 'net.ipv4.ip_unprivileged_port_start=79' | sudo tee -a /etc/sysctl.d/" in caught.value.hint


def test_an_address_that_is_not_ours(namespace: Namespace, connect: Connect) -> None:
    with pytest.raises(InvalidInput, match=r"192\.0\.2\.77:5229 failed: cannot assign requested address"):
        connect(namespace, ports=ports.parse(["192.0.2.77:5229:80"]))


def test_a_process_that_has_gone(connect: Connect, namespace: Namespace, tmp_path: Path) -> None:
    namespace.close()
    before = descriptors()
    with pytest.raises(RootlessError, match="slirp4netns failed: /proc/"):
        start.start(namespace.pid, run_dir=str(tmp_path))
    assert descriptors() == before


def test_a_killed_slirp_is_seen(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace, ports=ports.parse(["5230:80"]))
    assert not driver.has_ended(data)
    os.kill(data["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not driver.has_ended(data) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert driver.has_ended(data), "a zombie still counts as running"
    os.waitpid(data["pid"], 0)
    assert driver.has_ended({**data, "start_time": data["start_time"] - 1})
    assert not driver.has_ended({})


def test_a_batch_system_tells_every_process_to_end(namespace: Namespace, connect: Connect) -> None:
    """The container, which ends in its own time, has its network until then."""
    data = connect(namespace, ports=ports.parse(["5230:80"]))
    processes.signal_as_of_a_job(data["pid"])
    assert ask(5230, b"x") == b"X"
    assert not driver.has_ended(data)


def test_a_deep_runtime_directory(namespace: Namespace, connect: Connect, tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    connect(namespace, run_dir=str(deep), ports=ports.parse(["5231:80"]))
    assert ask(5231, b"x") == b"X"


def test_descriptors_of_the_caller_do_not_reach_slirp(namespace: Namespace, connect: Connect) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    data = connect(namespace)
    os.close(writing)
    assert os.read(reading, 1) == b"", "slirp4netns holds the caller's pipe open"
    os.close(reading)
    assert not driver.has_ended(data)
