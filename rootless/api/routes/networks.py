"""Networks, and who is on them."""

from __future__ import annotations

from typing import Any

from rootless.api.answer.errors import Forbidden
from rootless.api.request.fields import Fields
from rootless.api.request.networking import endpoint
from rootless.api.routes.route import ACTS, CHANGES, EMPTY, READS, Call, Reply, Route
from rootless.engine.networks import connect as connecting
from rootless.engine.networks import create as creating
from rootless.engine.networks import listing, remove
from rootless.engine.networks.create import NetworkRequest
from rootless.engine.views import network as view
from rootless.errors import Conflict, NotSupported

_SWARM = "that is for networks of a swarm"
_MTU = "com.docker.network.driver.mtu"


def list_all(call: Call) -> Reply:
    """GET /networks: without who is on them, as moby's."""
    found = []
    for each in listing.select(call.store, call.query.filters(listing.FILTERS)):
        found.append({**_object(call, each["name"]), "Containers": {}})
    return Reply(found)


def _object(call: Call, reference: str) -> dict[str, Any]:
    """The network as inspect has it; the default one with the addresses that it is going to have."""
    if reference in ("bridge", "default"):
        creating.ensure_bridge(call.store)
        reference = "bridge"
    found = view.inspect(call.store, reference)
    if found["Name"] == "bridge":
        # Of the others what was asked for: docker-compose 1 makes a network anew whose options are not its own.
        found["Options"] = {_MTU: "1500", **found["Options"]}
    return found


def inspect(call: Call) -> Reply:
    """GET /networks/{id}."""
    return Reply(_object(call, call.words["id"]))


def create(call: Call) -> Reply:
    """POST /networks/create."""
    body = call.body
    for name in ("ConfigOnly", "Ingress"):
        if body.flag(name):
            raise NotSupported(f"{name} is not supported: {_SWARM}")
    if body.object("ConfigFrom").text("Network") or body.text("Scope") not in ("", "local"):
        raise NotSupported(f"ConfigFrom and a Scope are not supported: {_SWARM}")
    ipam = body.object("IPAM")
    if ipam.text("Driver") not in ("", "default"):
        raise NotSupported(f"no IPAM driver '{ipam.text('Driver')}'", hint="leave it out, or write default")
    pools = ipam.objects("Config")
    request = NetworkRequest(
        body.text("Name"),
        driver=body.text("Driver") or "bridge",
        subnets=_texts(pools, "Subnet"),
        ip_ranges=_texts(pools, "IPRange"),
        gateways=_texts(pools, "Gateway"),
        auxiliary=[(str(key), str(value)) for pool in pools for key, value in pool.pairs("AuxiliaryAddresses").items()],
        ipv4=body.flag("EnableIPv4") if "EnableIPv4" in body else None,
        ipv6=body.flag("EnableIPv6") if "EnableIPv6" in body else None,
        internal=body.flag("Internal"),
        attachable=body.flag("Attachable"),
        labels=_pairs(body, "Labels"),
        options=_pairs(body, "Options"),
        ipam_options=_pairs(ipam, "Options"),
    )
    return Reply({"Id": creating.create(call.store, request), "Warning": ""}, 201)


def _texts(pools: list[Fields], name: str) -> list[str]:
    return [str(word) for pool in pools if (word := pool.text(name))]


def _pairs(fields: Fields, name: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in fields.pairs(name).items()}


def delete(call: Call) -> Reply:
    """DELETE /networks/{id}; 403 while it is used, and always for those that are always there."""
    try:
        remove.remove(call.store, call.words["id"])
    except Conflict as error:
        raise Forbidden(error.message, hint=error.hint) from None
    return EMPTY


def connect(call: Call) -> Reply:
    """POST /networks/{id}/connect; 403 where the container is on it already."""
    asked = endpoint(call.body.object("EndpointConfig"))
    try:
        connecting.connect(call.store, call.words["id"], call.body.text("Container"), asked)
    except Conflict as error:
        raise Forbidden(error.message, hint=error.hint) from None
    return Reply(b"")


def disconnect(call: Call) -> Reply:
    """POST /networks/{id}/disconnect."""
    try:
        connecting.disconnect(
            call.store, call.words["id"], call.body.text("Container"), force=call.body.flag("Force")
        )
    except Conflict as error:
        raise Forbidden(error.message, hint=error.hint) from None
    return Reply(b"")


def prune(call: Call) -> Reply:
    """POST /networks/prune."""
    return Reply({"NetworksDeleted": remove.prune(call.store, filters=call.query.filters(remove.PRUNE_FILTERS))})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/networks", list_all, READS),
    Route("POST", "/networks/create", create, ACTS),
    Route("POST", "/networks/prune", prune, ACTS),
    Route("GET", "/networks/{id}", inspect, READS),
    Route("DELETE", "/networks/{id}", delete, ACTS),
    Route("POST", "/networks/{id}/connect", connect, CHANGES),
    Route("POST", "/networks/{id}/disconnect", disconnect, CHANGES),
)
