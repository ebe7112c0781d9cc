"""`spec`: a configuration to begin with."""

from __future__ import annotations

import json
import os

from rootless.errors import Conflict
from rootless.oci.config.bundle import VERSION_MAX
from rootless.record import TYPE_CHECKING
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments

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


def command(args: Arguments) -> int:
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
