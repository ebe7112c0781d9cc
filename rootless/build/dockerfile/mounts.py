"""`RUN --mount=key=value,...`: the words, and what each type of mount takes."""

from __future__ import annotations

from collections.abc import Callable

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.quantities import integer, size_bytes, truth
from rootless.build.dockerfile.suggest import did_you_mean
from rootless.record import Record

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARING = ("shared", "private", "locked")
_KEYS = (
    "type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid",
    "src", "dst", "destination", "ro", "rw", "readwrite", "env",
)  # fmt: skip


class MountWords(Record):
    """What a mount says of itself, without defaults; "" and None where it says nothing."""

    type: str = "bind"
    from_: str = ""
    source: str = ""
    target: str = ""
    read_only: bool | None = None
    id: str = ""
    sharing: str = ""
    required: bool = False
    size_bytes: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str | None = None


def fields(text: str, *, what: str = "mounts") -> list[str]:
    """One line of comma-separated values, as RFC 4180 has them: a field in double quotes may hold commas."""
    found: list[str] = []
    position = 0
    while position <= len(text):
        if text.startswith('"', position):
            value, position = _quoted(text, position + 1, what)
            found.append(value)
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            value = text[position:end]
            if '"' in value:
                raise DockerfileError(f'failed to parse csv {what}: bare " in non-quoted field')
            found.append(value)
            position = end
        position += 1
    return found


def _quoted(text: str, position: int, what: str) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = text.find('"', position)
        if end < 0:
            raise DockerfileError(f'failed to parse csv {what}: extraneous or missing " in quoted field')
        parts.append(text[position:end])
        if not text.startswith('"', end + 1):
            break
        parts.append('"')
        position = end + 2
    if end + 1 < len(text) and text[end + 1] != ",":
        raise DockerfileError(f'failed to parse csv {what}: extraneous or missing " in quoted field')
    return "".join(parts), end + 1


def check(text: str) -> None:
    """Tell mistakes while the Dockerfile is read; what depends on a variable is told when the stage is planned."""
    words = fields(text)
    for field in words:
        key, _, value = field.partition("=")
        if key.lower() == "from" and "$" in value[:-1]:
            raise DockerfileError("'from' doesn't support variable expansion, define alias stage instead")
    if "$" not in text:
        parse(text, lambda value: value)


def parse(text: str, expand: Callable[[str], str]) -> MountWords:
    """The mount's words, values expanded by `expand`. Raises DockerfileError."""
    mount = MountWords()
    for field in fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if equals:
            mount = _set(mount, key, value if key == "from" else expand(value), field)
        elif key in ("readonly", "ro", "readwrite", "rw"):
            mount = mount._replace(read_only=key in ("readonly", "ro"))
        elif key == "required":
            mount = _set(mount, key, "true", field)
        else:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
    _check_type(mount)
    return mount


def _set(mount: MountWords, key: str, value: str, field: str) -> MountWords:
    if key == "type":
        return mount._replace(type=_one_of(value, TYPES, "mount type"))
    if key == "sharing":
        return mount._replace(sharing=_one_of(value, SHARING, "sharing value"))
    if key == "from":
        return mount._replace(from_=value)
    if key == "id":
        return mount._replace(id=value)
    if key == "env":
        return mount._replace(env=value)
    if key in ("source", "src"):
        return mount._replace(source=value)
    if key in ("target", "dst", "destination"):
        return mount._replace(target=value)
    if key in ("readonly", "ro", "readwrite", "rw"):
        return mount._replace(read_only=_truth(key, value) == (key in ("readonly", "ro")))
    if key in ("required", "size"):
        if mount.type not in (("secret", "ssh") if key == "required" else ("tmpfs",)):
            raise DockerfileError(f"unexpected key '{key}' for mount type '{mount.type}'")
        if key == "required":
            return mount._replace(required=_truth(key, value))
        size = size_bytes(value)
        if size is None:
            raise DockerfileError(f"invalid value for {key}: {value}")
        return mount._replace(size_bytes=size)
    if key in ("mode", "uid", "gid"):
        number = integer(value, base=8 if key == "mode" else 10)
        if number is None:
            raise DockerfileError(f"invalid value {value} for {key}")
        if key == "mode":
            return mount._replace(mode=number)
        return mount._replace(uid=number) if key == "uid" else mount._replace(gid=number)
    raise DockerfileError(f"unexpected key '{key}' in '{field}'{did_you_mean(key, _KEYS)}")


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value.lower() not in allowed:
        raise DockerfileError(f'unsupported {what} "{value}"{did_you_mean(value, allowed, any_case=True)}')
    return value.lower()


def _truth(key: str, value: str) -> bool:
    found = truth(value)
    if found is None:
        raise DockerfileError(f"invalid value for {key}: {value}")
    return found


def _check_type(mount: MountWords) -> None:
    kind = mount.type
    if kind in ("bind", "tmpfs"):
        for key, given in (("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)):
            if given is not None:
                raise DockerfileError(f'{key} not allowed for "{kind}" type mounts')
    if kind == "secret":
        if mount.from_:
            raise DockerfileError("secret mount should not have a from")
        if mount.sharing:
            raise DockerfileError("secret mount should not define sharing")
        if not (mount.source or mount.target or mount.id):
            raise DockerfileError("invalid secret mount. one of source, target required")
        if mount.source and mount.id:
            raise DockerfileError("both source and id can't be set")
    elif mount.env is not None:
        raise DockerfileError(f'env not allowed for "{kind}" type mounts')
    if mount.sharing and kind != "cache":
        raise DockerfileError(f"invalid cache sharing set for {kind} mount")
