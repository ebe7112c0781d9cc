"""Addresses of links, and the neighbours that they answer for. linux/if_addr.h, linux/neighbour.h."""

from __future__ import annotations

from rootless.linux import socket, struct
from rootless.linux.netlink.message import NLM_F_CREATE, NLM_F_REPLACE, attribute, message, number

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 4, 6, 8
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
NDA_DST = 1
NTF_PROXY, NUD_PERMANENT = 0x08, 0x80
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
NEIGHBOUR = struct.Struct("=BxxxiHBB")  # struct ndmsg: family, index, state, flags, type


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


def _proxy(index: int, address: str) -> bytes:
    return NEIGHBOUR.pack(family_of(address), index, NUD_PERMANENT, NTF_PROXY, 0) + attribute(NDA_DST, packed(address))


def new_proxy(index: int, address: str) -> bytes:
    """Have a link answer for an address that is reached by another link (its sysctl proxy_ndp or proxy_arp on)."""
    return message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, _proxy(index, address))


def delete_proxy(index: int, address: str) -> bytes:
    """The opposite of new_proxy()."""
    return message(RTM_DELNEIGH, 0, _proxy(index, address))
