"""systemd-nsresourced, which lends ranges of ids that live as long as their user namespace: whether it is here.

Not used, as yet: what its ids own must not outlive the namespace, so that a container's files would need a FUSE file system
that keeps their owners. `doctor` says that it is there. Varlink: https://varlink.org/Interface-Definition.
"""

from __future__ import annotations

import json
import socket

SOCKET = "/run/systemd/io.systemd.NamespaceResource"
_QUESTION = b'{"method":"org.varlink.service.GetInfo"}\0'
_INTERFACE = "io.systemd.NamespaceResource"
_LARGEST = 1 << 16
_TIMEOUT_S = 2.0


def answers(path: str = SOCKET) -> bool:
    """Whether the service at `path` says that it lends ids. Socket activation may start it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service:
            service.settimeout(_TIMEOUT_S)
            service.connect(path)
            service.sendall(_QUESTION)
            answer = b""
            while not answer.endswith(b"\0") and len(answer) < _LARGEST:
                more = service.recv(_LARGEST - len(answer))
                if not more:
                    return False
                answer += more
        found = json.loads(answer.removesuffix(b"\0"))
        return _INTERFACE in found["parameters"]["interfaces"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
