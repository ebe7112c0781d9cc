"""What a start mounts in a container's root that is neither the kernel's nor a device, as OCI mounts. Pure.

One list for the runtime and for those who look at a container that does not run: what they see and
where they write must be the same. Hot path.
"""

from __future__ import annotations

import os

from rootless.engine.options.mount_config import GIVEN, Mount
from rootless.engine.state.config import ContainerConfig
from rootless.record import TYPE_CHECKING
from rootless.runtime.mounts.bind import EXACT

if TYPE_CHECKING:
    from typing import Any

ETC = ("resolv.conf", "hostname", "hosts")
"""The files of /etc that are ours, in the container's directory."""


def of_user(record: ContainerConfig, volumes: str) -> list[dict[str, Any]]:
    """The mounts that were asked for, in their order; `volumes` is the store's directory of them."""
    return [_of_user(mount, volumes) for mount in record["mounts"]]


def of_etc(directory: str) -> list[dict[str, Any]]:
    """The container's own files of /etc, which lie in `directory`. Before those of the user, which win."""
    return [oci_mount(f"/etc/{name}", "bind", f"{directory}/{name}", "rbind", "rprivate") for name in ETC]


def oci_mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    """One mount as the OCI's configuration has it."""
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _of_user(mount: Mount, volumes: str) -> dict[str, Any]:
    if "oci" in mount:
        return mount["oci"]
    # SELinux relabelling (z, Z) is for hosts that enforce it; "anonymous" is a note of our own; U is done (given.py).
    options = [word for word in mount["options"] if word not in ("z", "Z", "anonymous", GIVEN)]
    access = "ro" if mount["read_only"] else "rw"
    if mount["type"] == "tmpfs":
        defaults = [word for word in ("noexec", "nosuid", "nodev") if word[2:] not in options]
        return oci_mount(mount["target"], "tmpfs", "tmpfs", *defaults, *options, access)
    source = mount["source"] or f"{volumes}/{mount['volume']}/_data"
    if not any(word in ("bind", "rbind") for word in options):
        options.insert(0, "rbind")
    if not any("private" in word or "shared" in word or "slave" in word for word in options):
        options.append("rprivate")
    if mount["read_only"] and "rbind" in options and read_only_below(mount):
        access = "rro"
    found = oci_mount(mount["target"], "bind", source, *options, access)
    return {**found, EXACT: True} if mount.get("exact") else found


def read_only_below(mount: Mount) -> bool:
    """Whether what is mounted below a read-only bind is read-only, too: as Docker, wherever the kernel has a call
    for it (mount_setattr(2), Linux 5.12) and nothing else was asked for."""
    asked = mount.get("recursive")
    if asked:
        return asked == "readonly"
    major, _, rest = os.uname().release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= (5, 12)
