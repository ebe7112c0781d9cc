"""The rarer keys of `--mount`, taken over by parse_mount(). Imported where one is written. Pure."""

from __future__ import annotations

from rootless.engine.options.mount_config import GIVEN, Mount
from rootless.errors import InvalidInput, NotSupported

_BOOLEANS = {"true": True, "1": True, "": True, "false": False, "0": False}


def apply(mount: Mount, key: str, value: str, word: str) -> None:
    """Note `key=value` in `mount`; InvalidInput where its type has no such key."""
    kind, dash, name = key.partition("-")
    if dash and kind in ("bind", "volume", "image", "tmpfs") and kind != mount["type"]:
        raise InvalidInput(f"cannot mix '{kind}-*' options with mount type '{mount['type']}' (in '{word}')")
    if key == "bind-create-src":
        if value not in _BOOLEANS:
            raise InvalidInput(f"invalid value for {key}: {value} (in '{word}')")
        mount["create_source"] = _BOOLEANS[value]
    elif key in ("u", "chown") and mount["type"] in ("bind", "volume"):
        if value not in _BOOLEANS:
            raise InvalidInput(f"invalid value for {key}: {value} (in '{word}')")
        mount["options"] += [GIVEN] * _BOOLEANS[value]
    elif key == "offset" and mount["type"] == "squashfs":
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise InvalidInput(f"invalid offset '{value}' (in '{word}')", hint="write the number of bytes before the squashfs")
        mount["offset"] = int(value)
    elif key == "bind-recursive":
        mount["recursive"] = _recursive(mount, value, word)
    elif key == "volume-driver":
        if value not in ("", "local"):
            raise NotSupported(f"no volume driver '{value}'", hint="`local` is the only one")
    elif key in ("volume-opt", "volume-label"):
        option, equals, text = value.partition("=")
        if not option or (key == "volume-opt" and not equals):
            raise InvalidInput(f"invalid {key} '{value}' (in '{word}')", hint=f"write {key}=NAME=VALUE")
        if key == "volume-opt":
            mount.setdefault("volume_options", {})[option] = text
        else:
            mount.setdefault("volume_labels", {})[option] = text
    elif name == "subpath" and kind in ("volume", "image"):
        if not value or value.startswith("/") or ".." in value.split("/"):
            raise InvalidInput(
                f"invalid {key} '{value}' (in '{word}')",
                hint="write a path below it, without a leading / or ..",
            )
        mount["subpath"] = value
    else:
        raise InvalidInput(f"unexpected key '{key}' in '{word}'")


def _recursive(mount: Mount, value: str, word: str) -> str:
    if value in ("enabled", "true", "1"):
        return ""
    if value in ("disabled", "false", "0"):
        mount["options"] = ["bind" if option == "rbind" else option for option in mount["options"]]
        return ""
    if value not in ("writable", "readonly"):
        raise InvalidInput(
            f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
            f" (in '{word}')"
        )
    return value


def check(mount: Mount) -> None:
    """Raise InvalidInput for keys that contradict each other, in Docker's words."""
    asked = mount.get("recursive")
    if asked and not mount["read_only"]:
        raise InvalidInput(
            f"option 'bind-recursive={asked}' requires 'readonly' to be specified in conjunction"
        )
    if asked == "readonly" and "rprivate" not in mount["options"]:
        raise InvalidInput(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
        )
