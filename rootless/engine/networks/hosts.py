"""/etc/hosts of a container on networks: its own lines follow its addresses, all others stay as they are.

The file is changed in place: it is bind-mounted, and another file of the name would not be seen inside.
"""

from __future__ import annotations

import os

from rootless.network.etc.hosts import own_lines
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rootless.engine.networks.endpoints import Place
    from rootless.engine.state.config import ContainerConfig

_MOST_BYTES = 1 << 20


def addresses(places: Iterable[Place]) -> list[str]:
    """All addresses of the container, in the order of its networks."""
    return [address for place in places for address in (place.address, place.address6) if address]


def update(path: str, record: ContainerConfig, old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> None:
    """Take the container's `old` lines out of the file, and add the `new` ones: names of the container, each with the
    addresses it stands on. OSError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except BlockingIOError:
        # It is the container's file, and it has a lease on it (fcntl(2), F_SETLEASE): we would wait for 45 seconds until
        # it lets go. One that does not want its file changed has it as it is.
        return
    try:
        before = os.read(fd, _MOST_BYTES)
        gone = set(_lines(record, old))
        kept = [line for line in before.splitlines(keepends=True) if line not in gone]
        if kept and not kept[-1].endswith(b"\n"):
            kept[-1] += b"\n"
        text = b"".join([*kept, *_lines(record, new)])
        # Written over and cut, not cut and written: a reader never finds it empty.
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))
    finally:
        os.close(fd)


def _lines(record: ContainerConfig, addresses_of: Mapping[str, Sequence[str]]) -> list[bytes]:
    return [
        line.encode()
        for name, addresses in addresses_of.items()
        for line in own_lines(addresses, hostname=record["hostname"], domainname=record["domainname"], name=name)
    ]
