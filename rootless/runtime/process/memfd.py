"""Our programs in sealed memory: what is executed inside a container.

A container's root can reach the file that a process of its own executes (/proc/PID/exe), and is the
owner of what its caller has installed. Sealed memory is nothing it could change. Hot path.
"""

from __future__ import annotations

import errno
import fcntl
import os

from rootless import paths

_MFD_EXEC = 0x10  # Linux 6.3; needed where vm.memfd_noexec is 1
_F_ADD_SEALS = 1033
_SEALS = 0xF  # F_SEAL_SEAL | SHRINK | GROW | WRITE


def open_sealed(name: str) -> int:
    """A sealed memory file with our program `name`, read while the host's paths can be seen; the caller's.

    PermissionError where the administrator forbids executable memory (vm.memfd_noexec=2).
    """
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    with open(paths.helper(name), "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            fd = os.memfd_create(f"rootless-{name}", flags | _MFD_EXEC)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            fd = os.memfd_create(f"rootless-{name}", flags)
        while size > 0:
            size -= os.sendfile(fd, file.fileno(), None, size) or size
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    return fd
