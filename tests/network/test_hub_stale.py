"""What is left in the hub: by networks that are removed, by callers that are killed, by other data roots."""

from __future__ import annotations

import os
import signal

import pytest

from rootless.errors import Conflict
from rootless.network.hub import attach, bridges
from rootless.network.hub.endpoint import Bridge, Endpoint
from tests.harness.forked import forked
from tests.network.bridged_looks import everything, links, wait_for
from tests.network.bridged_world import APP, OTHER, Network, World, endpoint, ping


def test_a_removed_network_leaves_nothing() -> None:
    def work() -> None:
        world = World()
        world.container(endpoint(OTHER, 2)).end()
        wait_for(lambda: len(world.hub.do(links)) == 2)
        bridges.remove_bridge(world.hub.fd, OTHER)
        before = world.hub.do(everything)
        world.container(endpoint(APP, 2)).end()
        bridges.remove_bridge(world.hub.fd, APP)
        bridges.remove_bridge(world.hub.fd, APP)
        assert world.hub.do(everything) == before | {"links": ["lo"]}

    forked(work)


def killed_after(requests: int, world: World, network: Network) -> None:
    """Attach as a caller does that is killed after some requests to the kernel."""
    from rootless.linux.netlink.connection import Route

    pid = os.fork()
    if pid == 0:
        send, count = Route.send, [0]

        def counted(self: Route, messages: list[bytes], *, forgiven: tuple[int, ...] = ()) -> None:
            for message in messages:
                if count[0] == requests:
                    os.kill(os.getpid(), signal.SIGKILL)
                count[0] += 1
                send(self, [message], forgiven=forgiven)

        Route.send = counted  # type: ignore[method-assign, assignment]
        try:
            attach.attach(world.hub.fd, network.fd, [endpoint(APP, 2)], first=False)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_whatever_a_killed_caller_left_the_next_one_completes() -> None:
    def work() -> None:
        world = World()
        whole = World.container(world, endpoint(OTHER, 9))  # an oracle of what one network is
        expected = len(world.hub.do(everything)["rules"])
        for requests in (0, 1, 5, 12, 25, 28, 29, 31, 33, 35, 37, 39):
            network = Network()
            killed_after(requests, world, network)
            attach.attach(world.hub.fd, network.fd, [endpoint(APP, 2)], first=True)
            assert len(world.hub.do(everything)["rules"]) == expected + 5, requests
            assert network.do(lambda: ping("172.18.0.1")), requests
            network.end()
            bridges.remove_bridge(world.hub.fd, APP)
        assert whole.do(lambda: ping("172.19.0.1"))

    forked(work)


def test_a_bridge_nobody_uses_makes_room_for_a_network_of_its_addresses() -> None:
    """It is of another data root, or of one that was removed."""

    def work() -> None:
        world = World()
        world.container(endpoint(APP, 2)).end()
        wait_for(lambda: len(world.hub.do(links)) == 2)
        same = APP._replace(id="e5" * 32)
        container = world.container(endpoint(same, 3))
        assert container.do(lambda: ping("172.18.0.1"))
        assert APP.name not in world.hub.do(links)
        assert not [rule for rule in world.hub.do(everything)["rules"] if APP.name in rule]

    forked(work)


@pytest.mark.parametrize("subnet", ["172.18.0.0/16", "172.18.7.0/24", "172.16.0.0/12"])
def test_a_bridge_that_is_used_is_a_conflict(subnet: str) -> None:
    def work() -> None:
        world = World()
        container = world.container(endpoint(APP, 2))
        same = Bridge("e5" * 32, subnet, subnet.replace("0/", "1/").partition("/")[0])
        mine = Endpoint(same, "eth0", "vethe5x3", "02:42:e5:00:00:03", subnet.replace("0/", "3/").partition("/")[0])
        with pytest.raises(Conflict, match="Pool overlaps with other one on this address space"):
            attach.attach(world.hub.fd, Network().fd, [mine], first=True)
        assert container.do(lambda: ping("172.18.0.1"))

    forked(work)
