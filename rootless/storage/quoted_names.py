"""Names of images and indexes as paths below images/names. Pure. Hot path."""

from __future__ import annotations

_QUOTED = 200  # longer names continue in directories below: `<beginning>+/<rest>`
_NAME_MAX = 255


def quoted(name: str) -> str:
    """The path of a name below images/names."""
    text = _no_dot(name.replace("%", "%25").replace("/", "%2F"))
    if len(text) <= _QUOTED:
        return text
    pieces, rest = [text[:_QUOTED]], _no_dot(text[_QUOTED:])
    while len(rest) > _NAME_MAX:
        pieces.append(rest[: _NAME_MAX - 1])
        rest = _no_dot(rest[_NAME_MAX - 1 :])
    return "+/".join([*pieces, rest])


def _no_dot(text: str) -> str:
    return "%2E" + text[1:] if text[:1] == "." else text


def unquoted(path: str) -> str:
    """The name whose path below images/names is `path`."""
    return path.replace("+/", "").replace("%2E", ".").replace("%2F", "/").replace("%25", "%")
