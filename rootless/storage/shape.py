"""What the files of a container must look like to be believed.

They are ours, but what stands in them may have come from a container (how it ended), or be the rest of a broken
disk: each is data. A file that is not of this shape is damaged, which is reported of its own container and
is never a reason for a command about others to fail. Hot path.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_TEXTS = [str]
_MOUNT = {"type": str, "source": str, "target": str, "read_only": bool, "volume": str, "copy_up": bool, "options": _TEXTS}
_NETWORK = {
    "mode": str, "options": _TEXTS, "ports": [list], "exposed": _TEXTS, "publish_all": bool, "dns": _TEXTS,
    "dns_search": _TEXTS, "dns_options": _TEXTS, "add_host": _TEXTS, "networks?": {str: {
        "id": str, "aliases": _TEXTS, "ip": str, "ip6": str, "mac": str, "gw_priority": int, "driver_opts": {str: str}, "links": _TEXTS,
    }},
}  # fmt: skip
_SECURITY = {
    "privileged": bool, "cap_add": _TEXTS, "cap_drop": _TEXTS, "no_new_privileges": bool, "seccomp": str,
    "apparmor": str, "label": _TEXTS, "unmask": _TEXTS, "mask": _TEXTS,
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "version": int, "id": str, "name": str, "created_at": "time", "image": str, "image_id": str, "diff_ids": _TEXTS,
    "platform": str, "rootfs": str, "entrypoint": _TEXTS, "cmd": _TEXTS, "env": _TEXTS, "workdir": str, "user": str,
    "group_add": _TEXTS, "umask": str, "hostname": str, "domainname": str, "tty": bool, "open_stdin": bool,
    "detach_keys": str, "auto_remove": bool, "init": bool, "read_only": bool, "labels": {str: str},
    "annotations": {str: str}, "mounts": [_MOUNT], "devices": [dict], "ulimits": [dict], "sysctls": {str: str},
    "shm_size": int, "stop_signal": str, "stop_timeout": (int, type(None)), "oom_score_adj": (int, type(None)),
    "pid": str, "ipc": str, "uts": str, "userns": str, "cgroupns": str, "network": _NETWORK,
    "log": {"driver": str, "max_size": int, "max_files": int}, "security": _SECURITY,
    "restart": {"name": str, "retries": int}, "pod?": str, "infra?": bool, "exit_policy?": str, "image_file?": bool,
    "shared?": {"directory": str, "key": str, "entrypoint": _TEXTS, "cmd": _TEXTS},
    "over_host?": bool, "store_file?": {"path": str, "identity": [int]},
}  # fmt: skip
"""config.json, as far as every container has it (engine/state/config.py)."""
RESTART: dict[str, Any] = {
    "name": str, "retries": int, "restarts": int, "delay_ms": int, "due": str, "after": str, "cancelled": bool,
    "stopped": bool,
}  # fmt: skip
HEALTH: dict[str, Any] = {
    "pid": int, "start_time": int, "status": str, "failing_streak": int,
    "log": [{"Start": "time", "End": "time", "ExitCode": int, "Output": str}],
}  # fmt: skip
STATE: dict[str, Any] = {"pid": int}
"""state.json; what else of it is there is of the shape below."""
RENAMED_STATES = {"state.paused": True, "state.unpaused": False}
"""state.json's names where it could not be written again (containers/paused.py), and what each says of `paused`."""
_STATE_MORE: dict[str, Any] = {
    "start_time": int, "monitor_pid": int, "monitor_start_time": int, "started_at": "time", "finished_at": "time",
    "boot_id": str, "pid_namespace": int, "exit_code": int, "error": str, "paused": bool, "cgroup": str, "run_dir": str,
    "cgroup_unit": str, "network": {"networks?": {str: {}}}, "limits": {}, "driver": str,
}  # fmt: skip

# Texts that were found to be of a shape in this process: measuring takes longer than reading, and who serves many requests
# reads the same files again. The text itself is the key, so that there is nothing that could be out of date.
_MEASURED = 1024
_measured: dict[tuple[bytes, int], dict[str, Any]] = {}


def read(path: str, shape: dict[str, Any]) -> dict[str, Any]:
    """The JSON object at `path`. FileNotFoundError where there is none; ValueError where it is damaged."""
    try:
        data = atomic.read_bytes(path)
        found = atomic.parse(data)
        if _measured.get((data, id(shape))) is shape:
            return found  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise
    except (OSError, RecursionError) as error:
        raise ValueError(error.strerror if isinstance(error, OSError) else "lists in lists in lists") from None
    if not fits(found, shape):
        raise ValueError("it has another form")
    if b"\\u" in data or b"\xed" in data:
        # The bytes of a name that is no UTF-8 are written like this; other halves of characters nobody can print.
        _check_texts(found)
    if len(_measured) >= _MEASURED:
        _measured.clear()
    _measured[data, id(shape)] = shape
    more: dict[str, Any] = found
    return more


def read_state(base: str) -> dict[str, Any]:
    """state.json in the container's directory `base`, under whichever of its names; as `read`."""
    try:
        found = read(base + "/state.json", STATE)
    except FileNotFoundError:
        found = _renamed_state(base)
    if not all(fits(found[name], _STATE_MORE[name]) for name in found.keys() & _STATE_MORE.keys()):
        raise ValueError("it has another form")
    if not 0 <= found["pid"] < 1 << 31 or not 0 <= found.get("monitor_pid", 0) < 1 << 31:
        raise ValueError("it has a number that is no pid")
    return found


def _renamed_state(base: str) -> dict[str, Any]:
    for name, paused in RENAMED_STATES.items():
        try:
            return {**read(f"{base}/{name}", STATE), "paused": paused}
        except FileNotFoundError:
            pass
    raise FileNotFoundError(f"{base}/state.json")


def fits(value: Any, shape: Any) -> bool:
    """Whether `value` is of the shape: a type, some types, "time", a list of one shape, {str: shape of all},
    or fields with shapes, others allowed, and those with a "?" may be missing. Numbers have 64 bits."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if str in shape:
            return all(fits(each, shape[str]) for each in value.values())
        for name, each in shape.items():
            # Most fields are of a plain type, and `ps` looks at sixty of each container: those need no call.
            if name in value and (type(value[name]) is each is not int or fits(value[name], each)):
                continue
            if name[-1] != "?" or (name[:-1] in value and not fits(value[name[:-1]], each)):
                return False
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if shape == "time":
        return type(value) is str and _is_time(value)
    if isinstance(shape, tuple):
        return any(fits(value, each) for each in shape)
    return type(value) is shape and (shape is not int or -(1 << 63) <= value < 1 << 63)


def _is_time(text: str) -> bool:
    """2026-01-02T03:04:05.123456789Z, the fraction of any length; "" for never."""
    if not text:
        return True
    day, digits = text[:19], "".join(part for part in (text[:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19]))
    fraction = text[19:-1]
    return (
        day[4:5] + day[7:8] + day[10:11] + day[13:14] + day[16:17] + text[-1:] == "--T::Z"
        and digits.isascii() and digits.isdecimal() and len(digits) == 14
        and (not fraction or (fraction[0] == "." and fraction[1:].isascii() and fraction[1:].isdecimal()))
        and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:8]) <= 31
        and int(digits[8:10]) < 24 and int(digits[10:12]) < 60 and int(digits[12:]) < 61
    )  # fmt: skip


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        os.fsencode(value)  # UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_texts(name)
            _check_texts(each)
    elif isinstance(value, list):
        for each in value:
            _check_texts(each)
