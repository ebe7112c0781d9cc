"""Names that are no container's: what is asked of whom, from where, and what a client gets."""

from __future__ import annotations

import itertools
import os
import socket
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from rootless.linux import landlock
from tests.need import need, need_program
from tests.network.dns_upstream import Handler, Upstream, answer
from tests.network.hub_world import World, eventually, in_world, inside
from tests.network.test_resolver import ASKER, RESOLVER, addresses, ask, found

need_program("ip")


def fixed(*records: str) -> Handler:
    return lambda query, _: answer(query, *records)


def server(world: World, *addresses: str) -> None:
    world.resolv_conf.write_text("".join(f"nameserver {each}\n" for each in addresses))


@pytest.mark.parametrize("tcp", [False, True])
def test_the_hosts_servers_are_asked_from_the_host(tcp: bool) -> None:
    def test(world: World) -> None:
        Upstream(fixed("A 192.0.2.1"))
        server(world, "127.0.0.53")
        asker = world.container(ASKER)
        assert found(asker, "example.com", tcp=tcp) == ["192.0.2.1"]
        assert found(asker, "unqualified", tcp=tcp) == ["192.0.2.1"]
        assert found(asker, "9.9.9.10.in-addr.arpa", "A", tcp=tcp) == ["192.0.2.1"]

    in_world(test)


def test_an_unqualified_name_stays_here_where_the_user_set_ndots() -> None:
    def test(world: World) -> None:
        Upstream(fixed("A 192.0.2.1"))
        server(world, "127.0.0.53")
        asker = world.container(ASKER, ndots=True)
        assert ask(asker, "unqualified").rcode() == dns.rcode.NXDOMAIN
        assert found(asker, "un.qualified") == ["192.0.2.1"]

    in_world(test)


@pytest.mark.parametrize("tcp", [False, True])
def test_internal_networks_ask_nobody(tcp: bool) -> None:
    def test(world: World) -> None:
        Upstream(fixed("A 192.0.2.1"))
        server(world, "127.0.0.53")
        asker = world.container(ASKER, internal=True)
        for name, kind in (("example.com", "A"), (".", "NS"), ("a\\.b.com", "A"), ("example.com", "TXT")):
            assert ask(asker, name, kind, tcp=tcp).rcode() == dns.rcode.NXDOMAIN

    in_world(test)


def test_the_users_servers_are_asked_from_the_hub() -> None:
    def test(world: World) -> None:
        server(world, "127.0.0.53")
        with inside(world.hub):
            Upstream(fixed("A 192.0.2.7"), "127.0.0.7")
        asker = world.container(ASKER, servers=("127.0.0.7",))
        assert found(asker, "example.com") == found(asker, "example.com", tcp=True) == ["192.0.2.7"]

    in_world(test)


def test_ids_and_ports_are_random_and_the_question_is_the_same() -> None:
    def test(world: World) -> None:
        Upstream(lambda query, port: answer(query, f'TXT "{query.id} {port}"'))
        server(world, "127.0.0.53")
        asker = world.container(ASKER)
        seen = [found(asker, "example.com", "TXT")[0].strip('"').split() for _ in range(40)]
        ids, ports = ([int(each[index]) for each in seen] for index in (0, 1))
        assert len(set(ids)) > 35
        assert len(set(ports)) > 30
        assert sum(abs(one - other) < 10 for one, other in itertools.pairwise(ids)) < 5

    in_world(test)


def test_an_answer_to_another_question_is_none() -> None:
    """A forged one, and one with another id, do not end the wait for the right one."""

    def test(world: World) -> None:
        def forge(query: dns.message.Message, port: int) -> list[bytes]:
            with socket.socket(type=socket.SOCK_DGRAM) as forger:  # another server's address
                forger.bind(("127.0.0.54", 53))
                forger.sendto(answer(query, "A 203.0.113.1"), ("127.0.0.1", port))
            other = dns.message.make_query("example.org", "A", id=query.id)
            kind = dns.message.make_query("example.com", "MX", id=query.id)
            wrong = dns.message.make_query("example.com", "A", id=query.id ^ 1)
            forged = [answer(each, "A 203.0.113.2") for each in (other, kind, wrong)]
            return [*forged, query.to_wire(), b"x", b"", answer(query, "A 192.0.2.1")]

        Upstream(forge)
        server(world, "127.0.0.53")
        asker = world.container(ASKER)
        assert found(asker, "example.com") == ["192.0.2.1"]

    in_world(test)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_the_next_server_is_asked_after_a_refusal_or_a_failure(code: dns.rcode.Rcode, tcp: bool) -> None:
    def test(world: World) -> None:
        def refuse(query: dns.message.Message, _: int) -> bytes:
            made = dns.message.make_response(query)
            made.set_rcode(code)
            return made.to_wire()

        Upstream(refuse, "127.0.0.51")
        Upstream(fixed("A 192.0.2.3"), "127.0.0.53")
        server(world, "127.0.0.51", "127.0.0.52", "127.0.0.53", "127.0.0.54")
        asker = world.container(ASKER)
        assert found(asker, "example.com", tcp=tcp) == ["192.0.2.3"]
        server(world, "127.0.0.51", "127.0.0.52")
        assert ask(asker, "example.com", tcp=tcp).rcode() == dns.rcode.SERVFAIL

    in_world(test)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_silent_server_is_given_up(tcp: bool) -> None:
    """With no other, it is asked twice; the client has its answer before glibc's five seconds are over."""

    def test(world: World) -> None:
        Upstream(lambda *_: None, "127.0.0.51")
        server(world, "127.0.0.51")
        asker = world.container(ASKER)
        began = time.clock_gettime(time.CLOCK_BOOTTIME)
        assert ask(asker, "example.com", tcp=tcp).rcode() == dns.rcode.SERVFAIL
        assert time.clock_gettime(time.CLOCK_BOOTTIME) >= began
        Upstream(fixed("A 192.0.2.3"), "127.0.0.53")
        server(world, "127.0.0.51", "127.0.0.53")
        assert found(asker, "example.com", tcp=tcp) == ["192.0.2.3"]

    in_world(test)


def test_no_such_name_and_large_answers_pass_unchanged() -> None:
    def test(world: World) -> None:
        def handle(query: dns.message.Message, _: int) -> bytes:
            if query.question[0].name.to_text() == "none.example.":
                made = dns.message.make_response(query)
                made.set_rcode(dns.rcode.NXDOMAIN)
                return made.to_wire()
            return answer(query, *(f"A 192.0.2.{number}" for number in range(250)))

        Upstream(handle)
        server(world, "127.0.0.53")
        asker = world.container(ASKER)
        assert ask(asker, "none.example").rcode() == dns.rcode.NXDOMAIN
        for payload, whole in ((0, False), (1232, False), (8000, True)):
            message = ask(asker, "many.example", payload=payload)
            assert bool(message.flags & dns.flags.TC) != whole
            assert len(addresses(message)) == (250 if whole else 0)
        assert len(addresses(ask(asker, "many.example", tcp=True))) == 250

    in_world(test)


def test_an_answer_of_64_kilobytes_over_tcp() -> None:
    def test(world: World) -> None:
        Upstream(lambda query, _: answer(query, *(f'TXT "{number:0250d}"' for number in range(245))))
        server(world, "127.0.0.53")
        asker = world.container(ASKER)
        for _ in range(5):
            assert len(found(asker, "large.example", "TXT", tcp=True)) == 245

    in_world(test)


def test_changes_of_resolv_conf_are_seen() -> None:
    """Written in place, renamed over, and by way of a link that leads elsewhere."""

    def test(world: World) -> None:
        for number in range(1, 6):
            Upstream(fixed(f"A 192.0.2.{number}"), f"127.0.0.5{number}")
        asker = world.container(ASKER)
        path = world.resolv_conf
        path.write_text("nameserver 127.0.0.51\n")
        assert found(asker, "example.com") == ["192.0.2.1"]
        path.write_text("nameserver 127.0.0.52\n")
        assert found(asker, "example.com") == ["192.0.2.2"]
        new = path.with_name("new")
        new.write_text("nameserver 127.0.0.53\n")
        os.rename(new, path)
        assert found(asker, "example.com") == ["192.0.2.3"]
        for number in (4, 5):
            path.with_name(f"target{number}").write_text(f"nameserver 127.0.0.5{number}\n")
            os.symlink(f"target{number}", new)
            os.rename(new, path)
            assert found(asker, "example.com") == [f"192.0.2.{number}"]
        path.unlink()
        assert found(asker, "example.com") == ["192.0.2.5"]

    in_world(test)


def test_no_file_is_read_but_where_resolv_conf_may_be(tmp_path: Path) -> None:
    """What it is a link to when netd starts, and later only what lies there, in /etc or in /run: Landlock."""
    need(landlock.abi_version() >= 1, "this kernel has no Landlock")
    for name, number in (("first", 1), ("second", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "resolv.conf").write_text(f"nameserver 127.0.0.5{number}\n")

    def test(world: World) -> None:
        for number in (1, 2):
            Upstream(fixed(f"A 192.0.2.{number}"), f"127.0.0.5{number}")
        new = world.resolv_conf.with_name("new")
        new.symlink_to(tmp_path / "first/resolv.conf")
        os.rename(new, world.resolv_conf)
        asker = world.container(ASKER)
        assert found(asker, "example.com") == ["192.0.2.1"]
        new.symlink_to(tmp_path / "second/resolv.conf")
        os.rename(new, world.resolv_conf)
        assert found(asker, "example.com") == ["192.0.2.1"]

    in_world(test)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver fe80::1%nolink\nnameserver 127.0.0.53\n", "192.0.2.1"),
        ("options edns0 trust-ad what\nsearch a b\n; comment\n# nameserver 127.0.0.51\nnameserver\t127.0.0.53 # it", "192.0.2.1"),
        ("nameserver \nnameserver x\nnameserver 999.1.1.1\nnameserver 127.0.0.53\n", "192.0.2.1"),
        ("nameservers 127.0.0.9\n\0\nnameserver 127.0.0.53\r\n", "192.0.2.1"),
        ("", "192.0.2.9"),
        ("nameserver ::1\n", "192.0.2.6"),
    ],
)
def test_odd_lines_of_resolv_conf(text: str, expected: str) -> None:
    def test(world: World) -> None:
        Upstream(fixed("A 192.0.2.1"))
        Upstream(fixed("A 192.0.2.9"), "127.0.0.1")
        Upstream(fixed("A 192.0.2.6"), "::1")
        world.resolv_conf.write_text(text)
        asker = world.container(ASKER)
        assert found(asker, "example.com") == [expected]

    in_world(test)


def test_questions_in_flight_have_a_limit_and_do_not_delay_others() -> None:
    def test(world: World) -> None:
        Upstream(lambda *_: None)
        server(world, "127.0.0.53")
        asker, other = world.container(ASKER), world.container(ASKER._replace(address4="172.18.0.8"))
        with inside(asker.network), socket.socket(type=socket.SOCK_DGRAM) as client:
            client.connect((RESOLVER, 53))
            for number in range(300):
                client.send(dns.message.make_query(f"n{number}.example", "A").to_wire())
            refused = dns.message.from_wire(client.recv(512))
            assert refused.rcode() == dns.rcode.SERVFAIL
        assert found(other, "asker", "A")
        assert found(asker, "asker", "A")

    in_world(test)


def test_a_container_that_ends_takes_its_questions_along() -> None:
    def test(world: World) -> None:
        Upstream(lambda *_: None)
        server(world, "127.0.0.53")
        other = world.container(ASKER._replace(address4="172.18.0.8"))
        asker = world.container(ASKER)
        with inside(asker.network), socket.create_connection((RESOLVER, 53), timeout=60) as stream:
            wire = dns.message.make_query("example.com", "A").to_wire()
            stream.sendall(len(wire).to_bytes(2, "big") + wire)
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(wire, (RESOLVER, 53))
            asker.end()
            assert stream.recv(10) == b""
        assert eventually(lambda: world.listed() == [other.id])
        assert found(other, "asker", "A")

    in_world(test)
