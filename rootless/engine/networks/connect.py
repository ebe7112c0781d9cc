"""Networks of containers that are there already: `network connect`, `network disconnect`, and the repair.

What is wanted stands in config.json, what is in state.json; for a running container the latter counts. A connect
writes state.json before it asks the kernel, a disconnect after: so what a killed command has left is known, and the
same command, or a repair, goes on from there.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.engine.networks import attach, endpoint_config, records
from rootless.engine.networks.live import LiveNetworks
from rootless.engine.state import running
from rootless.engine.state.config import is_on_hub, on_hub, read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput, NotFound, NotSupported
from rootless.network.hub import namespace
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from typing import Any

    from rootless.engine.state.config import ContainerConfig, EndpointConfig
    from rootless.storage.store import Store


def connect(store: Store, reference: str, container: str, asked: EndpointConfig) -> None:
    """Put a container on one more network, at once if it runs, else at its next start. The caller has joined the
    session. NotFound, InvalidInput, Conflict in Docker's words; then it is where it was."""
    identifier = containers.find(store, container)
    network, asked = endpoint_config.check(store, reference, asked)
    if not endpoint_config.is_user_defined(network) and (asked["ip"] or asked["ip6"] or asked["aliases"]):
        raise InvalidInput("user-specified IP address and aliases are supported on user-defined networks only")
    with containers.lock(store, identifier):
        record = read_config(store, identifier)
        _refuse_mode(record)
        name = network["name"]
        before = on_hub(record)
        found = running.find(store, identifier)
        if found is None:
            if name in before:
                raise _is_there(store, record, name)
            _write_config(store, record, {**before, name: asked})
            return
        with found, LiveNetworks(store, record, found) as live:
            _refuse_without_bridge(found.state)
            if name in live.states:
                live.repair()
                raise _is_there(store, record, name)
            _write_config(store, record, {**before, name: asked})
            try:
                live.add(network, asked)
            except BaseException:
                _write_config(store, record, before)
                raise
        events.write(store, "network", "connect", network["id"], container=identifier, name=name, type="bridge")


def disconnect(store: Store, reference: str, container: str, *, force: bool = False) -> None:
    """Take a container off a network. The caller has joined the session. `force`: one that is gone is no error.
    NotFound, Conflict in Docker's words."""
    try:
        identifier = containers.find(store, container)
    except NotFound:
        if force:
            records.find(store, reference)
            return
        raise
    network = records.find(store, reference)
    name = network["name"]
    with containers.lock(store, identifier):
        record = read_config(store, identifier)
        if record["network"]["mode"] == "host" and name == "host":
            raise Conflict(
                "cannot disconnect container from host network - container was created in host network mode"
            )
        left = {known: asked for known, asked in on_hub(record).items() if known != name}
        found = running.find(store, identifier)
        if found is None:
            if len(left) == len(on_hub(record)):
                raise _is_not_there(identifier, name)
            _write_config(store, record, left)
            return
        with found, LiveNetworks(store, record, found) as live:
            if name not in live.states:
                raise _is_not_there(identifier, name)
            _write_config(store, record, left)
            live.remove(name)
        events.write(store, "network", "disconnect", network["id"], container=identifier, name=name, type="bridge")


def rename(store: Store, identifier: str, old: str) -> None:
    """Have a running container, which was called `old`, found by its new name. The caller has joined the session."""
    with containers.lock(store, identifier):
        found = running.find(store, identifier)
        if found is None:
            return
        with found, LiveNetworks(store, read_config(store, identifier), found) as live:
            if live.states:
                live.rename(old)


def refresh_names(store: Store, identifier: str) -> None:
    """Have a running infra found by the names that are in its pod now. The caller has joined the session."""
    with containers.lock(store, identifier):
        found = running.find(store, identifier)
        if found is None:
            return
        record = read_config(store, identifier)
        name = containers.name_of(store, identifier) or record["name"]
        with found, LiveNetworks(store, record, found) as live:
            if any(network != "bridge" for network in live.states):
                live.rename(name)


def repair(store: Store, identifier: str) -> None:
    """Make what a running container lacks of its networks in the kernel, and tell netd of it again, started anew
    where it has ended. The caller has joined the session. Idempotent; nothing for one that does not run."""
    with containers.lock(store, identifier):
        found = running.find(store, identifier)
        if found is None:
            return
        record = read_config(store, identifier)
        with found, LiveNetworks(store, record, found) as live:
            if live.states:
                live.repair()


def repair_hub(store: Store) -> None:
    """Start the hub's way out again, which has ended. The caller has joined the session."""
    hub = namespace.open_hub()
    try:
        attach.start_uplink(attach.netd_of(store.runtime, hub))
    finally:
        os.close(hub)


def _refuse_mode(record: ContainerConfig) -> None:
    mode = record["network"]["mode"]
    if mode == "host" or mode.startswith("container:"):
        raise Conflict(
            "container sharing network namespace with another container or host cannot be connected to any other network"
        )
    if mode == "none":
        raise Conflict(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            hint="run it with --network NETWORK in place of none",
        )
    if not is_on_hub(record):
        raise NotSupported(
            f"a container on the network {mode} of {'pasta' if mode == 'pasta' else 'slirp4netns'} cannot be connected to another one",
            hint="run it with --network NETWORK: more can be added to that",
        )


def _refuse_without_bridge(state: dict[str, Any]) -> None:
    reason = (state.get("network") or {}).get("instead_of_bridge")
    if reason:
        raise NotSupported(
            f"the container is on slirp4netns in place of the bridge: {reason}",
            hint="`rootless doctor` says what is missing; then start the container again",
        )


def _is_there(store: Store, record: ContainerConfig, name: str) -> Conflict:
    shown = containers.name_of(store, record["id"]) or record["name"]
    return Conflict(f"endpoint with name {shown} already exists in network {name}")


def _is_not_there(identifier: str, name: str) -> Conflict:
    return Conflict(f"container {identifier} is not connected to network {name}")


def _write_config(store: Store, record: ContainerConfig, networks: dict[str, EndpointConfig]) -> None:
    """config.json with these networks; the record of the caller, too, is another afterwards."""
    record["network"] = {**record["network"], "networks": networks}
    path = containers.directory(store, record["id"]) + "/config.json"
    atomic.write_json(path, dict(record), durable=not record["auto_remove"])
