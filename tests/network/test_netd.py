"""netd: its start, the containers that it knows, and its end."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from rootless.errors import RootlessError
from rootless.network.hub import netd
from rootless.network.hub.settings import OnNetwork, Port, drop_container, set_container
from tests.harness import processes
from tests.need import need_program
from tests.network.hub_world import World, eventually, in_world, inside, ip, process_exists

need_program("ip")
APP = OnNetwork("app", "172.18.0.2", "", ("web",))


def test_a_container_is_known_until_its_process_has_ended() -> None:
    def test(world: World) -> None:
        one, other = world.container(APP), world.container()
        assert sorted(world.listed()) == [one.id, other.id]
        one.end()
        assert eventually(lambda: world.listed() == [other.id])
        other.end()
        assert eventually(lambda: world.listed() == [])

    in_world(test)


def test_one_ends_when_it_has_no_container_and_another_takes_its_place() -> None:
    def test(world: World) -> None:
        first = world.container()
        pid = world.pid()
        first.end()
        assert eventually(lambda: not process_exists(pid))
        second = world.container()
        assert world.pid() != pid
        assert world.listed() == [second.id]

    in_world(test)


def test_killed_it_is_replaced_by_the_next_request() -> None:
    def test(world: World) -> None:
        container = world.container(APP)
        os.kill(world.pid(), signal.SIGKILL)
        set_container(world.netd, container.settings(APP))
        assert world.listed() == [container.id]

    in_world(test)


def test_a_batch_system_tells_every_process_to_end() -> None:
    """It serves its containers until they have ended, and then waits for no other."""

    def test(world: World) -> None:
        container, pid = world.container(APP), world.pid()
        processes.signal_as_of_a_job(pid)
        assert world.listed() == [container.id]
        assert world.pid() == pid
        container.end()
        assert eventually(lambda: not process_exists(pid))
        assert netd.ask(world.netd, "list") == [], "another one, without a container"
        pid = world.pid()
        os.kill(pid, signal.SIGTERM)
        assert eventually(lambda: not process_exists(pid))

    in_world(test)


def test_what_is_left_in_the_hub_is_undone_at_the_end() -> None:
    """An address of the hub, removed by the message that the container came with: RTM_DELADDR."""

    def test(world: World) -> None:
        from rootless.linux.netlink.address import ADDRESS, RTM_GETADDR, delete_address
        from rootless.linux.netlink.connection import Route

        with inside(world.hub):
            ip("address", "add", "10.1.2.3/24", "dev", "lo")
            index = socket.if_nametoindex("lo")
        container = world.container(undo=(delete_address(index, "10.1.2.3", 24),))

        def there() -> bool:
            with inside(world.hub), Route() as route:
                found = route.dump(RTM_GETADDR, ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0))
                return any(socket.inet_aton("10.1.2.3") in payload for _, payload in found)

        assert there()
        container.end()
        assert eventually(lambda: not there())

    in_world(test)


@pytest.mark.parametrize(
    "lines",
    [
        "network app 172.18.0.2",
        "network app 172.18.0.2 172.18.0.3",
        "name app web",
        "network a - -\nname b web",
        "undo 00",
        "undo zz",
        "tcp 9 172.18.0.2 80 -",
        "tcp 0 172.18.0.2 70000 -",
        "server example.com",
        "dns 0 0",
        "watch 1",
        "what",
        " ",
        "network " + 300 * "a" + " - -",
        "\n".join(f"network n{number} - -" for number in range(65)),
    ],
)
def test_lines_that_are_not_understood_change_nothing(lines: str) -> None:
    def test(world: World) -> None:
        container = world.container(APP)
        before = netd.ask(world.netd, "list")
        descriptors = len(os.listdir(f"/proc/{world.pid()}/fd"))
        for _ in range(20):
            with pytest.raises(RootlessError, match="rootless-netd refuses: "):
                netd.ask(world.netd, f"set {container.id}\n{lines}", [container.pidfd])
        assert netd.ask(world.netd, "list") == before
        assert len(os.listdir(f"/proc/{world.pid()}/fd")) < descriptors + 5

    in_world(test)


def test_a_first_set_needs_a_process_to_watch() -> None:
    def test(world: World) -> None:
        with pytest.raises(RootlessError, match="has to say whom to watch"):
            netd.ask(world.netd, f"set {1:064x}\n")
        assert world.listed() == []

    in_world(test)


def test_more_sockets_than_a_packet_takes() -> None:
    def test(world: World) -> None:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(600)]
        ports = tuple(Port(each.fileno(), "tcp", "172.18.0.2", 80, "172.18.0.1") for each in sockets)
        container = world.container(APP, ports=ports)
        assert netd.ask(world.netd, "list") == [f"{container.id} flows 0 queries 0 sockets 600"]
        set_container(world.netd, container.settings(APP, ports=ports[:10]))
        assert netd.ask(world.netd, "list") == [f"{container.id} flows 0 queries 0 sockets 10"]

    in_world(test)


def test_both_threads_can_do_little_else() -> None:
    """Seccomp's filter, no_new_privs, and CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW alone."""

    def test(world: World) -> None:
        world.container()
        tasks = list(Path(f"/proc/{world.pid()}/task").iterdir())
        assert len(tasks) == 2
        for task in tasks:
            lines = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            assert (lines["Seccomp"], lines["NoNewPrivs"]) == ("2", "1")
            assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 1 << 10 | 1 << 12 | 1 << 13

    in_world(test)


def test_a_container_can_be_dropped() -> None:
    def test(world: World) -> None:
        container = world.container(APP)
        drop_container(world.netd.runtime, container.id)
        drop_container(world.netd.runtime, container.id)
        assert world.listed() == []

    in_world(test)
