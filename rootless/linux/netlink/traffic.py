"""Traffic control at a link's entrance: packets that match words of u32, redirected to another link. linux/pkt_sched.h,
linux/pkt_cls.h, linux/tc_act/tc_mirred.h."""

from __future__ import annotations

from rootless.linux import socket, struct
from rootless.linux.netlink.address import packed
from rootless.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, attribute, message, nested, text
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 36, 37, 44, 45, 46
TC_H_INGRESS, INGRESS_HANDLE = 0xFFFFFFF1, 0xFFFF0000
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_U32_SEL, TCA_U32_ACT, TC_U32_TERMINAL = 5, 7, 1
TCA_ACT_KIND, TCA_ACT_OPTIONS, TCA_MIRRED_PARMS = 1, 2, 2
TCA_EGRESS_REDIR, TC_ACT_STOLEN = 1, 4
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
TRAFFIC = struct.Struct("=BxxxiIII")  # struct tcmsg: family, index, handle, parent, info
_SELECTOR = struct.Struct(">BBBxHHhhI")  # struct tc_u32_sel: flags, shift of the offset, number of keys, ...
_KEY = struct.Struct(">II")  # struct tc_u32_key: mask, value; then, in the host's order:
_KEY_OFFSET = struct.Struct("=ii")  # offset, mask of the offset
_MIRRED = struct.Struct("=IIiiiiI")  # struct tc_mirred: index, capabilities, action, counts, what to do, link

# Offset, mask, value of 32 bits each.
TCP_SYN4 = (
    (0, 0x0F000000, 0x05000000),  # a header without options
    (4, 0x00003FFF, 0),  # no fragment
    (8, 0x00FF0000, 0x00060000),  # TCP
    (32, 0x00120000, 0x00020000),  # SYN without ACK
)
TCP_SYN6 = ((4, 0x0000FF00, 0x00000600), (52, 0x00120000, 0x00020000))
SOURCE4, SOURCE6 = 12, 8
"""Where the sender's address is."""


def words_of(subnet: str, offset: int) -> list[tuple[int, int, int]]:
    """The keys of an address of the subnet at `offset`."""
    base, _, length = subnet.partition("/")
    data = packed(base)
    mask = ((1 << int(length)) - 1 << 8 * len(data) - int(length)).to_bytes(len(data), "big")
    words = [
        (offset + at, int.from_bytes(mask[at : at + 4], "big"), int.from_bytes(data[at : at + 4], "big"))
        for at in range(0, len(data), 4)
    ]
    return [word for word in words if word[1]]


def new_ingress(index: int) -> bytes:
    """The queueing discipline whose filters see what comes in by a link; EEXIST where it is there."""
    head = TRAFFIC.pack(0, index, INGRESS_HANDLE, TC_H_INGRESS, 0)
    return message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, head + text(TCA_KIND, "ingress"))


def delete_ingress(index: int) -> bytes:
    """Remove it with its filters; EINVAL or ENOENT where there is none."""
    return message(RTM_DELQDISC, 0, TRAFFIC.pack(0, index, INGRESS_HANDLE, TC_H_INGRESS, 0))


def new_redirect(
    index: int, protocol: int, priority: int, keys: Sequence[tuple[int, int, int]], to: int
) -> bytes:
    """A filter at the ingress of link `index` that sends packets of an Ethernet protocol, where all keys match, out of link `to`."""
    selector = _SELECTOR.pack(TC_U32_TERMINAL, 0, len(keys), 0, 0, 0, 0, 0)
    selector += b"".join(_KEY.pack(mask, value) + _KEY_OFFSET.pack(offset, 0) for offset, mask, value in keys)
    mirred = attribute(TCA_MIRRED_PARMS, _MIRRED.pack(0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to))
    action = nested(1, text(TCA_ACT_KIND, "mirred"), nested(TCA_ACT_OPTIONS, mirred))
    options = nested(TCA_OPTIONS, attribute(TCA_U32_SEL, selector), nested(TCA_U32_ACT, action))
    head = TRAFFIC.pack(0, index, 0, INGRESS_HANDLE, priority << 16 | socket.htons(protocol))
    return message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, head + text(TCA_KIND, "u32") + options)
