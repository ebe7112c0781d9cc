"""The resolver of a container against the container: malformed messages, connections that dawdle, clients that do not read.

dnspython is the oracle of what a message says. CVE-2024-8418 (an idle TCP connection held aardvark-dns up) and
CVE-2026-35406 (a malformed TCP message made it spin) are here.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootless.network.hub import netd
from tests.harness.trees import remove_tree
from tests.native.monitored import cpu_ticks
from tests.need import need, need_program
from tests.network.dns_upstream import Upstream
from tests.network.hub_world import Container, World, eventually, in_world, inside
from tests.network.test_resolver import ASKER, RESOLVER, found

need_program("ip")
HELPERS = Path(__file__).resolve().parents[2] / "helpers"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

KINDS = st.sampled_from(["A", "AAAA", "PTR", "MX", "ANY", "TXT"])
NAMES = st.lists(st.text("abc.XY-_0\\032\x7f", min_size=1, max_size=9), max_size=6).map(".".join)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Noise, or a question with some bytes changed, cut off or added."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=600))
    try:
        query = dns.message.make_query(draw(NAMES), draw(KINDS), use_edns=draw(st.sampled_from([-1, 0])))
    except dns.exception.DNSException:
        query = dns.message.make_query("a", "A")
    made = bytearray(query.to_wire())
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(made) - 1))
        made[at] = draw(st.sampled_from([0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF, made[at] ^ 1]))
    return bytes(made[: draw(st.integers(0, len(made)))] if draw(st.booleans()) else made) + draw(st.binary(max_size=3))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("dns")
    program = directory / "dns_messages"
    sources = [Path(__file__).with_name("dns_messages.c"), HELPERS / "netd/dns.c", HELPERS / "netd/address.c"]
    command = [need_program("cc"), "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", *SANITIZERS, f"-I{HELPERS}"]
    done = subprocess.run([*command, *sources, "-o", program], capture_output=True, text=True, timeout=100, check=False)
    need("sanitize" not in done.stderr and "lasan" not in done.stderr, "cc has no address sanitizer")
    assert done.returncode == 0, done.stderr
    yield program
    remove_tree(directory)


def read_by(reader: Path, given_messages: list[bytes]) -> list[list[str]]:
    stream = b"".join(len(each).to_bytes(2, "big") + each for each in given_messages)
    done = subprocess.run([reader], input=stream, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [line.split(" ", 3) for line in done.stdout.decode("latin-1").splitlines()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(messages(), min_size=1, max_size=60))
def test_messages_are_read_as_dnspython_reads_them(reader: Path, given_messages: list[bytes]) -> None:
    """No byte beyond a message is touched, and where both take it for a question, it is the same one."""
    for message, line in zip(given_messages, read_by(reader, given_messages), strict=True):
        try:
            parsed = dns.message.from_wire(message, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError):
            continue
        if line[0] != "0" or not parsed.question:
            continue
        assert int(line[1]) == parsed.question[0].rdtype
        if line[2] == "plain":
            labels = parsed.question[0].name.labels[:-1]
            assert line[3].encode("latin-1") == b".".join(labels).lower()


def connection(asker: Container) -> socket.socket:
    with inside(asker.network):
        return socket.create_connection((RESOLVER, 53), timeout=60)


def test_noise_over_udp_and_tcp_changes_nothing() -> None:
    def test(world: World) -> None:
        noise = random.Random(4711)
        asker, other = world.container(ASKER, internal=True), world.container(ASKER._replace(address4="172.18.0.8"))
        pid = world.pid()
        good = dns.message.make_query("asker", "A").to_wire()
        with inside(asker.network), socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect((RESOLVER, 53))
            for number in range(5000):
                message = bytearray(good if number % 2 else noise.randbytes(noise.randrange(0, 200)))
                for _ in range(noise.randrange(0, 4)):
                    if message:
                        message[noise.randrange(len(message))] = noise.randrange(256)
                client.send(message)
        for _ in range(200):
            with connection(asker) as stream:
                stream.sendall(noise.randbytes(noise.randrange(1, 3000)))
        assert sorted(found(asker, "asker")) == ["172.18.0.8", "172.18.0.9"]
        assert sorted(found(other, "asker")) == ["172.18.0.8", "172.18.0.9"]
        assert world.pid() == pid

    in_world(test)


@pytest.mark.parametrize("message", [b"\0\0", b"\0\x01x", b"\0\x0b" + b"x" * 11, b"\xff\xff", b"\x04\xd1"])
def test_a_length_that_no_question_has_ends_the_connection(message: bytes) -> None:
    """CVE-2026-35406: and takes no time of the processor."""

    def test(world: World) -> None:
        asker = world.container(ASKER)
        before = cpu_ticks(world.pid())
        with connection(asker) as stream:
            stream.sendall(message)
            try:
                assert stream.recv(100) == b""
            except ConnectionResetError:
                pass
        assert found(asker, "asker", tcp=True) == ["172.18.0.9"]
        assert cpu_ticks(world.pid()) - before < 20

    in_world(test)


@pytest.mark.parametrize("start", [b"", b"\0", b"\0\x20", b"\0\x20half of a message"])
@pytest.mark.parametrize("half_closed", [False, True])
def test_connections_that_dawdle_hold_nobody_up(start: bytes, half_closed: bool) -> None:
    """CVE-2024-8418: not the container's own other clients, and no other container. They cost no processor time."""

    def test(world: World) -> None:
        asker, other = world.container(ASKER), world.container(ASKER._replace(address4="172.18.0.8"))
        dawdling = []
        for _ in range(20):
            dawdling.append(connection(asker))
            dawdling[-1].sendall(start)
            if half_closed:
                dawdling[-1].shutdown(socket.SHUT_WR)
        before = cpu_ticks(world.pid())
        for container in (asker, other):
            for tcp in (False, True):
                assert sorted(found(container, "asker", tcp=tcp)) == ["172.18.0.8", "172.18.0.9"]
        time.sleep(0.5)
        assert cpu_ticks(world.pid()) - before < 20
        assert len(os.listdir(f"/proc/{world.pid()}/fd")) < 30
        for each in dawdling:
            try:
                assert each.recv(10) == b""
            except ConnectionResetError:
                pass

    in_world(test)


def test_answers_get_no_answer() -> None:
    """Two resolvers would else talk to each other for ever, from one forged datagram on."""

    def test(world: World) -> None:
        asker = world.container(ASKER)
        answer = dns.message.make_response(dns.message.make_query("asker", "A"))
        with inside(asker.network), socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect((RESOLVER, 53))
            client.send(answer.to_wire())
            good = dns.message.make_query("asker", "A")
            client.send(good.to_wire())
            assert good.is_response(dns.message.from_wire(client.recv(512)))

    in_world(test)


def questions_under_way(world: World) -> int:
    """Of all containers."""
    return sum(int(line.split()[4]) for line in netd.ask(world.netd, "list"))


def test_hostile_servers() -> None:
    """Answers of noise, cut off, of a wrong length over TCP: the client has SERVFAIL, and netd goes on."""

    def test(world: World) -> None:
        noise = random.Random(4711)

        def spoil(query: dns.message.Message, _: int) -> bytes:
            good = bytearray(dns.message.make_response(query).to_wire())
            for _ in range(noise.randrange(1, 5)):
                good[noise.randrange(2, len(good))] = noise.randrange(256)
            return bytes(good[: noise.randrange(len(good))] if noise.random() < 0.5 else good + noise.randbytes(50))

        Upstream(spoil)
        world.resolv_conf.write_text("nameserver 127.0.0.53\n")
        asker = world.container(ASKER)
        pid = world.pid()
        wires = [dns.message.make_query(f"n{number}.example", "A").to_wire() for number in range(120)]
        with inside(asker.network), socket.socket(type=socket.SOCK_DGRAM) as client:
            for wire in wires:
                client.sendto(wire, (RESOLVER, 53))
        with connection(asker) as stream:
            for wire in wires:
                stream.sendall(len(wire).to_bytes(2, "big") + wire)
        assert found(asker, "asker") == ["172.18.0.9"]
        assert eventually(lambda: questions_under_way(world) == 0)
        assert world.pid() == pid

    in_world(test)
