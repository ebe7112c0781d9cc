"""A running container's networks, being changed: the kernel, netd, /etc/hosts and state.json follow one another."""

from __future__ import annotations

import os

from rootless import atomic
from rootless.engine.networks import (
    attach,
    endpoints,
    hosts,
    pod_aliases,
    records,
    registration,
)
from rootless.engine.networks.leases import LeaseHolder
from rootless.engine.state import running
from rootless.engine.state.config import no_demands, on_hub
from rootless.errors import Conflict, RootlessError
from rootless.linux import process
from rootless.linux.rlimit import many_descriptors
from rootless.network import ports
from rootless.network.hub import attach as kernel
from rootless.network.hub import held_ports, namespace, rules, settings
from rootless.network.hub.endpoint import Attached
from rootless.network.hub.listen import Listener
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rootless.engine.networks.endpoints import Place
    from rootless.engine.networks.records import NetworkConfig
    from rootless.engine.state.config import ContainerConfig, EndpointConfig
    from rootless.engine.state.running import RunningContainer
    from rootless.network.hub.endpoint import Endpoint
    from rootless.storage.store import Store


class LiveNetworks:
    """The networks of a container that runs, whose lock is held. A context manager that closes what it opened."""

    def __init__(self, store: Store, record: ContainerConfig, found: RunningContainer) -> None:
        self._store = store
        self._record = record
        self._found = found
        self._state: dict[str, Any] = dict(found.state.get("network") or {})
        self.states: dict[str, Any] = dict(self._state.get("networks") or {})
        self._name = containers.name_of(store, record["id"]) or record["name"]
        self._old_name = self._name
        self._pod_names = pod_aliases.names(store, record)
        self._open: list[int] = []
        # Where its network helper is, which need not be where the caller's would be.
        run_dir = str(found.state.get("run_dir") or "")
        self._runtime = run_dir.removesuffix(f"/c/{record['id']}") or store.runtime

    def __enter__(self) -> LiveNetworks:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._open:
            os.close(fd)

    def add(self, network: NetworkConfig, asked: EndpointConfig) -> None:
        """A place on one more network."""
        before = self._places()
        holder = LeaseHolder(self._record["id"], self._found.pid, self._found.start_time)
        named = pod_aliases.with_names(asked, self._pod_names)
        place = attach.take_place(self._store, network, named, holder, [each.interface for each in before])
        places = [*before, place]
        self._save(places)
        try:
            self._apply(before, places)
        except BaseException:
            self._detach(place)
            self._save(before)
            attach.release(self._store, place, self._record["id"])
            raise

    def remove(self, name: str) -> None:
        """No place on this network any more: names first, the link last."""
        before = self._places()
        gone = next(place for place in before if place.network["name"] == name)
        places = [place for place in before if place is not gone]
        try:
            self._apply(before, places)
        finally:
            # Whatever the container has made of its links, so that something of this cannot be had: it is off the network.
            self._detach(gone)
            self._save(places)
            attach.release(self._store, gone, self._record["id"])

    def _detach(self, place: Place) -> None:
        kernel.detach(self._hub(), next(link for link in endpoints.links([place])))

    def rename(self, old: str) -> None:
        """The name that it has now, in place of `old`."""
        self._old_name = old
        places = self._places()
        self._apply(places, places)
        self._save(places)

    def repair(self) -> None:
        """All that there should be."""
        places = self._places()
        self._apply(places, places)

    def _places(self) -> list[Place]:
        asked = on_hub(self._record)
        return [
            endpoints.from_state(
                _network_of(self._store, name, state),
                pod_aliases.with_names(asked.get(name) or _left_of(state), self._pod_names),
                state,
            )
            for name, state in self.states.items()
        ]

    def _namespaces(self) -> tuple[int, int]:
        """Descriptors of the hub and of the container's network namespace. Conflict where it has just ended."""
        hub = self._hub()
        if len(self._open) == 1:
            try:
                self._open.append(os.open(f"/proc/{self._found.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
                ended = not process.alive(self._found.pid, self._found.start_time)  # then it may be another process's
            except FileNotFoundError:
                ended = True
            if ended:
                raise Conflict(f"container {self._record['id']} is not running", hint="it has just ended")
        return hub, self._open[1]

    def _hub(self) -> int:
        if not self._open:
            self._open.append(namespace.open_hub(self._runtime))
        return self._open[0]

    def _apply(self, before: Sequence[Place], places: Sequence[Place]) -> None:
        """The kernel, netd and /etc/hosts as `places` have it, which were `before`: the same for a repair."""
        with many_descriptors():
            self._apply_all(before, places)

    def _apply_all(self, before: Sequence[Place], places: Sequence[Place]) -> None:
        hub, network = self._namespaces()
        server = attach.netd_of(self._runtime, hub)
        attach.ensure_uplink(server, places)
        links = endpoints.links(places)
        first = not settings.knows(self._runtime, self._record["id"])
        if not first and list(before) != list(places):
            known = {place.endpoint_id for place in before}
            links = [link for link, place in zip(links, places, strict=True) if place.endpoint_id not in known]
        attached = kernel.attach(hub, network, links, first=first) if links else Attached()
        undo = [bytes.fromhex(text) for text in self._state.get("undo") or []]
        undo += [message for message in attached.undo if message not in undo]
        self._state["undo"] = [message.hex() for message in undo]
        failure = None
        if _defaults(before) != _defaults(places):
            try:
                kernel.set_default(network, *_defaults(places))
            except RootlessError as error:
                failure = error  # the container has changed its links; netd is to know what is so all the same
        listeners = self._listeners()
        try:
            told = registration.register(self._record, self._name, places, listeners, undo)
            old = registration.register(self._record, self._name, before, listeners, ()).rules
            stale = [rule.remove for rule in old if rule not in told.rules]
            settings.set_container(
                server,
                told.settings._replace(
                    pidfd=self._found.pidfd,
                    resolver_udp=attached.resolver_udp,
                    resolver_tcp=attached.resolver_tcp,
                    undo=(*told.settings.undo, *stale),
                ),
            )
            # After netd knows how to undo them: a kill in between leaves none.
            if told.rules or stale:
                rules.send_rules(hub, [rule.add for rule in told.rules] + stale)
            self._state["gate"] = attach.ensure_gate(server, places)
        finally:
            for fd in (attached.resolver_udp, attached.resolver_tcp, *(each.fd for each in listeners)):
                if fd >= 0:
                    os.close(fd)
        path = containers.directory(self._store, self._record["id"]) + "/hosts"
        gone, there = hosts.addresses([*before, *places]), hosts.addresses(places)
        hosts.update(path, self._record, {self._old_name: gone, self._name: gone}, {self._name: there})
        if failure is not None:
            raise failure

    def _listeners(self) -> list[Listener]:
        """The sockets of the published ports, as the monitor has them."""
        numbers = self._state.get("port_fds") or []
        if not numbers:
            return []
        fds = held_ports.of_monitor(int(self._found.state["monitor_pid"]), numbers)
        return [Listener(fd, mapping) for fd, mapping in zip(fds, ports.from_data(self._state["ports"]), strict=True)]

    def _save(self, places: Sequence[Place]) -> None:
        """state.json with these places."""
        self.states = attach.states(self._record, self._name, places)
        self._state["networks"] = self.states
        path = containers.directory(self._store, self._record["id"]) + "/state.json"
        state = {**running.read_state(self._store, self._record["id"]), "network": self._state}
        atomic.write_json(path, state, durable=not self._record["auto_remove"])



def _defaults(places: Sequence[Place]) -> tuple[Endpoint | None, Endpoint | None]:
    """The links that the default routes go by, IPv4's and IPv6's."""
    links = endpoints.links(places)
    return next((link for link in links if link.default4), None), next((link for link in links if link.default6), None)


def _left_of(state: dict[str, Any]) -> EndpointConfig:
    """What counts of the demands on a network that the container is being taken off: which default route it had."""
    left = no_demands()
    left["gw_priority"] = int(state.get("gw_priority") or 0)
    return left


def _network_of(store: Store, name: str, state: dict[str, Any]) -> NetworkConfig:
    """The network of a place: as it is in the store, for a network with containers cannot be removed."""
    network = records.read(store, name)
    if network["id"] != state.get("network_id"):
        raise records.not_found(str(state.get("network_id")))
    return network
