"""The resolver of a container: names of its networks. dnspython asks and reads; it shares no code with ours."""

from __future__ import annotations

import socket
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from rootless.network.hub.settings import OnNetwork, set_container
from tests.need import need_program
from tests.network.hub_world import Container, World, in_world, inside

need_program("ip")

RESOLVER = "127.0.0.11"
WEB = OnNetwork("app", "172.18.0.2", "fd00:18::2", ("web", "www", "0123456789ab"))
DB = OnNetwork("app", "172.18.0.3", "", ("db", "data.base"))
ASKER = OnNetwork("app", "172.18.0.9", "", ("asker",))


def ask(
    container: Container, name: str, kind: str = "A", *, tcp: bool = False, payload: int = 0
) -> dns.message.Message:
    query = dns.message.make_query(name, kind, payload=payload or None, use_edns=0 if payload else -1)
    with inside(container.network):
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, RESOLVER, timeout=60)


def addresses(message: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in message.answer for record in rrset]


def found(container: Container, name: str, kind: str = "A", *, tcp: bool = False) -> list[str]:
    message = ask(container, name, kind, tcp=tcp)
    assert message.rcode() == dns.rcode.NOERROR
    return addresses(message)


@pytest.mark.parametrize("tcp", [False, True])
def test_names_aliases_and_short_ids_have_addresses(tcp: bool) -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        world.container(WEB)
        world.container(DB)
        for name in ("web", "web.", "WEB", "wWw", "0123456789ab", "web.app", "Web.App."):
            assert found(asker, name, tcp=tcp) == ["172.18.0.2"], name
            assert found(asker, name, "AAAA", tcp=tcp) == ["fd00:18::2"], name
        assert found(asker, "data.base", tcp=tcp) == found(asker, "data.base.app", tcp=tcp) == ["172.18.0.3"]
        assert sorted(found(asker, "web", "ANY", tcp=tcp)) == ["172.18.0.2", "fd00:18::2"]
        assert found(asker, "asker", tcp=tcp) == ["172.18.0.9"]

    in_world(test)


@pytest.mark.parametrize("kind", ["MX", "SRV", "TXT", "HTTPS", "AAAA", "CNAME", "SOA"])
def test_a_known_name_has_nothing_of_another_type_and_is_no_error(kind: str) -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        world.container(DB)
        message = ask(asker, "db", kind)
        assert message.rcode() == dns.rcode.NOERROR
        assert message.answer == []
        assert message.flags & dns.flags.AA

    in_world(test)


def test_the_first_network_that_knows_a_name_answers_alone() -> None:
    def test(world: World) -> None:
        asker = world.container(
            OnNetwork("front", "172.18.0.9", "", ("asker",)), OnNetwork("back", "172.19.0.9", "", ("asker",))
        )
        world.container(OnNetwork("back", "172.19.0.2", "", ("web",)))
        world.container(OnNetwork("front", "172.18.0.2", "", ("web",)))
        world.container(OnNetwork("other", "172.20.0.2", "", ("web", "far")))
        assert found(asker, "web") == ["172.18.0.2"]
        assert found(asker, "web.back") == ["172.19.0.2"]
        set_container(
            world.netd,
            asker.settings(
                OnNetwork("back", "172.19.0.9", "", ()), OnNetwork("front", "172.18.0.9", "", ()), internal=True
            )._replace(resolver_udp=-1, resolver_tcp=-1),
        )
        assert found(asker, "web") == ["172.19.0.2"]
        for name in ("far", "web.other"):
            assert ask(asker, name).rcode() == dns.rcode.NXDOMAIN

    in_world(test)


def test_an_alias_of_several_has_all_addresses_in_turns() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        every = [f"172.18.1.{number}" for number in range(1, 6)]
        for address in every:
            world.container(OnNetwork("app", address, "", ("one-" + address[-1], "pool")))
        answers = [found(asker, "pool") for _ in range(10)]
        assert all(sorted(each) == every for each in answers)
        assert {each[0] for each in answers} == set(every)

    in_world(test)


def test_names_end_with_their_container() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER, internal=True)
        web = world.container(WEB)
        assert found(asker, "web") == ["172.18.0.2"]
        web.end()
        while world.listed() != [asker.id]:
            pass
        assert ask(asker, "web").rcode() == dns.rcode.NXDOMAIN

    in_world(test)


def test_addresses_have_names() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER, internal=True)
        world.container(WEB)
        world.container(OnNetwork("other", "172.20.0.2", "", ("far",)))
        assert found(asker, "2.0.18.172.in-addr.arpa", "PTR") == ["web.app."]
        reverse = ".".join(reversed("fd000018" + 23 * "0" + "2")) + ".ip6.arpa"
        assert found(asker, reverse, "PTR") == ["web.app."]
        for name in ("2.0.20.172.in-addr.arpa", "2.0.18.172.in-addr.arpa.", "x.in-addr.arpa", "999.0.18.172.in-addr.arpa"):
            code = dns.rcode.NOERROR if name.endswith("18.172.in-addr.arpa.") else dns.rcode.NXDOMAIN
            assert ask(asker, name, "PTR").rcode() == code, name

    in_world(test)


def test_a_link_is_an_alias_of_one_container() -> None:
    def test(world: World) -> None:
        linked = world.container(ASKER._replace(links=(("database", "db"), ("gone", "nobody"))), internal=True)
        other = world.container(ASKER._replace(address4="172.18.0.8"), internal=True)
        world.container(DB)
        assert found(linked, "database") == ["172.18.0.3"]
        assert ask(linked, "gone").rcode() == ask(other, "database").rcode() == dns.rcode.NXDOMAIN

    in_world(test)


def test_answers_too_large_for_udp_come_over_tcp() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        for number in range(200):
            world.container(OnNetwork("app", f"172.18.2.{number}", "", ("pool",)))
        for payload, least in ((0, 25), (600, 30), (4096, 70)):
            message = ask(asker, "pool", payload=payload)
            assert message.flags & dns.flags.TC
            assert least < len(addresses(message)) < 80, payload
        whole = ask(asker, "pool", tcp=True)
        assert not whole.flags & dns.flags.TC
        assert len(set(addresses(whole))) == 200

    in_world(test)


def test_edns_is_answered_with_edns() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        assert ask(asker, "asker", payload=4096).edns == 0
        assert ask(asker, "asker").edns == -1
        query = dns.message.make_query("asker", "A", use_edns=0)
        query.use_edns(edns=1)
        with inside(asker.network):
            message = dns.query.udp(query, RESOLVER, timeout=60)
        assert message.rcode() == dns.rcode.BADVERS
        assert message.edns == 0

    in_world(test)


def test_several_questions_on_one_connection() -> None:
    def test(world: World) -> None:
        asker = world.container(ASKER)
        world.container(DB)
        queries = [dns.message.make_query("db" if number % 2 else "asker", "A") for number in range(300)]
        stream = b"".join(len(wire := query.to_wire()).to_bytes(2, "big") + wire for query in queries)
        with inside(asker.network), socket.create_connection((RESOLVER, 53), timeout=60) as connection:
            connection.sendall(stream[:1001])
            connection.sendall(stream[1001:])
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answers:
                for query in queries:
                    message = dns.message.from_wire(answers.read(int.from_bytes(answers.read(2), "big")))
                    assert query.is_response(message)
                assert answers.read() == b""

    in_world(test)


def test_musls_and_busyboxs_own_resolver() -> None:
    busybox = need_program("busybox")

    def test(world: World) -> None:
        asker = world.container(ASKER)
        world.container(WEB)
        with inside(asker.network):
            done = subprocess.run([busybox, "nslookup", "web", RESOLVER], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "172.18.0.2" in done.stdout
        assert "fd00:18::2" in done.stdout

    in_world(test)


def test_containers_are_known_by_their_sockets() -> None:
    """What one container may ask, and on which networks, says its own socket and not an address."""

    def test(world: World) -> None:
        one = world.container(ASKER, internal=True)
        other = world.container(OnNetwork("other", "172.20.0.2", "", ("far",)), internal=True)
        assert found(other, "far") == ["172.20.0.2"]
        assert ask(one, "far").rcode() == ask(other, "asker").rcode() == dns.rcode.NXDOMAIN

    in_world(test)
