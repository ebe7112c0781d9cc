"""`features`: what this runtime can do."""

from __future__ import annotations

import json
import os

from rootless.linux.capability import CAPABILITIES, last_cap
from rootless.oci.config.bundle import VERSION_MAX, VERSION_MIN
from rootless.oci.config.config_linux import SECCOMP_ARCHITECTURES
from rootless.oci.container.user_namespace import is_initial
from rootless.oci.hooks import POINTS
from rootless.record import TYPE_CHECKING
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


def command(_: Arguments) -> int:
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
            # Of the host's files, which is what containerd and CRI-O ask for: the kernel lets nobody else.
            "mountExtensions": {"idmap": {"enabled": os.geteuid() == 0 and is_initial()}},
            "netDevices": {"enabled": True},
        },
        "annotations": {"io.rootless.version": _version()},
    }
    print(json.dumps(document, indent=2))
    return 0


def _version() -> str:
    from rootless import __version__

    return __version__
