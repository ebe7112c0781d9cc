"""Credentials that come with a request: X-Registry-Auth and X-Registry-Config.

As moby has it, a header that cannot be read is "no credentials", never an error: the registry has the last word.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from rootless.image.registry.auth_file import Credentials


def credentials(header: str) -> Credentials | None:
    """The credentials of X-Registry-Auth; None where it has none. An identity token stands for name and password."""
    return _read(_decoded(header))


def by_server(header: str) -> dict[str, Credentials]:
    """Those of X-Registry-Config, by server."""
    found = {}
    for server, value in _decoded(header).items():
        known = _read(value)
        if known is not None:
            found[server] = known
    return found


def _decoded(header: str) -> dict[str, Any]:
    """base64url of a JSON object, its padding perhaps left out; the other alphabet, too."""
    text = header.strip().replace("+", "-").replace("/", "_")
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(value: Any) -> Credentials | None:
    if not isinstance(value, dict):
        return None

    def text(name: str) -> str:
        word = value.get(name)
        try:
            return word if isinstance(word, str) and word.encode() else ""
        except UnicodeEncodeError:
            return ""  # half of a surrogate pair

    if token := text("identitytoken"):
        return Credentials("", "", token)
    username, password = text("username"), text("password")
    if not (username or password) and text("auth"):
        try:
            username, _, password = base64.b64decode(text("auth")).decode().partition(":")
        except ValueError:
            return None
    return Credentials(username, password) if username or password else None
