"""The comments at the very top that mean something: `# syntax=`, `# escape=`, `# check=`."""

from __future__ import annotations

import json

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Directives

_KNOWN = ("syntax", "escape", "check")


def parse(lines: tuple[str, ...]) -> tuple[Directives, int]:
    """What the first lines say, and how many of them are directives.

    The first line that is none ends them, a blank one and an ordinary comment too. A `#!` line may stand before
    `syntax` and `check`, but not before `escape`: the lexer has never looked beyond it.
    """
    shebang = bool(lines) and lines[0].startswith("#!")
    found, count = _block(lines[shebang:], "#", shebang)
    values = {key: value for key, (value, _) in found.items()}
    if shebang:
        values.pop("escape", None)
    escape = values.get("escape", "\\")
    if escape not in ("\\", "`"):
        line = found["escape"][1]
        raise DockerfileError(f"invalid escape token '{escape}' does not match ` or \\", first=line)
    syntax = values.get("syntax", "") or _other_syntax(lines, shebang)
    directives = Directives(
        escape=escape,
        syntax=syntax.split(" ")[0],
        check=values.get("check", ""),
        check_line=found["check"][1] if "check" in found else 0,
    )
    return directives, 0 if shebang else count


def _block(lines: tuple[str, ...], comment: str, skipped: int) -> tuple[dict[str, tuple[str, int]], int]:
    """Key to value and line."""
    found: dict[str, tuple[str, int]] = {}
    for count, line in enumerate(lines):
        key, value = _directive(line, comment)
        if key not in _KNOWN:
            return found, count
        number = count + 1 + skipped
        if key in found:
            raise DockerfileError(f"only one {key} parser directive can be used", first=number)
        found[key] = (value, number)
    return found, len(lines)


def _directive(line: str, comment: str) -> tuple[str, str]:
    text = line.strip()
    key, equals, value = text.removeprefix(comment).partition("=")
    key, value = key.strip(), value.strip()
    if not text.startswith(comment) or not equals or not value or not (key.isascii() and key.isalnum()):
        return "", ""
    return key.lower(), value


def _other_syntax(lines: tuple[str, ...], shebang: bool) -> str:
    """`// syntax=` and a JSON document's "syntax": files of other frontends that are recognised to be refused."""
    try:
        found, _ = _block(lines[shebang:], "//", shebang)
    except DockerfileError:
        return ""
    if "syntax" in found:
        return found["syntax"][0]
    if lines and lines[0].lstrip().startswith("{"):
        try:
            document = json.loads("\n".join(lines))
        except (ValueError, RecursionError):
            return ""
        if isinstance(document, dict) and isinstance(document.get("syntax"), str):
            return str(document["syntax"])
    return ""


def is_dockerfile_frontend(syntax: str) -> bool:
    """Whether `# syntax=` names a frontend whose language is ours: docker/dockerfile, of any tag, from any mirror."""
    name = syntax.partition("@")[0]
    last = name.rpartition("/")[2].partition(":")[0]
    path = name.rpartition("/")[0].rpartition("/")[2]
    return not syntax or (path == "docker" and last in ("dockerfile", "dockerfile-upstream"))
