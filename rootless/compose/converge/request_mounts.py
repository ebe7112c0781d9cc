"""What a service mounts, as the engine has it: volumes, directories, tmpfs, images, secrets and configs that are files."""

from __future__ import annotations

import os
from typing import Any

from rootless.compose.load.project import Project
from rootless.engine.options import mount_keys
from rootless.engine.options.mount_config import Mount, new
from rootless.engine.options.mounts import parse_tmpfs, volume_name
from rootless.errors import InvalidInput, NotFound
from rootless.words import GuestPath, UserWord


def mounts(project: Project, config: dict[str, Any], inherited: dict[str, str]) -> list[Mount]:
    """The service's mounts. `inherited`: anonymous volumes of the container that this one replaces, by mount point.
    InvalidInput, NotFound for a secret's file."""
    found = [_mount(project, entry, inherited) for entry in config.get("volumes") or ()]
    found += [parse_tmpfs(UserWord(word)) for word in config.get("tmpfs") or ()]
    for kind in ("secrets", "configs"):
        for entry in config.get(kind) or ():
            source = project.resources(kind)[entry["source"]]
            if not is_copied(kind, entry, source):
                found.append(_file(kind, entry, source))
    taken = {str(mount["target"]) for mount in found}
    # Volumes of the image that the former container had filled.
    found += [_kept(target, name) for target, name in inherited.items() if target not in taken]
    return found


def is_copied(kind: str, entry: dict[str, Any], source: dict[str, Any]) -> bool:
    """Whether a secret or config is written into the container, in place of a mount of its file: what comes from the
    environment or stands in the compose file itself, and what is to have an owner or a mode of its own."""
    return "file" not in source or any(entry.get(key) is not None for key in ("uid", "gid", "mode"))


def target_of(kind: str, entry: dict[str, Any]) -> str:
    """Where it is in the container."""
    default = f"/run/secrets/{entry['source']}" if kind == "secrets" else f"/{entry['source']}"
    return _guest(str(entry.get("target") or default), f"{kind}.{entry['source']}.target")


def _guest(path: str, what: str) -> GuestPath:
    if not path.startswith("/"):
        raise InvalidInput(f"{what}: invalid mount path: '{path}' mount path must be absolute")
    clean = "/" + os.path.normpath(path).lstrip("/")
    if clean == "/":
        raise InvalidInput(f"{what}: invalid specification: destination can't be '/'")
    return GuestPath(clean)


def _mount(project: Project, entry: dict[str, Any], inherited: dict[str, str]) -> Mount:
    kind, target = str(entry["type"]), _guest(str(entry.get("target") or ""), "volumes")
    mount = new(kind, target)
    mount["read_only"] = bool(entry.get("read_only"))
    if kind == "bind":
        _bind(mount, entry)
    elif kind == "volume":
        _volume(project, mount, entry, inherited)
    elif kind == "image":
        if not entry.get("source"):
            raise InvalidInput(f"source is required for an image mount: {target}")
        mount["image"], mount["read_only"], mount["resolve"] = str(entry["source"]), True, True
        if (entry.get("image") or {}).get("subpath"):
            mount_keys.apply(mount, "image-subpath", str(entry["image"]["subpath"]), str(target))
    else:
        details = entry.get("tmpfs") or {}
        if details.get("size"):
            mount["options"].append(f"size={details['size']}")
        if details.get("mode") is not None:
            mount["options"].append(f"mode={details['mode']:o}")
    mount["long"] = True
    return mount


def _bind(mount: Mount, entry: dict[str, Any]) -> None:
    details = entry.get("bind") or {}
    if not entry.get("source"):
        raise InvalidInput(f"source is required for a bind mount: {mount['target']}")
    mount["source"] = str(entry["source"])
    mount["options"] = ["rbind"]
    mount["create_source"] = bool(details.get("create_host_path", True))
    if details.get("propagation"):
        mount["options"].append(str(details["propagation"]))
    if details.get("selinux"):
        mount["options"].append(str(details["selinux"]))
    if details.get("recursive"):
        mount_keys.apply(mount, "bind-recursive", str(details["recursive"]), str(mount["target"]))
        mount_keys.check(mount)


def _volume(project: Project, mount: Mount, entry: dict[str, Any], inherited: dict[str, str]) -> None:
    details = entry.get("volume") or {}
    if entry.get("source"):
        mount["volume"] = volume_name(str(project.resources("volumes")[entry["source"]]["name"]))
    elif str(mount["target"]) in inherited:
        mount["volume"] = inherited[str(mount["target"])]
        mount["options"].append("anonymous")
    if details.get("nocopy"):
        mount["copy_up"] = False
    if details.get("labels"):
        mount["volume_labels"] = dict(details["labels"])
    if details.get("subpath"):
        mount_keys.apply(mount, "volume-subpath", str(details["subpath"]), str(mount["target"]))


def _kept(target: str, name: str) -> Mount:
    mount = new("volume", GuestPath(target))
    mount["volume"] = name
    mount["options"].append("anonymous")
    return mount


def _file(kind: str, entry: dict[str, Any], source: dict[str, Any]) -> Mount:
    path = str(source["file"])
    if not os.path.exists(path):
        raise NotFound(f"{kind}.{entry['source']}: {path}: no such file or directory")
    mount = new("bind", GuestPath(target_of(kind, entry)))
    mount["source"], mount["options"], mount["read_only"], mount["long"] = path, ["rbind"], True, True
    mount["create_source"] = False
    return mount
