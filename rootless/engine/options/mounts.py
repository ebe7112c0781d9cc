"""-v, --mount and --tmpfs: a user's words into mounts. Pure: looks at no file system.

Grammar and wording are Docker's (docs.docker.com, "docker run", Bind mounts and Volumes). Hot path.
"""

from __future__ import annotations

import os

from rootless.engine.options.mount_config import GIVEN, Mount, new
from rootless.engine.options.values import parse_bytes
from rootless.errors import InvalidInput
from rootless.words import GuestPath, UserWord

_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
# Words that other hosts need and that change nothing on Linux without a virtual machine.
_WITHOUT_EFFECT = frozenset({"consistent", "cached", "delegated", "default"})
# Of each of these a -v may say one: `ro,rw` is neither.
_ONE_OF = (
    frozenset({"ro", "readonly", "rw"}), _PROPAGATION, _WITHOUT_EFFECT, frozenset({"z", "Z"}), frozenset({"bind", "rbind"}),
    frozenset({"nocopy", "volume-nocopy"}), frozenset({"exec", "noexec"}), frozenset({"suid", "nosuid"}),
    frozenset({"dev", "nodev"}),
)  # fmt: skip


def guest_path(path: str, word: str) -> GuestPath:
    """Where a mount is to be in the container, of the whole `word`; InvalidInput unless it is absolute and not the root."""
    if not path.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{path}' mount path must be absolute (in '{word}')")
    clean = os.path.normpath(path)
    clean = "/" + clean.lstrip("/")
    if clean == "/":
        raise InvalidInput(f"invalid specification: destination can't be '/' (in '{word}')")
    return GuestPath(clean)


def parse_volume(word: UserWord) -> Mount:
    """One -v word: `[SOURCE:]TARGET[:OPTIONS]`, SOURCE a path or a volume's name."""
    parts = word.split(":")
    if len(parts) == 1:
        return new("volume", guest_path(word, word))
    if len(parts) > 3 or not all(parts):
        raise InvalidInput(f"invalid volume specification: '{word}'", hint="write SOURCE:TARGET[:ro]")
    source, target = parts[0], guest_path(parts[1], word)
    if source.startswith(("/", ".", "~")):
        mount = new("bind", target)
        mount["source"] = os.path.abspath(os.path.expanduser(source))
        mount["options"] = ["rbind"]
        mount["create_source"] = True
    else:
        mount = new("volume", target)
        mount["volume"] = volume_name(source)
    options = parts[2].split(",") if len(parts) == 3 else []
    if any(sum(option in group for option in options) > 1 for group in _ONE_OF):
        raise InvalidInput(f"invalid mode: {parts[2]} (in '{word}')", hint="they contradict one another: keep one")
    if mount["type"] == "bind" and any("nocopy" in option for option in options):
        raise InvalidInput(f"invalid mode: {parts[2]} (in '{word}')", hint="nocopy is for volumes")
    if mount["type"] == "volume" and any(option in _PROPAGATION for option in options):
        raise InvalidInput(f"invalid mode: {parts[2]} (in '{word}')", hint="propagation is for directories of the host")
    for option in options:
        _apply_option(mount, option, word)
    return mount


def volume_name(name: str) -> str:
    """The name checked as Docker checks it; raises InvalidInput."""
    # [a-zA-Z0-9][a-zA-Z0-9_.-]+, without a regular expression compiled for each start
    rest = name.replace("_", "a").replace(".", "a").replace("-", "a")
    if len(name) < 2 or not (name.isascii() and name[0].isalnum() and rest.isalnum()):
        raise InvalidInput(
            f'"{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
            "are allowed",
            hint="if you intended to pass a host directory, use an absolute path",
        )
    return name


def _apply_option(mount: Mount, option: str, word: UserWord) -> None:
    if option in ("ro", "readonly"):
        mount["read_only"] = True
    elif option == "rw":
        mount["read_only"] = False
    elif option in ("nocopy", "volume-nocopy"):
        mount["copy_up"] = False
    elif option in _PROPAGATION or option in ("noexec", "nosuid", "nodev", "exec", "suid", "dev"):
        mount["options"].append(option)
    elif option in ("bind", "rbind"):
        mount["options"] = [o for o in mount["options"] if o not in ("bind", "rbind")] + [option]
    elif option in ("z", "Z", GIVEN):
        mount["options"].append(option)
    elif option not in _WITHOUT_EFFECT:
        raise InvalidInput(f"invalid mode: '{option}' (in '{word}')")


def parse_tmpfs(word: UserWord) -> Mount:
    """One --tmpfs word: `TARGET[:OPTIONS]`; Docker's defaults are rw,noexec,nosuid,nodev."""
    target, _, options = word.partition(":")
    mount = new("tmpfs", guest_path(target, word))
    for option in filter(None, options.split(",")):
        name, _, value = option.partition("=")
        if name == "size":
            share = value.removesuffix("%")
            if share != value and share.isascii() and share.isdigit() and len(share) < 4:
                mount["options"].append(option)  # of the memory there is: tmpfs(5)
            else:
                mount["options"].append(f"size={parse_bytes(value, name='tmpfs size')}")
        elif name in ("mode", "uid", "gid", "nr_inodes", "nr_blocks"):
            mount["options"].append(option)
        elif option == "ro":
            mount["read_only"] = True
        elif option in ("rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "sync"):
            mount["options"].append(option)
        else:
            raise InvalidInput(f"invalid tmpfs option '{option}' (in '{word}')")
    return mount


_TRUE = {"true": True, "1": True, "": True, "false": False, "0": False}


def parse_mount(word: UserWord) -> Mount:
    """One --mount word: comma-separated key=value, as `type=bind,src=/a,dst=/b,readonly`."""
    fields: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for field in _csv(word):
        key, _, value = field.partition("=")
        key = key.strip().lower()
        if key in ("volume-opt", "volume-label"):
            repeated.append((key, value))
        else:
            fields[key] = value
    kind = fields.pop("type", "volume")
    if kind not in ("bind", "volume", "tmpfs", "image", "squashfs"):
        raise InvalidInput(
            f"invalid mount type '{kind}' (in '{word}')", hint="bind, volume, tmpfs, image and squashfs are supported"
        )
    target = _first(fields, "target", "dst", "destination")
    if not target:
        raise InvalidInput(f"target is required (in '{word}')")
    mount = new(kind, guest_path(target, word))
    mount["long"] = True
    source = _first(fields, "source", "src")
    if kind == "bind":
        if not source:
            raise InvalidInput(f"source is required for a bind mount (in '{word}')")
        mount["source"] = os.path.abspath(os.path.expanduser(source))
        mount["options"] = ["rbind"]
    elif kind == "volume":
        mount["volume"] = volume_name(source) if source else ""
    elif kind == "image":
        if not source:
            raise InvalidInput(f"source is required for an image mount (in '{word}')")
        mount["image"], mount["read_only"], mount["resolve"] = source, True, True
    elif kind == "squashfs":
        if not source:
            raise InvalidInput(f"source is required for a squashfs mount (in '{word}')")
        mount["source"] = os.path.abspath(os.path.expanduser(source)) if "/" in source else source
        mount["read_only"], mount["resolve"] = True, True
    elif source:
        raise InvalidInput(f"a tmpfs mount has no source (in '{word}')")
    for key, value in [*fields.items(), *repeated]:
        _apply_field(mount, key, value, word)
    if "recursive" in mount:
        from rootless.engine.options import mount_keys

        mount_keys.check(mount)
    return mount


def _csv(word: str) -> list[str]:
    """The fields of one record of RFC 4180, as Go's encoding/csv reads it; the module csv costs 3 ms."""
    if '"' not in word:
        return word.split(",")
    found, rest = [], word
    while True:
        if rest.startswith('"'):
            text, rest = "", rest[1:]
            while True:
                part, quote, rest = rest.partition('"')
                text += part
                if not quote:
                    raise InvalidInput(f"parse error: a quote is not closed (in '{word}')")
                if not rest.startswith('"'):
                    break
                text, rest = text + '"', rest[1:]
            if rest and not rest.startswith(","):
                raise InvalidInput(f"parse error: extraneous or missing \" in quoted field (in '{word}')")
            comma, rest = rest[:1], rest[1:]
        else:
            text, comma, rest = rest.partition(",")
            if '"' in text:
                raise InvalidInput(
                    f"parse error: bare \" in non-quoted field (in '{word}')", hint='quote the whole field: "src=/a,b"'
                )
        found.append(text)
        if not comma:
            return found


def _first(fields: dict[str, str], *names: str) -> str:
    found = ""
    for name in names:
        found = fields.pop(name, "") or found
    return found


def _apply_field(mount: Mount, key: str, value: str, word: UserWord) -> None:
    kind = mount["type"]
    if key in ("readonly", "ro", "volume-nocopy", "bind-nonrecursive"):
        if value not in _TRUE:
            raise InvalidInput(f"invalid value for {key}: {value} (in '{word}')")
        if key == "volume-nocopy":
            mount["copy_up"] = not _TRUE[value]
        elif key == "bind-nonrecursive":
            mount["options"] = ["bind" if _TRUE[value] else "rbind"]
        else:
            mount["read_only"] = _TRUE[value]
    elif key == "bind-propagation" and kind == "bind" and value in _PROPAGATION:
        mount["options"].append(value)
    elif key == "tmpfs-size" and kind == "tmpfs":
        mount["options"].append(f"size={parse_bytes(value, name='tmpfs-size')}")
    elif key == "tmpfs-mode" and kind == "tmpfs":
        mount["options"].append(f"mode={value}")
    elif key != "consistency":
        from rootless.engine.options import mount_keys

        mount_keys.apply(mount, key, value, word)
