"""Addresses of links. linux/if_addr.h."""

from __future__ import annotations

from rootless.linux import socket, struct
from rootless.linux.netlink.message import NLM_F_CREATE, NLM_F_REPLACE, attribute, message, number

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 4, 6, 8
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index


def family_of(address: str) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def packed(address: str) -> bytes:
    """As the kernel has it; OSError where it is none."""
    return socket.inet_pton(family_of(address), address)


def new_address(index: int, address: str, length: int) -> bytes:
    """An address of a link, usable at once: nobody is asked whether it is another's."""
    data = packed(address)
    words = attribute(IFA_LOCAL, data) + attribute(IFA_ADDRESS, data)
    if len(data) == 4:
        last = int.from_bytes(data, "big") | ((1 << (32 - length)) - 1)
        words += attribute(IFA_BROADCAST, last.to_bytes(4, "big")) if length < 31 else b""
    else:
        words += number(IFA_FLAGS, IFA_F_NODAD)
    head = ADDRESS.pack(family_of(address), length, 0, 0, index)
    return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, head + words)


def delete_address(index: int, address: str, length: int) -> bytes:
    """Take an address off a link."""
    words = attribute(IFA_LOCAL, packed(address))
    return message(RTM_DELADDR, 0, ADDRESS.pack(family_of(address), length, 0, 0, index) + words)
