"""What a container's resolver costs at most, and leaves for others: memory, descriptors."""

from __future__ import annotations

import os
import resource
import socket
import time
from pathlib import Path

import dns.message

from rootless.network.hub.settings import Port
from tests.hostile.test_resolver import connection, questions_under_way
from tests.native.monitored import cpu_ticks, own_memory
from tests.need import need_program
from tests.network.dns_upstream import Upstream
from tests.network.hub_world import World, eventually, in_world, inside
from tests.network.test_resolver import ASKER, RESOLVER, ask, found

need_program("ip")


def test_a_client_that_asks_much_and_reads_nothing() -> None:
    def test(world: World) -> None:
        pool = [ASKER._replace(address4=f"172.18.1.{number}", names=("pool",)) for number in range(200)]
        containers = [world.container(each) for each in pool]
        query = dns.message.make_query("pool", "A").to_wire()
        stream = connection(containers[0])
        stream.settimeout(1)
        try:
            for _ in range(5000):
                stream.sendall(len(query).to_bytes(2, "big") + query)
        except (TimeoutError, OSError):
            pass
        before = cpu_ticks(world.pid())
        assert len(ask(containers[1], "pool", tcp=True).answer[0]) == 200
        time.sleep(0.3)
        assert cpu_ticks(world.pid()) - before < 15
        assert own_memory(world.pid()) < 400
        stream.settimeout(60)
        count = 0
        with stream.makefile("rb") as answers:
            while count < 100 and (length := answers.read(2)):
                message = dns.message.from_wire(answers.read(int.from_bytes(length, "big")))
                assert len(message.answer[0]) == 200
                count += 1
        assert count == 100, "whoever reads again gets the rest"

    in_world(test)


def test_two_hundred_names_and_their_memory() -> None:
    """Of netd's own, less than 300 KB, with 200 containers and after questions in flight."""

    def test(world: World) -> None:
        Upstream(lambda *_: None)
        world.resolv_conf.write_text("nameserver 127.0.0.53\n")
        containers = [
            world.container(ASKER._replace(address4=f"172.18.1.{number}", names=(f"name-{number}", f"{number:012x}", "all")))
            for number in range(200)
        ]
        for number in range(0, 200, 7):
            assert found(containers[3], f"name-{number}") == [f"172.18.1.{number}"]
        with inside(containers[0].network), socket.socket(type=socket.SOCK_DGRAM) as client:
            for number in range(50):
                client.sendto(dns.message.make_query(f"n{number}.example", "A").to_wire(), (RESOLVER, 53))
        assert found(containers[3], "name-3")
        assert eventually(lambda: questions_under_way(world) == 0)
        assert own_memory(world.pid()) < 300, Path(f"/proc/{world.pid()}/smaps").read_text()

    in_world(test)


def test_descriptors_are_for_everybody() -> None:
    """With a hard limit of 100: connections, questions and UDP flows of one container leave some for others, and for netd."""

    def test(world: World) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        Upstream(lambda *_: None)
        world.resolv_conf.write_text("nameserver 127.0.0.53\n")
        host = socket.socket(type=socket.SOCK_DGRAM)
        host.bind(("127.0.0.1", 0))
        port = Port(host.fileno(), "udp", "172.18.0.9", 80, "172.18.0.1")
        greedy, other = world.container(ASKER, ports=(port,)), world.container(ASKER._replace(address4="172.18.0.8"))
        streams = [connection(greedy) for _ in range(8)]
        with inside(greedy.network), socket.socket(type=socket.SOCK_DGRAM) as client:
            for number in range(100):
                client.sendto(dns.message.make_query(f"n{number}.example", "A").to_wire(), (RESOLVER, 53))
        for number in range(50):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.bind((f"127.0.1.{number}", 0))
                client.sendto(b"x", host.getsockname())
        before = cpu_ticks(world.pid())
        assert len(found(other, "asker")) == 2
        assert len(os.listdir(f"/proc/{world.pid()}/fd")) < 60
        third = world.container(ASKER._replace(address4="172.18.0.7"))
        assert len(found(third, "asker")) == 3
        assert cpu_ticks(world.pid()) - before < 20
        for each in streams:
            each.close()

    in_world(test)
