"""--init: our own small PID 1, executed from sealed memory, not from a file of the host. HOT."""

from __future__ import annotations

import fcntl
import os

from rootless import paths
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

ANNOTATION = "io.rootless.init"

_F_ADD_SEALS = 1033
_SEALS = 0xF  # F_SEAL_SEAL | SHRINK | GROW | WRITE


def wants_init(spec: dict[str, Any]) -> bool:
    """Whether the configuration asks for it (annotation io.rootless.init = "true")."""
    return bool((spec.get("annotations") or {}).get(ANNOTATION) == "true")


def open_init() -> int:
    """A sealed memory file with rootless-init, read while the host's paths can be seen.

    A container's root can reach the file that its PID 1 executes (/proc/1/exe): sealed memory
    is nothing it could change.
    """
    with open(paths.helper("init"), "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        fd = os.memfd_create("rootless-init", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        while size > 0:
            size -= os.sendfile(fd, file.fileno(), None, size) or size
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    return fd
