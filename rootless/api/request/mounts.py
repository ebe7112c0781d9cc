"""Binds, Mounts, Tmpfs, Volumes and Devices of a request.

Here a word of the API becomes one of the user's: a path of the host is taken only where it is absolute, since a
client's directory and home are not ours.
"""

from __future__ import annotations

import os

from rootless.api import own_socket
from rootless.api.request.fields import Fields
from rootless.api.words import ApiWord
from rootless.engine.cdi import requests
from rootless.engine.cdi.requests import DeviceRequest
from rootless.engine.options.mount_config import Mount, new
from rootless.engine.options.mounts import guest_path, parse_tmpfs, parse_volume, volume_name
from rootless.engine.options.values import DeviceOption, parse_device
from rootless.errors import InvalidInput, NotSupported
from rootless.words import UserWord

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


def mounts(config: Fields, host: Fields) -> list[Mount]:
    """All of them: `config` is the request's top, `host` its HostConfig."""
    found = [_bind(word) for word in host.texts("Binds")]
    found += [_mount(each) for each in host.objects("Mounts")]
    found += [_tmpfs(target, options) for target, options in host.pairs("Tmpfs").items()]
    taken = {mount["target"] for mount in found}
    for word in config.names("Volumes"):
        # Docker's clients of old put `-v a:b` here as well; what is a bind already is none of these.
        target = guest_path(word.partition(":")[2] or word, word)
        if target not in taken:
            found.append(new("volume", target))
            taken.add(target)
    return found


def _bind(word: ApiWord) -> Mount:
    """`SOURCE:TARGET[:OPTIONS]`."""
    if word.startswith((".", "~")):
        raise InvalidInput(
            f"invalid volume specification: '{word}': the path of a bind mount has to be absolute",
            hint="the service has no directory that it could be relative to",
        )
    mount = parse_volume(UserWord(word))
    if mount["source"]:
        mount["source"] = own_socket.meant(mount["source"])
    return mount


def _tmpfs(target: ApiWord, options: ApiWord) -> Mount:
    if ":" in target:
        raise InvalidInput(f"invalid tmpfs: '{target}' has a colon in it")
    return parse_tmpfs(UserWord(f"{target}:{options}"))


def _mount(fields: Fields) -> Mount:
    """One of Mounts: what --mount writes as key=value."""
    kind, source, target = fields.text("Type"), fields.text("Source"), fields.text("Target")
    if kind not in ("bind", "volume", "tmpfs", "image"):
        raise InvalidInput(f"invalid mount config for type {kind!r}: mount type unknown", hint="bind, volume, tmpfs or image")
    if not target:
        raise InvalidInput(f'invalid mount config for type "{kind}": field Target must not be empty')
    mount = new(kind, guest_path(target, target))
    mount["long"] = True
    mount["read_only"] = fields.flag("ReadOnly")
    for other in ("bind", "volume", "tmpfs", "image"):
        if other != kind and f"{other}Options" in fields and kind != "image":
            raise InvalidInput(f'invalid mount config for type "{kind}": field {other.title()}Options must not be specified')
    if kind == "bind":
        _of_bind(mount, source, fields.object("BindOptions"))
    elif kind == "volume":
        _of_volume(mount, source, fields.object("VolumeOptions"))
    elif kind == "image":
        if not source:
            raise InvalidInput('invalid mount config for type "image": field Source must not be empty')
        mount["image"], mount["read_only"], mount["resolve"] = source, True, True
        if subpath := fields.object("ImageOptions").text("Subpath"):
            mount["subpath"] = _subpath(subpath)
    else:
        if source:
            raise InvalidInput('invalid mount config for type "tmpfs": field Source must not be specified')
        _of_tmpfs(mount, fields.object("TmpfsOptions"))
    return mount


def _of_bind(mount: Mount, source: ApiWord, options: Fields) -> None:
    if not source.startswith("/"):
        raise InvalidInput(f"invalid mount config for type \"bind\": invalid mount path: '{source}' mount path must be absolute")
    mount["source"] = own_socket.meant(os.path.normpath(source))
    recursive = not options.flag("NonRecursive")
    mount["options"] = ["rbind" if recursive else "bind"]
    if propagation := options.text("Propagation"):
        if propagation not in _PROPAGATION:
            raise InvalidInput(f'invalid mount config for type "bind": invalid propagation mode: {propagation}')
        mount["options"].append(propagation)
    if options.flag("CreateMountpoint"):
        mount["create_source"] = True
    elif not os.path.lexists(mount["source"]):
        raise InvalidInput(f'invalid mount config for type "bind": bind source path does not exist: {mount["source"]}')
    if options.flag("ReadOnlyNonRecursive") and options.flag("ReadOnlyForceRecursive"):
        raise InvalidInput('invalid mount config for type "bind": mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive')
    if options.flag("ReadOnlyNonRecursive"):
        mount["recursive"] = "writable"
    elif options.flag("ReadOnlyForceRecursive"):
        mount["recursive"] = "readonly"
    if "recursive" in mount:
        from rootless.engine.options import mount_keys

        mount_keys.check(mount)


def _of_volume(mount: Mount, source: ApiWord, options: Fields) -> None:
    mount["volume"] = volume_name(source) if source else ""
    mount["copy_up"] = not options.flag("NoCopy")
    driver = options.object("DriverConfig")
    if driver.text("Name") not in ("", "local"):
        raise NotSupported(f"no volume driver '{driver.text('Name')}'", hint="`local` is the only one")
    if chosen := driver.pairs("Options"):
        mount["volume_options"] = {str(key): str(value) for key, value in chosen.items()}
    if labels := options.pairs("Labels"):
        mount["volume_labels"] = {str(key): str(value) for key, value in labels.items()}
    if subpath := options.text("Subpath"):
        mount["subpath"] = _subpath(subpath)


def _of_tmpfs(mount: Mount, options: Fields) -> None:
    size, mode = options.number("SizeBytes"), options.number("Mode")
    if size < 0 or not 0 <= mode <= 0o7777:
        raise InvalidInput('invalid mount config for type "tmpfs": its size or its mode is out of range')
    if size:
        mount["options"].append(f"size={size}")
    if mode:
        mount["options"].append(f"mode={mode:o}")
    if "Options" in options:
        raise NotSupported("TmpfsOptions.Options are not supported", hint="HostConfig.Tmpfs takes a tmpfs with its options")


def _subpath(word: ApiWord) -> str:
    if word.startswith("/") or ".." in word.split("/"):
        raise InvalidInput(f"invalid subpath '{word}'", hint="a path below it, without a leading / or ..")
    return word


def devices(host: Fields) -> list[DeviceOption]:
    """Devices of the host, by their paths."""
    found = []
    for each in host.objects("Devices"):
        source, target = each.text("PathOnHost"), each.text("PathInContainer")
        permissions = each.text("CgroupPermissions") or "rwm"
        if ":" in source + target + permissions:
            raise InvalidInput(f"invalid device: {source}:{target}: a path has a colon in it")
        found.append(parse_device(f"{source}:{target or source}:{permissions}"))
    return found


def device_requests(host: Fields) -> list[str]:
    """HostConfig.DeviceRequests as names of CDI. InvalidInput, NotFound, NotSupported."""
    asked = host.objects("DeviceRequests")
    if not asked:
        return []
    return requests.names([_device_request(each) for each in asked])


def _device_request(each: Fields) -> DeviceRequest:
    count = each.number("Count")
    if count < -1:
        raise InvalidInput(f"invalid count ({count}) on device request")
    # Any one of the sets of capabilities is enough: all that there is has them all.
    sets = each.text_lists("Capabilities")
    ids = tuple(map(str, each.texts("DeviceIDs")))
    return DeviceRequest(str(each.text("Driver")), count, ids, tuple(map(str, sets[0] if sets else ())), bool(each.pairs("Options")))
