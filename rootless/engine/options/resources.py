"""The words of --memory, --cpus, --device-read-bps and the like. `run` parses them. Pure. Hot path."""

from __future__ import annotations

from rootless.engine.options.values import parse_bytes
from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from typing import Any


class Rate(TypedDict):
    """One --device-read-bps and the like: a block device and bytes or operations a second."""

    path: str
    rate: int


class Resources(TypedDict, total=False):
    """What was asked for; a key that is missing was not. Sizes in bytes (-1: no limit), times in us."""

    memory: int
    memory_reservation: int
    memory_swap: int
    nano_cpus: int
    cpu_shares: int
    cpu_period: int
    cpu_quota: int
    cpuset_cpus: str
    cpuset_mems: str
    pids_limit: int
    blkio_weight: int
    device_read_bps: list[Rate]
    device_write_bps: list[Rate]
    device_read_iops: list[Rate]
    device_write_iops: list[Rate]


_SIZES = ("memory", "memory_reservation", "memory_swap")
_NUMBERS = ("cpu_shares", "cpu_period", "cpu_quota", "pids_limit", "blkio_weight")
_WORDS = ("cpuset_cpus", "cpuset_mems")
_RATES = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")


def parse(args: Any) -> Resources:
    """The limits among the words of a command (attributes named as the keys of Resources, and `cpus`); only
    those that were given. InvalidInput for what is no number, size or device."""
    found: dict[str, Any] = {}
    refuse_swappiness(args.memory_swappiness)
    for key in _SIZES:
        word = getattr(args, key)
        if word:
            found[key] = _size(word, key)
    if args.cpus:
        found["nano_cpus"] = parse_cpus(args.cpus)
    for key in _NUMBERS:
        number = getattr(args, key)
        if number:
            found[key] = number
    for key in _WORDS:
        if getattr(args, key):
            found[key] = getattr(args, key)
    for key in _RATES:
        rates = [parse_rate(word, key) for word in getattr(args, key, ())]
        if rates:
            found[key] = rates
    return found  # type: ignore[return-value]


def _size(word: str, key: str) -> int:
    option = key.replace("_", "-")
    if word == "-1" and key == "memory_swap":
        return -1
    return parse_bytes(word, name=f"argument for --{option}")


def parse_cpus(word: str) -> int:
    """Billionths of a processor of "1.5"."""
    whole, _, part = word.partition(".")
    if not (whole + part).isdecimal() or not (whole + part).isascii() or len(part) > 9 or len(whole) > 9:
        raise InvalidInput(f"invalid argument for --cpus: '{word}'", hint="write a number such as 0.5 or 2")
    return int(whole or "0") * 1_000_000_000 + int((part + "0" * 9)[:9])


def parse_rate(word: str, key: str) -> Rate:
    """`/dev/sda:10mb` or, for operations, `/dev/sda:1000`."""
    path, colon, rate = word.rpartition(":")
    option = key.replace("_", "-")
    if not colon or not path.startswith("/dev/"):
        raise InvalidInput(f"bad format for --{option}: {word}", hint="write /dev/DEVICE:RATE")
    if key.endswith("iops"):
        if not rate.isdecimal():
            raise InvalidInput(f"invalid rate for device: {word}", hint="a number of operations a second")
        return {"path": path, "rate": int(rate)}
    return {"path": path, "rate": parse_bytes(rate, name=f"rate for device in --{option}")}


def refuse_swappiness(value: int | None) -> None:
    """--memory-swappiness has no counterpart in cgroup v2; -1 asks for nothing."""
    if value is not None and value != -1:
        raise NotSupported(
            "--memory-swappiness cannot be set: cgroup v2 has no such limit",
            hint="bound the swap itself: --memory-swap equal to --memory allows none",
        )
