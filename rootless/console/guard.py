"""What is refused before any page is looked for: other hosts' names, other origins, forms of strangers. Pure.

A browser sends its cookies to every port of a host (RFC 6265, 8.5), and localhost:9999, which may be another user's tunnel, is the
"same site" as localhost:8080. So a page of another origin gets nothing by the cookie that comes along: it can neither read nor change.
"""

from __future__ import annotations

from collections.abc import Mapping

from rootless.record import Record

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD")


class Rules(Record):
    """`names`: the hosts' names that the console answers to. `port`: the one it listens on; None behind a tunnel of ssh, where
    it is what the user gave to -L."""

    names: tuple[str, ...]
    port: int | None


class Refused(Exception):
    """A request that is answered by 403 and this text."""


def check(rules: Rules, method: str, headers: Mapping[str, str], *, websocket: bool = False) -> None:
    """Raise Refused for a request that no page of ours and no address line makes. `headers`: by lower-case name."""
    host = headers.get("host", "")
    name, port = split_host(host)
    if name not in rules.names:
        raise Refused(f"this console is not at {host or 'an address without a name'}")  # DNS rebinding
    if rules.port is not None and port != rules.port:
        raise Refused("this console is at another port")
    origin = headers.get("origin")
    changes = websocket or method not in SAFE
    if origin is None:
        if changes:
            raise Refused("a change comes from a page of the console, which says its Origin")
    elif origin not in (f"http://{host}", f"https://{host}"):
        raise Refused("the request comes from a page of another origin")
    site = headers.get("sec-fetch-site", "none" if not changes else "same-origin")
    if site == "same-origin":
        return
    visit = headers.get("sec-fetch-mode") in (None, "navigate") and headers.get("sec-fetch-dest") in (None, "document")
    if changes or not visit:
        raise Refused("the request comes from a page of another site")


def split_host(host: str) -> tuple[str, int]:
    """`localhost:8080` -> its name in lower case and its port (80 where it says none); ("", 0) for what is no host."""
    name, colon, port = host.lower().rpartition(":") if not host.endswith("]") else (host.lower(), "", "")
    if not colon:
        return name or port, 80
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        return "", 0
    return name, int(port)


def cookie_name(host: str) -> str:
    """One for each port, else two consoles behind two tunnels would log each other out."""
    return f"rootless-console-{split_host(host)[1]}"


def cookies(headers: Mapping[str, str], name: str) -> list[str]:
    """The values of all cookies of that name: a server on another port may have set one besides ours, for a longer path, that
    comes first."""
    pairs = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
    return [value for key, _, value in pairs if key == name]
