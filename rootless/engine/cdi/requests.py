"""Requests for devices as Docker has them (`--gpus`, DeviceRequests, compose's gpus) as names of CDI."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import NamedTuple

from rootless.engine.cdi import nvidia, specs
from rootless.engine.options.values import whole
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.session import outside

ALL = -1
KINDS = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "intel": "intel.com/gpu"}
# What says which of them are the caller's: a cluster's scheduler writes it.
_CHOSEN = {"nvidia.com/gpu": "CUDA_VISIBLE_DEVICES", "amd.com/gpu": "ROCR_VISIBLE_DEVICES"}
CAPABILITIES = {"gpu", "compute", "compat32", "display", "graphics", "ngx", "utility", "video", "nvidia", "amd", "intel"}
"""What a specification for graphics processors brings: all of the driver."""


class DeviceRequest(NamedTuple):
    """`number` of devices (ALL; 0: those of `ids`), by a driver: cdi (`ids` are names), nvidia, amd, "" (which there is)."""

    driver: str = ""
    number: int = 0
    ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    options: bool = False


def parse_gpus(word: str) -> DeviceRequest:
    """--gpus: `all`, a number, or driver=, count=, device=, capabilities=, options= in CSV. InvalidInput."""
    found = DeviceRequest(capabilities=("gpu",))
    seen: set[str] = set()
    try:
        fields = next(iter(csv.reader([word])), [])
    except csv.Error:
        raise InvalidInput(f"invalid gpu request {word!r}", hint='all, a number, or "device=0,1"') from None
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", key
        if key in seen:
            raise InvalidInput(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if key == "count":
            found = found._replace(number=_count(value))
        elif key == "driver":
            found = found._replace(driver=value)
        elif key == "device":
            found = found._replace(ids=tuple(value.split(",")))
        elif key == "capabilities":
            found = found._replace(capabilities=("gpu", *value.split(",")))
        elif key == "options":
            found = found._replace(options=bool(value))
        else:
            raise InvalidInput(f"unexpected key '{key}' in '{field}'")
    if not found.ids and "count" not in seen:
        found = found._replace(number=1)
    return found


def _count(word: str) -> int:
    try:
        number = ALL if word == "all" else whole(word)
    except ValueError:
        number = ALL - 1
    if number < ALL:
        raise InvalidInput(f'invalid count ({word}): value must be either "all" or an integer')
    return number


def names(asked: Sequence[DeviceRequest]) -> list[str]:
    """The names of CDI that they come to. NotFound, or NotSupported in Docker's words, where nothing here answers them."""
    registry: specs.Registry | None = None
    found: list[str] = []
    for one in asked:
        if one.number and one.ids:
            raise InvalidInput("cannot set both Count and DeviceIDs on device request")
        if one.options:
            raise NotSupported("options of a device request are not supported", hint="leave them out: CDI has none")
        if one.driver == "cdi":
            outside.may_be_asked()
            found += [_name(word) for word in one.ids]
            continue
        if registry is None:
            nvidia.make_nodes()
            registry = specs.read()
        kind = _kind(one, registry)
        found += [word if specs.is_name(word) else f"{kind}={word}" for word in one.ids] or _some(one, kind, registry)
    return list(dict.fromkeys(found))


def _name(word: str) -> str:
    if not specs.is_name(word):
        raise InvalidInput(f"invalid CDI device name: {word}", hint="vendor.com/class=name")
    return word


def _kind(one: DeviceRequest, registry: specs.Registry) -> str:
    there = {name.partition("=")[0] for name in registry.devices}
    wanted = [KINDS[one.driver]] if one.driver in KINDS else [] if one.driver else [*KINDS.values()]
    found = [kind for kind in wanted if kind in there]
    if not found or not set(one.capabilities) <= CAPABILITIES:
        wrong = "; ".join(f"{path}: {error}" for path, error in sorted(registry.errors.items()))
        raise NotFound(
            f'could not select device driver "{one.driver}" with capabilities: [[{" ".join(one.capabilities)}]]',
            hint=wrong or "no driver of NVIDIA, AMD or Intel has devices here: `rootless doctor -v` lists those that it finds",
        )
    return found[0]


def _some(one: DeviceRequest, kind: str, registry: specs.Registry) -> list[str]:
    here = [name.partition("=")[2] for name in registry.devices if name.startswith(f"{kind}=")]
    chosen = _chosen(kind, here)
    if one.number == ALL and chosen is None:
        return [f"{kind}=all"] if "all" in here else [f"{kind}={name}" for name in here]
    numbered = sorted((name for name in here if name.isdecimal()), key=int) if chosen is None else chosen
    if len(numbered) < (least := max(one.number, 1 if one.number == ALL else 0)):
        of_those = f" among those of {_CHOSEN[kind]}" if chosen is not None else ""
        raise NotFound(
            f"{least} devices of {kind} are asked for, and there are {len(numbered)}{of_those}", hint="a smaller number, or all"
        )
    return [f"{kind}={name}" for name in (numbered if one.number == ALL else numbered[: one.number])]


def _chosen(kind: str, here: Sequence[str]) -> list[str] | None:
    """Those that the caller's environment names, in its order; None where it says nothing. In a job of a cluster the others are
    somebody else's. As the drivers read it: the first word that is no device ends the list."""
    word = os.environ.get(_CHOSEN.get(kind, ""))
    if word is None:
        return None
    found: list[str] = []
    for part in word.split(","):
        name = part.strip()
        # A UUID may be shortened.
        whole = [device for device in here if device == name or (name.startswith("GPU-") and device.startswith(name))]
        if len(whole) != 1:
            break
        found += whole
    return found
