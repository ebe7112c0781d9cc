"""/etc/hosts of a container on networks: its own lines follow its addresses, all others stay as they are.

The file is changed in place: it is bind-mounted, and another file of the name would not be seen inside.
"""

from __future__ import annotations

import os

from rootless.network.etc.hosts import own_lines
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rootless.engine.networks.endpoints import Place
    from rootless.engine.state.config import ContainerConfig

_MOST_BYTES = 1 << 20


def addresses(places: Iterable[Place]) -> list[str]:
    """All addresses of the container, in the order of its networks."""
    return [address for place in places for address in (place.address, place.address6) if address]


def update(path: str, record: ContainerConfig, name: str, old: Sequence[str], new: Sequence[str]) -> None:
    """Take the container's lines on the addresses `old` out of the file, and add those on `new`. OSError."""
    words = {"hostname": record["hostname"], "domainname": record["domainname"], "name": name}
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        before = os.read(fd, _MOST_BYTES)
        gone = {line.encode() for line in own_lines(old, **words)}
        kept = [line for line in before.splitlines(keepends=True) if line not in gone]
        if kept and not kept[-1].endswith(b"\n"):
            kept[-1] += b"\n"
        text = b"".join([*kept, *(line.encode() for line in own_lines(new, **words))])
        # Written over and cut, not cut and written: a reader never finds it empty.
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))
    finally:
        os.close(fd)
