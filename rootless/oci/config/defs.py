"""The numbers and small objects that the specification's schemas share: defs.json. Hot path."""

from __future__ import annotations

from rootless.oci.config.validate import Broken, array, integer, mapping, record, string
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

INT32 = integer(-(1 << 31), (1 << 31) - 1)
INT64 = integer(-(1 << 63), (1 << 63) - 1)
UINT16 = integer(0, (1 << 16) - 1)
UINT32 = integer(0, (1 << 32) - 1)
UINT64 = integer(0, (1 << 64) - 1)
STRINGS = array(string)
STRING_MAP = mapping(string)
DEVICE_NUMBER = {"major": INT64, "minor": INT64}
_TYPE_BITS = 0o170000
_any_mode = integer(0, _TYPE_BITS | 0o777)


def file_mode(value: Any) -> None:
    _any_mode(value)
    if int(value) & ~_TYPE_BITS > 0o777:
        raise Broken(f"must be between 0 and 511, not {value}")


def is_rlimit(text: str) -> bool:
    name = text.removeprefix("RLIMIT_")
    return name != text and name.isascii() and name.isalpha() and name.isupper()


def is_page_size(text: str) -> bool:
    number = text[:-2]
    return text[-2:] in ("KB", "MB", "GB") and number.isdecimal() and number.isascii() and number[0] != "0"


ID_MAPPINGS = array(
    record(
        {"containerID": UINT32, "hostID": UINT32, "size": UINT32},
        required=("containerID", "hostID", "size"),
    )
)
