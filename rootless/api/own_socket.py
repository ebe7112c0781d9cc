"""Where this service listens, for containers that are to have Docker's socket.

`docker run --use-api-socket`, Compose's use_api_socket and many people's files name it as it is on Docker's hosts.
"""

from __future__ import annotations

import os

_LITERAL = ("/var/run/docker.sock", "/run/docker.sock")
_path = ""


def is_at(path: str) -> None:
    """Said once, before there are workers."""
    global _path
    _path = path


def meant(source: str) -> str:
    """The path of the host that a bind of `source` means: ours for Docker's well-known one, where the host has nothing of
    that name. Who asks has this very socket already, so nothing is given that he had not."""
    if source.startswith("//"):  # as many people's files have it, for shells of Windows
        source = source[1:]
    if source in _LITERAL and _path and not os.path.lexists(source):
        return _path
    return source
