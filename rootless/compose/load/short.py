"""Short syntaxes of ports, volumes, devices and the like, as their long ones."""

from __future__ import annotations

from typing import Any

from rootless.compose.load.values import text
from rootless.errors import InvalidInput

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


def ports(value: Any, what: str) -> list[dict[str, Any]]:
    """One entry of `ports`: a mapping of the container's port; several where it names a range."""
    if isinstance(value, dict):
        found = dict(value)
        if "published" in found:
            found["published"] = text(found["published"])
        target = found.get("target")
        if isinstance(target, str) and target.isdigit():
            found["target"] = int(target)
        return [found]
    word = text(value)
    rest, slash, protocol = word.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise InvalidInput(f"{what}: invalid proto: {protocol}")
    address, host, container = _split(rest, what)
    if not container:
        raise InvalidInput(f"{what}: no port specified: {word}<empty>")
    first, last = _range(container, what, word)
    entries = []
    if host and first != last:
        host_first, host_last = _range(host, what, word)
        if host_last - host_first != last - first:
            raise InvalidInput(f"{what}: invalid ranges specified for container and host Ports: {container} and {host}")
    elif host:
        _range(host, what, word)
    for offset in range(last - first + 1):
        entry: dict[str, Any] = {"mode": "ingress", "target": first + offset, "protocol": protocol}
        if address:
            entry["host_ip"] = address
        if host:
            entry["published"] = str(int(host.partition("-")[0]) + offset) if first != last else host
        entries.append(entry)
    return entries


def port_count(value: Any) -> int:
    """How many entries `ports` makes of this one, at most."""
    first, dash, last = text(value).partition("/")[0].rpartition(":")[2].partition("-") if not isinstance(value, dict) else ("", "", "")
    digits = first.isdigit() and last.isdigit() and len(first) <= 5 and len(last) <= 5
    return max(1, int(last) - int(first) + 1) if dash and digits else 1


def _split(word: str, what: str) -> tuple[str, str, str]:
    if word.startswith("["):
        address, bracket, rest = word[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise InvalidInput(f"{what}: invalid IP address in port: {word}")
        parts = [address, *rest[1:].split(":")]
    else:
        parts = word.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _range(word: str, what: str, whole: str) -> tuple[int, int]:
    first, dash, last = word.partition("-")
    numbers = [first, last if dash else first]
    if not all(number.isascii() and number.isdigit() and len(number) <= 5 and int(number) <= 65535 for number in numbers):
        raise InvalidInput(f"{what}: invalid port: {whole}", hint="ports go from 1 to 65535")
    low, high = int(numbers[0]), int(numbers[1])
    if high < low:
        raise InvalidInput(f"{what}: invalid range: {word}")
    return low, high


def volume(value: Any, what: str) -> dict[str, Any]:
    """One entry of `volumes`: SOURCE:TARGET[:MODE]."""
    if isinstance(value, dict):
        return dict(value)
    word = text(value)
    parts = word.split(":")
    if not word or len(parts) > 3 or not all(parts[:2]):
        raise InvalidInput(f"{what}: invalid spec: {word}: empty section between colons or too many colons")
    if len(parts) == 1:
        return {"type": "volume", "target": _clean(word), "volume": {}}
    source, target = parts[0], _clean(parts[1])
    is_path = source.startswith((".", "/", "~"))
    found: dict[str, Any] = {"type": "bind" if is_path else "volume", "source": source, "target": target}
    details: dict[str, Any] = {"create_host_path": True} if is_path else {}
    for option in filter(None, parts[2].split(",") if len(parts) == 3 else []):
        if option in ("ro", "rw"):
            found["read_only"] = option == "ro"
        elif option == "nocopy":
            found["volume"] = {"nocopy": True}
        elif option in _PROPAGATION and is_path:
            details["propagation"] = option
        elif option in ("z", "Z") and is_path:
            details["selinux"] = option
        elif option in ("cached", "consistent", "delegated"):
            found["consistency"] = option
        elif option not in ("z", "Z"):
            raise InvalidInput(f"{what}: invalid spec: {word}: unknown option {option}")
    if found.get("read_only") is False:
        del found["read_only"]
    if is_path:
        found["bind"] = details
    elif "volume" not in found:
        found["volume"] = {}
    return found


def _clean(path: str) -> str:
    return path.rstrip("/") or "/"


def device(value: Any, what: str) -> dict[str, Any]:
    """One entry of `devices`: HOST[:CONTAINER[:rwm]]; a name of CDI is its own target."""
    if isinstance(value, dict):
        return dict(value)
    parts = text(value).split(":")
    if len(parts) > 3:
        raise InvalidInput(f"{what}: confusing device mapping, please use long syntax: {value}")
    target = parts[1] if len(parts) > 1 else parts[0]
    return {"source": parts[0], "target": target, "permissions": parts[2] if len(parts) > 2 else "rwm"}


def extra_hosts(value: Any, what: str) -> list[str]:
    """host=ip words, sorted; a mapping may give a host several addresses."""
    found: dict[str, list[str]] = {}
    if isinstance(value, dict):
        for host, addresses in value.items():
            for address in addresses if isinstance(addresses, list) else [addresses]:
                found.setdefault(host, []).append(text(address))
    else:
        for word in value or ():
            host, equals, address = text(word).partition("=")
            if not equals:
                host, equals, address = text(word).partition(":")
            if not equals or not host or not address:
                raise InvalidInput(f"{what}: invalid additional host, missing IP: {word}")
            found.setdefault(host, []).append(address)
    return [
        f"{host}={address.removeprefix('[').removesuffix(']')}"
        for host in sorted(found)
        for address in dict.fromkeys(found[host])
    ]


def devices_wanted(value: Any) -> list[dict[str, Any]]:
    """`gpus`, and reservations' `devices`: "all", or a list of requests."""
    if value == "all":
        return [{"count": -1}]
    found = []
    for one in value or ():
        entry: dict[str, Any] = {"count": -1} if one == "all" else dict(one)
        if entry.get("count") == "all":
            entry["count"] = -1
        if isinstance(entry.get("options"), list):
            entry["options"] = dict(text(word).partition("=")[::2] for word in entry["options"])
        found.append(entry)
    return found
