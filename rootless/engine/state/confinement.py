"""A container's confinement, each part on, off, or not available here, and why: for `inspect` and `doctor`."""

from __future__ import annotations

from typing import Any

from rootless.engine.state.config import ContainerConfig
from rootless.linux.namespace import identity
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.runtime.process import landlock

ON, OFF, NOT_AVAILABLE = "on", "off", "not available"
_NAMESPACES = {
    "user": "user",
    "mnt": "mount",
    "pid": "pid",
    "net": "network",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
}


def _confinement(name: str, state: str, why: str = "") -> dict[str, str]:
    return {"Name": name, "State": state, "Why": why}


def of_container(record: ContainerConfig, pid: int) -> list[dict[str, str]]:
    """Every part of a container's confinement; `pid` is its PID 1 as it runs, or 0: then as it would be started."""
    security = record["security"]
    privileged = security["privileged"]
    found = [_namespace(record, file, word, pid) for file, word in _NAMESPACES.items()]
    found.append(_seccomp(security["seccomp"], privileged=privileged))
    added = ", ".join(security["cap_add"])
    if privileged:
        found.append(_confinement("capabilities", OFF, "--privileged: all of its user namespace"))
    else:
        found.append(
            _confinement("capabilities", ON, f"default set, and {added}" if added else "default set or less")
        )
    on = security["no_new_privileges"]
    why = "" if on else "--privileged" if privileged else "--security-opt no-new-privileges=false"
    found.append(_confinement("no_new_privs", ON if on else OFF, why))
    bare = privileged or "ALL" in (word.upper() for word in security["unmask"])
    count = len(MASKED_PATHS) + len(READONLY_PATHS)
    if bare:
        found.append(
            _confinement(
                "masked paths", OFF, "--privileged" if privileged else "--security-opt systempaths or unmask"
            )
        )
    else:
        less = f", but for {' '.join(security['unmask'])}" if security["unmask"] else ""
        found.append(_confinement("masked paths", ON, f"{count} hidden or read-only{less}"))
    found.append(_landlock(record))
    found.append(_confinement("keyring", ON, "a session keyring of its own"))
    found.append(apparmor(security["apparmor"]))
    found.append(selinux(security["label"]))
    if record["read_only"]:
        found.append(_confinement("read-only root", ON))
    else:
        found.append(_confinement("read-only root", OFF, "not asked for (--read-only)"))
    return found


def _namespace(record: ContainerConfig, file: str, word: str, pid: int) -> dict[str, str]:
    asked: Any = record["network"]["mode"] if word == "network" else dict(record).get(
        {"cgroup": "cgroupns", "user": "userns"}.get(word, word), ""
    )  # fmt: skip
    name = f"{word} namespace"
    if pid:
        try:
            shared = identity(f"/proc/{pid}/ns/{file}") == identity(f"/proc/self/ns/{file}")
        except OSError:
            shared = False  # not ours to look at: certainly not ours
        if shared:
            return _confinement(name, OFF, "the host's")
    elif asked == "host" and word != "user":
        return _confinement(name, OFF, f"--{word} host")
    if str(asked).startswith("container:"):
        return _confinement(name, ON, f"shared with {asked}")
    return _confinement(name, ON)


def _seccomp(wanted: str, *, privileged: bool) -> dict[str, str]:
    if wanted == "unconfined" or (not wanted and privileged):
        return _confinement(
            "seccomp",
            OFF,
            "--privileged" if privileged and not wanted else "--security-opt seccomp=unconfined",
        )
    return _confinement("seccomp", ON, wanted if wanted not in ("", "builtin") else "default profile")


def _landlock(record: ContainerConfig) -> dict[str, str]:
    shares = [
        word
        for word, mode in (("abstract sockets", record["network"]["mode"]), ("signals", record["pid"]))
        if mode == "host"
    ]
    if not shares:
        return _confinement("landlock", OFF, "not needed: network and pids are its own")
    if record["security"]["privileged"] or record["security"].get("landlock") == "off":
        return _confinement(
            "landlock",
            OFF,
            "--privileged" if record["security"]["privileged"] else "--security-opt landlock=off",
        )
    if not landlock.available():
        return _confinement("landlock", NOT_AVAILABLE, "the kernel has no Landlock scopes (Linux 6.12)")
    return _confinement("landlock", ON, f"scopes the host's {' and '.join(shares)}")


def apparmor(profile: str) -> dict[str, str]:
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            enabled = file.read().strip() == "Y"
    except OSError:
        enabled = False
    if not enabled:
        return _confinement("apparmor", NOT_AVAILABLE, "this kernel does not have it, or it is switched off")
    if not profile or profile == "unconfined":
        return _confinement("apparmor", OFF, "no profile asked for (--security-opt apparmor=PROFILE)")
    return _confinement("apparmor", ON, profile)


def selinux(words: list[str]) -> dict[str, str]:
    try:
        with open("/sys/fs/selinux/enforce") as file:
            enforcing = file.read().strip() == "1"
    except OSError:
        return _confinement("selinux", NOT_AVAILABLE, "this kernel does not have it, or it is switched off")
    asked = [word for word in words if word != "disable"]
    if not asked:
        return _confinement("selinux", OFF, "no label asked for (--security-opt label=type:...)")
    return _confinement("selinux", ON, " ".join(asked) + ("" if enforcing else " (permissive)"))
