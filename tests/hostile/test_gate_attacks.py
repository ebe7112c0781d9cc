"""A container against the gate: packets made by hand, floods, and the ways to write the host's own loopback."""

from __future__ import annotations

import errno
import os
import select
import socket
from pathlib import Path
from random import Random

import pytest

from tests.hostile.packets import Device, Wire, ip, tcp
from tests.need import need_program
from tests.network.hub_world import eventually
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import CONTAINERS, HOST, OUTSIDE

need_program("ip")
need_program("tc")
PORT = 7777
ONE, TWO = CONTAINERS["one"], CONTAINERS["two"]


def own(address: str) -> str:
    return ONE[":" in address]


def is_connected(internet: Internet, listeners: list[socket.socket]) -> bool:
    """Whether one of them has a connection, after all that was sent before has been looked at."""
    for connection in internet.through_gate(who="two"):
        connection.close()
    return bool(select.select(listeners, [], [], 0)[0])


def on_host(internet: Internet) -> list[socket.socket]:
    return [internet.listen("host", address, PORT) for address in ("0.0.0.0", "::")]


@pytest.mark.parametrize("address", HOST)
def test_a_packet_made_by_hand_is_a_connection(address: str) -> None:
    """What the tests below would see if the gate let them through."""

    def test(internet: Internet) -> None:
        internet.set_up()
        listeners = on_host(internet)
        Wire(internet, "one").send(ip(own(address), address, tcp(own(address), address, 4000, PORT)))
        assert is_connected(internet, listeners)

    in_internet(test)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "10.255.255.254", "203.0.113.200", "198.18.0.9", "224.0.0.1",
        "255.255.255.255", "203.0.113.255", "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:203.0.113.1",
        "fe80::77", "fec0::1", "2001:db8:aaaa::1", "ff02::1",
    ],
)  # fmt: skip
def test_the_hosts_loopback_is_reached_by_no_address(address: str) -> None:
    """As others are: 10.255.255.254 is the host's loopback device's (WSL has such a one), as is 2001:db8:aaaa::1;
    203.0.113.200 and 198.18.0.9 lead there by routes."""

    def test(internet: Internet) -> None:
        internet.ip("host", "addr add 10.255.255.254/32 dev lo\naddr add fe80::77/64 dev lo nodad\n")
        internet.ip("host", "addr add 2001:db8:aaaa::1/128 dev lo nodad\naddr add fec0::1/64 dev lo nodad\n")
        internet.ip("host", "route add local 203.0.113.200/32 dev lo\nroute add 198.18.0.0/24 dev lo\n")
        internet.set_up()
        listeners = on_host(internet)
        Wire(internet, "one").send(ip(own(address), address, tcp(own(address), address, 4000, PORT)))
        assert not is_connected(internet, listeners)

    in_internet(test)


def test_a_service_of_the_hosts_loopback_alone_is_not_at_its_other_addresses() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        internet.listen("host", "127.0.0.1", PORT)
        internet.listen("host", "::1", PORT)
        for address in HOST:
            with pytest.raises(ConnectionRefusedError):
                internet.connect("one", address, PORT)

    in_internet(test)


STRANGE = {
    "options": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), options=b"\x01" * 4),
    "loose source route": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), options=b"\x83\x07\x04\xcb\x00\x71\x01\x00"),
    "first fragment": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), fragment=0x2000),
    "later fragment": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), fragment=3),
    "extension header": ip(ONE[1], HOST[1], tcp(ONE[1], HOST[1], 4000, PORT), options=b"\x06\x00\x01\x04\x00\x00\x00\x00"),
    "says too long": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), size=60000),
    "says too short": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), size=30),
    "says nothing": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT), size=0),
    "says too long, IPv6": ip(ONE[1], HOST[1], tcp(ONE[1], HOST[1], 4000, PORT), size=60000),
    "says too short, IPv6": ip(ONE[1], HOST[1], tcp(ONE[1], HOST[1], 4000, PORT), size=3),
    "header too long": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT, words=15)),
    "header too short": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT, words=4)),
    "cut off": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT)[:14], size=40),
    "with FIN": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT, flags=3)),
    "with RST": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, PORT, flags=6)),
    "to port 0": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 4000, 0)),
    "from port 0": ip(ONE[0], HOST[0], tcp(ONE[0], HOST[0], 0, PORT)),
    "from nobody": ip("172.30.1.99", HOST[0], tcp("172.30.1.99", HOST[0], 4000, PORT)),
    "from another network": ip("10.1.1.1", HOST[0], tcp("10.1.1.1", HOST[0], 4000, PORT)),
}  # fmt: skip


@pytest.mark.parametrize("way", ["wire", "device"])
@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_plain_syn_of_a_container_is_no_connection(kind: str, way: str) -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        listeners = on_host(internet)
        sender = Wire(internet, "one") if way == "wire" else Device(internet)
        for _ in range(100):
            sender.send(STRANGE[kind])
        assert not is_connected(internet, listeners)
        assert internet.flows()["one"] == 0

    in_internet(test)


def test_packets_of_any_bytes_do_no_harm() -> None:
    """Whole and cut off, with bytes of a SYN changed."""

    def test(internet: Internet) -> None:
        internet.set_up()
        pid = internet.netd_pid()
        device = Device(internet)
        random = Random(20261129)
        for _ in range(20000):
            address = random.choice((*HOST, *OUTSIDE))
            packet = bytearray(
                ip(
                    own(address),
                    address,
                    tcp(own(address), address, 4000, PORT, data=random.randbytes(random.randrange(60))),
                )
            )
            for _ in range(random.randrange(4)):
                packet[random.randrange(len(packet))] = random.randrange(256)
            device.send(bytes(packet[: random.randrange(1, len(packet) + 1)]))
        client, served = internet.through_gate(who="two")
        client.sendall(b"x")
        assert received(served, 1) == b"x"
        assert internet.netd_pid() == pid

    in_internet(test)


def test_a_syn_that_comes_round_the_gate_is_reset_even_at_a_port_that_is_listened_at() -> None:
    """With options of IP it is routed to the hub's own stack, where the gate's socket for that port accepts it."""

    def test(internet: Internet) -> None:
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[0])
        where = server.getsockname()
        first = internet.connect("one", *where)  # the gate listens at this port now
        served, _ = server.accept()
        client = internet.make_socket("two")
        client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01" * 4)
        client.setblocking(False)
        client.connect_ex((HOST[0], where[1]))
        client.settimeout(20)
        with pytest.raises((ConnectionResetError, ConnectionRefusedError)):
            client.recv(1)
        first.sendall(b"x")
        assert received(served, 1) == b"x"

    in_internet(test)


def test_a_syn_in_another_containers_name_gives_it_nothing() -> None:
    """The other one answers what it never asked for with a reset, and its own connections go on."""

    def test(internet: Internet) -> None:
        internet.set_up()
        pair = internet.through_gate(who="two")
        listeners = on_host(internet)
        wire = Wire(internet, "one")
        for port in range(4000, 4050):
            wire.send(ip(TWO[0], HOST[0], tcp(TWO[0], HOST[0], port, PORT)))
        is_connected(internet, listeners)
        assert internet.flows()["one"] == 0
        assert eventually(lambda: internet.flows()["two"] <= 2)
        pair[0].sendall(b"x")
        assert received(pair[1], 1) == b"x"

    in_internet(test)


def cpu_ticks(pid: int) -> int:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


def test_a_flood_of_syns_is_bounded_and_others_connect() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        wire = Wire(internet, "one")
        syns = [
            ip(ONE[0], f"198.51.100.{port % 200}", tcp(ONE[0], f"198.51.100.{port % 200}", port, 80))
            for port in range(1024, 9000)
        ]
        for syn in syns:
            wire.send(syn)
        flooding = os.fork()
        if flooding == 0:
            while True:
                for syn in syns:
                    wire.send(syn)
        internet.pids.append(flooding)
        for _ in range(5):
            client, served = internet.through_gate(who="two")
            client.sendall(b"x")
            assert received(served, 1) == b"x"
        assert 0 < internet.flows()["one"] <= 1024

    in_internet(test, timeout_s=60)


def test_a_container_that_wants_all_flows_has_its_share_and_others_are_served() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[0])
        clients = []
        for _ in range(6000):
            client = internet.make_socket("one")
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            clients.append(client)
        ready = select.poll()
        ready.register(server, select.POLLIN)
        accepted = []
        while ready.poll(1500):
            accepted.append(server.accept())
        assert 500 < internet.flows()["one"] <= 4096
        client, served = internet.through_gate(who="two")
        client.sendall(b"x")
        assert received(served, 1) == b"x"
        before = cpu_ticks(internet.netd_pid())
        select.select([], [], [], 1)
        assert cpu_ticks(internet.netd_pid()) - before < 50

    in_internet(test, timeout_s=60)


def test_an_error_for_one_is_none_for_another() -> None:
    def test(internet: Internet) -> None:
        internet.set_up()
        with pytest.raises(OSError) as raised:
            internet.connect("one", "192.0.2.1", 80)
        assert raised.value.errno == errno.EHOSTUNREACH
        pair = internet.through_gate()
        pair[0].sendall(b"x")
        assert received(pair[1], 1) == b"x"

    in_internet(test)
