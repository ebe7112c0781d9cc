"""What every process of a container has: the OCI process object and the seccomp profile of its record. Pure.

Apart from spec.py, so that `exec` imports nothing of mounts and limits. Hot path.
"""

from __future__ import annotations

from rootless.engine.state.config import ContainerConfig, argv
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.process.landlock import KEY as LANDLOCK
from rootless.runtime.seccomp.profile import DEFAULT

if TYPE_CHECKING:
    from typing import Any

    from rootless.engine.options.values import Ulimit


def process(record: ContainerConfig, all_capabilities: tuple[str, ...]) -> dict[str, Any]:
    """The OCI process object: of PID 1, and what `exec` begins with."""
    security = record["security"]
    capabilities = _capabilities(record, all_capabilities)
    found: dict[str, Any] = {
        "terminal": record["tty"],
        "user": {"username": record["user"], "additionalGroups": record["group_add"]},
        "args": argv(record),
        "env": record["env"],
        "cwd": record["workdir"],
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        "rlimits": [_rlimit(limit) for limit in record["ulimits"]],
        "noNewPrivileges": security["no_new_privileges"],
        # What of the host's namespaces is shared is the runtime's to see.
        LANDLOCK: "off" if security["privileged"] else security.get("landlock") or "auto",
    }
    if record["umask"]:
        found["user"]["umask"] = int(record["umask"], 8)
    if record["oom_score_adj"] is not None:
        found["oomScoreAdj"] = record["oom_score_adj"]
    if security["apparmor"] and security["apparmor"] != "unconfined":
        found["apparmorProfile"] = security["apparmor"]
    label = _selinux_label(security["label"])
    if label:
        found["selinuxLabel"] = label
    return found


def _selinux_label(words: list[str]) -> str:
    """Docker's `label=type:T` and so on as a context; "" where none is asked for, or `disable`."""
    parts = {"user": "system_u", "role": "system_r", "type": "container_t", "level": "s0"}
    asked = False
    for word in words:
        key, _, value = word.replace("=", ":", 1).partition(":")
        if word == "disable":
            return ""
        if key not in parts or not value:
            raise InvalidInput(f"invalid --security-opt: label={word}", hint="label=disable, user:, role:, type: or level:")
        parts[key], asked = value, True
    return ":".join(parts.values()) if asked else ""


def seccomp(record: ContainerConfig) -> dict[str, Any]:
    """The filter's profile; {} for none. --privileged has none unless one is named, as Docker's."""
    wanted = record["security"]["seccomp"]
    if wanted == "unconfined" or (not wanted and record["security"]["privileged"]):
        return {}
    if wanted in ("", "builtin"):
        return DEFAULT
    import json

    try:
        with open(wanted, encoding="utf-8") as file:
            profile = json.load(file)
    except OSError as error:
        raise InvalidInput(f"opening seccomp profile ({wanted}) failed: {error.strerror}") from None
    except ValueError as error:
        raise InvalidInput(f"Decoding seccomp profile failed: {error} ({wanted})") from None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise InvalidInput(f"seccomp profile {wanted} has no defaultAction")
    return profile


def _capabilities(record: ContainerConfig, every: tuple[str, ...]) -> list[str]:
    """Docker's arithmetic of --cap-add, --cap-drop and --privileged, in capability order."""
    security = record["security"]
    add = {_capability(word, every) for word in security["cap_add"]}
    drop = {_capability(word, every) for word in security["cap_drop"]}
    if security["privileged"] or "ALL" in add:
        kept = set(every)
    elif "ALL" in drop:
        kept = set()
    else:
        kept = set(DEFAULT_CAPABILITIES)
    kept |= add - {"ALL"}
    kept -= (drop - {"ALL"}) - (add if "ALL" in drop else set())
    return [name for name in every if name in kept]


def _capability(word: str, every: tuple[str, ...]) -> str:
    name = word.upper()
    if name == "ALL":
        return name
    name = name if name.startswith("CAP_") else "CAP_" + name
    if name not in every:
        raise InvalidInput(f'invalid CapAdd/CapDrop: unknown capability: "{word}"')
    return name


def _rlimit(limit: Ulimit) -> dict[str, Any]:
    unlimited = (1 << 64) - 1
    return {
        "type": "RLIMIT_" + limit["name"].upper(),
        "soft": unlimited if limit["soft"] < 0 else limit["soft"],
        "hard": unlimited if limit["hard"] < 0 else limit["hard"],
    }
