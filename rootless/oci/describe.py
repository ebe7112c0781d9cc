"""`features`: what this runtime can do; `spec`: a configuration to begin with."""

from __future__ import annotations

import json
import os

from rootless.errors import Conflict
from rootless.linux.capability import CAPABILITIES, last_cap
from rootless.oci.config.bundle import VERSION_MAX, VERSION_MIN
from rootless.oci.config.config_linux import SECCOMP_ARCHITECTURES
from rootless.oci.hooks import POINTS
from rootless.record import TYPE_CHECKING
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.runtime.mounts.mount_options import KNOWN_WORDS

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments

_SECCOMP_FLAGS = (
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
)


def features(_: Arguments) -> int:
    """Print features.md's document."""
    last = last_cap()
    document: dict[str, Any] = {
        "ociVersionMin": VERSION_MIN,
        "ociVersionMax": VERSION_MAX,
        "hooks": list(POINTS),
        "mountOptions": sorted(KNOWN_WORDS),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": [name for name, bit in CAPABILITIES.items() if bit <= last],
            "cgroup": {
                "v1": False,
                "v2": True,
                "systemd": True,
                "systemdUser": True,
                "rdma": True,
            },
            "seccomp": {
                "enabled": True,
                "actions": [
                    f"SCMP_ACT_{name}"
                    for name in "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP".split()
                ],
                "operators": [f"SCMP_CMP_{name}" for name in "NE LT LE EQ GE GT MASKED_EQ".split()],
                "archs": list(SECCOMP_ARCHITECTURES),
                "knownFlags": list(_SECCOMP_FLAGS),
                "supportedFlags": list(_SECCOMP_FLAGS),
            },
            "apparmor": {"enabled": os.path.isdir("/sys/kernel/security/apparmor")},
            "selinux": {"enabled": os.path.isdir("/sys/fs/selinux")},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": True},
        },
        "annotations": {"io.rootless.version": _version()},
    }
    print(json.dumps(document, indent=2))
    return 0


def _version() -> str:
    from rootless import __version__

    return __version__


_SAFE = ["nosuid", "noexec", "nodev"]


def specification(*, rootless: bool) -> dict[str, Any]:
    """The configuration that `spec` writes: runc's, of a shell with few capabilities."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"]
    sysfs: dict[str, Any] = {
        "destination": "/sys",
        "type": "sysfs",
        "source": "sysfs",
        "options": [*_SAFE, "ro"],
    }
    devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    linux: dict[str, Any] = {}
    if rootless:
        # As runc's: one id, the host's network, and /sys of the host because of that.
        namespaces = ["pid", "ipc", "uts", "mount", "cgroup", "user"]
        sysfs = {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", *_SAFE, "ro"]}
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    else:
        devpts.append("gid=5")
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    return {
        "ociVersion": VERSION_MAX,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "rootless",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": devpts},
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": [*_SAFE, "mode=1777", "size=65536k"],
            },
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": list(_SAFE)},
            sysfs,
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": [*_SAFE, "relatime", "ro"],
            },
        ],
        "linux": {
            **linux,
            "namespaces": [{"type": name} for name in namespaces],
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
        },
    }


def spec(args: Arguments) -> int:
    """Write config.json into --bundle; one that is there stays."""
    path = os.path.join(args.value("--bundle") or ".", args.value("--config") or args.value("--file") or "config.json")
    try:
        with open(path, "x") as file:
            json.dump(specification(rootless=args.flag("--rootless")), file, indent=4)
            file.write("\n")
    except FileExistsError:
        raise Conflict(
            f"{path} exists already", hint="remove it first: what is in it is not overwritten"
        ) from None
    return 0


COMMANDS = {"features": features, "spec": spec}
