"""Networks in the store: ROOT/networks/<name>.json, a file each, whole or not there.

Made by link(2), so that of two who make the same name one wins. Reading takes no lock; who makes or removes one
holds `lock`, so that no two networks get the same subnet.
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic
from rootless.engine.networks import names, options
from rootless.engine.networks.addresses import Subnet, parse_subnet, to_number
from rootless.errors import Conflict, InvalidInput, NotFound, NotSupported, RootlessError
from rootless.record import TYPE_CHECKING, TypedDict
from rootless.storage import shape
from rootless.storage.store import make_directory, open_lock

if TYPE_CHECKING:
    from typing import NotRequired

    from rootless.engine.networks.ipam import Pool
    from rootless.storage.store import Store

VERSION = 1
_DIGITS = frozenset("0123456789abcdef")
_BEGINNING = "2000-01-01T00:00:00Z"
"""When the predefined networks that have no file count as made."""


_SHAPE = {
    "version": int, "id": str, "name": str, "created_at": "time", "driver": str, "ipv4": bool, "ipv6": bool, "internal": bool,
    "attachable": bool, "labels": {str: str}, "options": {str: str}, "ipam_options": {str: str},
    "link?": str, "pools": [{"subnet": str, "ip_range": str, "gateway": str, "auxiliary": {str: str}}],
}  # fmt: skip


class Damaged(RootlessError):
    """What stands in a network's file is no network: an error of that one's alone."""


class NetworkConfig(TypedDict):
    """A network as `network create` fixed it. `pools`: at most one of each version."""

    version: int
    id: str
    name: str
    created_at: str
    driver: str  # bridge, host or null
    ipv4: bool
    ipv6: bool
    internal: bool
    attachable: bool
    labels: dict[str, str]
    options: dict[str, str]
    ipam_options: dict[str, str]
    pools: list[Pool]
    link: NotRequired[str]  # of bridge, whose id is the same in every data root: what its link in the hub is called after


class NetworkLock:
    """The lock of all networks, held until the end of a `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> NetworkLock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def directory(store: Store) -> str:
    """Where the networks' files are."""
    return store.root + "/networks"


def lock(store: Store) -> NetworkLock:
    """Hold what makes and removes networks."""
    fd = open_lock(store.root + "/networks.lock")
    fcntl.flock(fd, fcntl.LOCK_EX)
    return NetworkLock(fd)


def predefined(name: str) -> NetworkConfig:
    """A network that is there without a file."""
    return {
        "version": VERSION, "id": names.predefined_id(name), "name": name, "created_at": _BEGINNING,
        "driver": "null" if name == "none" else name, "ipv4": True, "ipv6": False, "internal": False,
        "attachable": False, "labels": {}, "options": {}, "ipam_options": {}, "pools": [],
    }  # fmt: skip


def read(store: Store, name: str) -> NetworkConfig:
    """The network called exactly `name`; NotFound in Docker's words, Damaged where its file is."""
    path = f"{directory(store)}/{name}.json"
    try:
        if "/" in name or "\0" in name or name[:1] == "." or len(name) > names.LONGEST:
            raise FileNotFoundError
        found: NetworkConfig = shape.read(path, _SHAPE)  # type: ignore[assignment]
        _check(found, name)
        return found
    except FileNotFoundError:
        if name in names.PREDEFINED:
            return predefined(name)
        raise not_found(name) from None
    except (ValueError, InvalidInput, NotSupported) as error:
        raise Damaged(f"network {name} has a damaged file: {error}", hint=f"remove it: rootless network rm {name}") from None


def _check(network: NetworkConfig, name: str) -> None:
    """Raise ValueError, InvalidInput or NotSupported where the fields have no meaning together."""
    pools = network["pools"]
    for identifier in (network["id"], network.get("link", network["id"])):
        if len(identifier) != 64 or not _DIGITS.issuperset(identifier):
            raise ValueError("its id is none")
    if network["name"] != name or network["driver"] != "bridge":
        raise ValueError("it is another network's")
    options.normalised(network["options"])
    if not pools or len({":" in pool["subnet"] for pool in pools}) < len(pools):
        raise ValueError("it has no addresses, or too many")
    for pool in pools:
        subnet = parse_subnet(pool["subnet"])
        if pool["ip_range"]:
            parse_subnet(pool["ip_range"])
        if not all(subnet.holds(to_number(text)) for text in (pool["gateway"], *pool["auxiliary"].values())):
            raise ValueError("an address is not of its subnet")


def not_found(name: str) -> NotFound:
    """The error for a network that nobody has."""
    return NotFound(f"network {name} not found", hint="`rootless network ls` lists them")


def subnets(network: NetworkConfig) -> list[Subnet]:
    """The blocks of the network's pools."""
    return [parse_subnet(pool["subnet"]) for pool in network["pools"]]


def every(store: Store) -> list[NetworkConfig]:
    """All networks, the predefined ones among them, in natural order of their names; damaged ones are left out."""
    found = []
    for name in {*names.PREDEFINED, *_names(store)}:
        try:
            found.append(read(store, name))
        except RootlessError:
            continue  # removed while we looked, or damaged
    return sorted(found, key=lambda network: names.natural(network["name"]))


def damaged(store: Store) -> list[NetworkConfig]:
    """Stand-ins for the networks whose files are damaged, for lists; of driver "damaged" and without an id."""
    found: list[NetworkConfig] = []
    for name in _names(store):
        try:
            read(store, name)
        except Damaged:
            found.append({**predefined(name), "id": "", "driver": "damaged"})
        except NotFound:
            continue
    return found


def _names(store: Store) -> list[str]:
    try:
        entries = os.listdir(directory(store))
    except FileNotFoundError:
        return []
    return [entry[:-5] for entry in entries if entry.endswith(".json") and entry[0] != "."]


def find(store: Store, reference: str) -> NetworkConfig:
    """The network of this name or id, or of the only id that begins so. NotFound, Conflict."""
    try:
        return read(store, reference)
    except NotFound:
        pass
    matches = [network for network in every(store) if reference and network["id"].startswith(reference)]
    if len(matches) > 1:
        raise Conflict(
            f"network {reference} is ambiguous ({len(matches)} matches found based on ID prefix)",
            hint="give more characters: " + ", ".join(network["id"][:12] for network in matches[:5]),
        )
    if not matches:
        raise not_found(reference)
    return matches[0]


def add(store: Store, network: NetworkConfig) -> None:
    """Put a new network into the store; Conflict where there is one of the name. Durable; the caller holds the lock."""
    base = directory(store)
    make_directory(base)
    aside = f"{base}/.new-{network['id']}"
    atomic.write_json(aside, network)
    try:
        os.link(aside, f"{base}/{network['name']}.json")
    except FileExistsError:
        raise Conflict(f"network with name {network['name']} already exists", hint="`rootless network ls` lists them") from None
    finally:
        os.unlink(aside)
    fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(store: Store, network: NetworkConfig) -> None:
    """Change a network that is in the store; the caller holds the lock."""
    atomic.write_json(f"{directory(store)}/{network['name']}.json", network)


def discard(store: Store, network: NetworkConfig) -> None:
    """Take a network out of the store, and what killed commands left of others; the caller holds the lock."""
    base = directory(store)
    os.unlink(f"{base}/{network['name']}.json")
    from rootless.storage.remove_tree import remove_tree

    remove_tree(f"{base}/leases/{network['id']}")
    for entry in os.listdir(base):
        if entry[0] == ".":
            os.unlink(f"{base}/{entry}")
