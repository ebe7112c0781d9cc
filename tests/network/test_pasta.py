"""pasta itself, on a throw-away namespace, as the ordinary user: the machine's own, whatever its age."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rootless.errors import Conflict, NotSupported
from rootless.network import ports
from rootless.network.etc import hosts
from rootless.network.ports import PortMapping
from rootless.network.uplink import driver
from rootless.network.uplink.pasta import options as pasta_options
from rootless.network.uplink.pasta import start
from rootless.network.uplink.slirp4netns.port_forward import bind_problem
from tests.harness import processes
from tests.harness.importing import PYTHON_PATH
from tests.need import need
from tests.network.asking import ask, ask_udp, descriptors
from tests.network.conftest import Namespace
from tests.network.pasta_started import Connect, children, connecting, wait_until


@contextmanager
def publishing() -> Iterator[None]:
    """With an old pasta no port can be published, and the error says so."""
    if start.publishes(str(start.find())):
        yield
        return
    with pytest.raises(NotSupported, match="ports cannot be published: this pasta is older than August 2024"):
        yield


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    with connecting(tmp_path) as made:
        yield made


def test_published_ports_are_served(namespace: Namespace, connect: Connect) -> None:
    with publishing():
        data = connect(namespace, ports=["127.0.0.1:5320:80", "127.0.0.1:0:80", "127.0.0.1:5321:53/udp"])
        published = ports.from_data(data["ports"])
        assert ask(5320, b"over tcp") == b"OVER TCP"
        assert published[1].host_port > 1023
        assert ask(published[1].host_port, b"a free one") == b"A FREE ONE"
        assert ask_udp(5321, b"over udp") == b"OVER UDP"
        assert not bind_problem(PortMapping("127.0.0.1", 5320, 80, "udp")), "nobody has asked for the UDP port of that number"
        assert not bind_problem(PortMapping("127.0.0.1", 5321, 53, "tcp"))


def test_a_port_is_served_on_the_hosts_address(namespace: Namespace, connect: Connect) -> None:
    address = hosts.host_address()
    need(address, "this host has no address but loopback")
    with publishing():
        connect(namespace, ports=["5320:80", "5320:53/udp"])
        assert ask(5320, b"over tcp", address=str(address)) == b"OVER TCP"
        assert ask_udp(5320, b"over udp", address=str(address)) == b"OVER UDP"


def test_the_network_is_up_on_return(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace, words=("-m", "1500"))
    code = (
        "import fcntl, socket, struct; s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('10.0.2.2', 9));"
        "mtu = fcntl.ioctl(s, 0x8921, struct.pack('16s16x', b'tap0'));"  # SIOCGIFMTU
        "print(s.getsockname()[0], struct.unpack_from('i', mtu, 16)[0])"
    )
    assert namespace.python(code) == f"{data['address']} {data['mtu']}" == "10.0.2.100 1500"


def test_the_hosts_services_are_reached_by_its_own_address(namespace: Namespace, connect: Connect) -> None:
    """pasta, left alone, gives a container the host's address: its services could not be reached then."""
    address = hosts.host_address()
    need(address, "this host has no address but loopback")
    connect(namespace)
    with socket.create_server((str(address), 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; print(socket.create_connection(('{address}', {port}), timeout=20) and 'reached')"
        assert namespace.python(code) == "reached"


def test_ipv6_where_the_host_has_it(namespace: Namespace, connect: Connect) -> None:
    routed = start.host_has_ipv6()
    connect(namespace)
    code = (
        "import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "try: s.connect(('2001:db8::1', 9)); print(s.getsockname()[0])\nexcept OSError as e: print(e.strerror)"
    )
    assert namespace.python(code) == (pasta_options.CONTAINER6 if routed else "Network is unreachable")


@pytest.mark.parametrize("words", [(), ("--map-gw",)])
def test_the_hosts_loopback_is_out_of_reach_unless_asked(
    namespace: Namespace, connect: Connect, words: tuple[str, ...]
) -> None:
    connect(namespace, words=words)
    with socket.create_server(("127.0.0.1", 5323)) as server:
        # Whoever has that address in the host's network may answer.
        namespace.python(
            "import socket\ntry: socket.create_connection(('10.0.2.2', 5323), timeout=5)\nexcept OSError: pass"
        )
        assert select.select([server], [], [], 0)[0] == ([server] if words else [])


# A host of its own: its resolv.conf names a resolver on its loopback, which answers 192.0.2.53.
STUB_HOST = """
import os, socket, subprocess, sys, threading
from rootless.linux.interface import loopback_up
from rootless.network.uplink import driver
from rootless.network.uplink.connection import Connection
from tests.network.conftest import Namespace
loopback_up()
with open(sys.argv[1] + "/resolv.conf", "w") as file:
    file.write("nameserver 127.0.0.1\\n")
subprocess.run(["mount", "--bind", sys.argv[1] + "/resolv.conf", "/etc/resolv.conf"], check=True)
for words in ("link add eth9 type veth peer name eth8", "link set eth9 up", "link set eth8 up", "addr add 192.0.2.9/24 dev eth9",
              "route add default via 192.0.2.1"):
    subprocess.run(["ip", *words.split()], check=True)
resolver = socket.socket(type=socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
def answer():
    query, where = resolver.recvfrom(512)
    record = b"\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x3c\\0\\x04" + bytes([192, 0, 2, 53])
    resolver.sendto(query[:2] + b"\\x81\\x80\\0\\x01\\0\\x01\\0\\0\\0\\0" + query[12:] + record, where)
threading.Thread(target=answer, daemon=True).start()
inside = Namespace()
user, network = (os.open(f"/proc/{inside.pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net"))
try:
  data = driver.configure("pasta", []).connect(1, (user, network), Connection(sys.argv[1]))
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
    """In a user namespace of ours as in a session."""
    done = subprocess.run(
        ["unshare", "-Urmn", sys.executable, "-P", "-c", STUB_HOST, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )  # fmt: skip
    assert done.stdout == "192.0.2.53\n", done.stderr


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_taken_port_is_a_conflict(namespace: Namespace, connect: Connect, protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    before = descriptors()
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 5325))
        if protocol == "tcp":
            taken.listen()
        with pytest.raises(Conflict) as caught:
            connect(namespace, ports=[f"5325:80/{protocol}"], name="web", port_holder=lambda _: "shop")
    assert caught.value.message == (
        "driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:5325 failed: port is already allocated"
    )
    assert caught.value.hint == "container shop has it: stop that one, or choose another host port"
    assert descriptors() == before, "descriptors leaked"


def test_a_range_of_host_ports_gives_a_free_one(namespace: Namespace, connect: Connect) -> None:
    with publishing():
        with socket.create_server(("127.0.0.1", 5326)):
            data = connect(namespace, ports=["5326-5328:80"])
        assert ports.describe(ports.from_data(data["ports"])) == "0.0.0.0:5327->80/tcp"
        assert ask(5327, b"x") == b"X"


def test_more_ports_than_a_command_line_has_room_for(namespace: Namespace, connect: Connect) -> None:
    with pytest.raises(NotSupported, match="1001 ports cannot be published"):
        connect(namespace, ports=["20000-21000:1000-2000"])


def test_a_killed_tether_takes_pasta_along(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace)
    (below,) = children(data["pid"])
    pidfd = os.pidfd_open(below)
    os.kill(data["pid"], signal.SIGKILL)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(60_000), "pasta outlived its tether"
    os.close(pidfd)
    wait_until(lambda: driver.has_ended(data))


def test_a_killed_pasta_is_seen(namespace: Namespace, connect: Connect) -> None:
    data = connect(namespace)
    assert not driver.has_ended(data)
    os.kill(children(data["pid"])[0], signal.SIGKILL)
    wait_until(lambda: driver.has_ended(data))


def test_a_batch_system_tells_every_process_to_end(namespace: Namespace, connect: Connect) -> None:
    """The container, which ends in its own time, has its network until then."""
    data = connect(namespace)
    both = [data["pid"], *children(data["pid"])]
    ends = [os.pidfd_open(pid) for pid in both]
    processes.signal_as_of_a_job(*both)
    assert select.select(ends, [], [], 1) == ([], [], [])
    for fd in ends:
        os.close(fd)
    with publishing():
        data = connect(namespace, ports=["127.0.0.1:5330:80"])
        processes.signal_as_of_a_job(data["pid"], *children(data["pid"]))
        assert ask(5330, b"x") == b"X"


def test_descriptors_of_the_caller_do_not_reach_it(namespace: Namespace, connect: Connect) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    data = connect(namespace)
    os.close(writing)
    assert os.read(reading, 1) == b"", "pasta holds the caller's pipe open"
    os.close(reading)
    assert not driver.has_ended(data)
