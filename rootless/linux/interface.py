"""Network interfaces by ioctl (netdevice(7)): what needs no netlink. Hot path."""

from __future__ import annotations

import fcntl

from rootless.linux import struct

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_IFREQ = struct.Struct("16sh22x")  # struct ifreq: the name, then a union of 24 bytes


def loopback_up() -> None:
    """Set `lo` of the current network namespace up, which gives it 127.0.0.1 and ::1.

    Idempotent. EPERM without CAP_NET_ADMIN in the namespace's owner.
    """
    from rootless.linux import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        request = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0))
        _, flags = _IFREQ.unpack(request)
        if not flags & _IFF_UP:
            fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))
