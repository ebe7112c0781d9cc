"""The answers of `--call` as text and as JSON, in the form of BuildKit's subrequests."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from rootless.build.dockerfile.error import excerpt
from rootless.build.dockerfile.instructions import LintWarning
from rootless.build.plan.calls import Check, Outline, Parameter, Target
from rootless.words import plain, plain_lines


def check_text(found: Check, file: str, lines: tuple[str, ...]) -> str:
    """How many findings there are, each with its lines, and the error."""
    count = len(found.warnings)
    parts: list[str] = []
    if count or not found.error:
        said = (
            "no warnings"
            if not count
            else f"{count} warning has been"
            if count == 1
            else f"{count} warnings have been"
        )
        parts.append(f"Check complete, {said} found{'!' if count else '.'}\n")
    for warning in sorted(found.warnings, key=lambda warning: warning.first):
        link = f" - {warning.url}" if warning.url else ""
        place = excerpt(file, lines, warning.first, warning.last)
        parts.append(f"\nWARNING: {warning.rule}{link}\n{plain(warning.detail)}\n{place}")
    if found.error:
        parts.append(f"{plain(found.error.message)}\n{found.error.excerpt()}")
    return "".join(parts)


def summary(warnings: tuple[LintWarning, ...]) -> str:
    """Findings in a line each, for the end of a build."""
    count = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    lines = "".join(f"\n - {one.rule}: {plain(one.detail)} (line {one.first})" for one in warnings)
    return f" {count} found (use --check to see where):{lines}"


def check_document(found: Check, file: str, data: bytes) -> dict[str, Any]:
    """`frontend.lint`'s result.json."""
    document: dict[str, Any] = {
        "warnings": [
            {
                "ruleName": warning.rule,
                "description": warning.description,
                **({"url": warning.url} if warning.url else {}),
                "detail": warning.detail,
                "location": _location(warning.first, warning.last),
            }
            for warning in found.warnings
        ],
        "sources": [{"filename": file, "language": "Dockerfile", "data": _encoded(data)}],
    }
    if found.error:
        location = _location(found.error.first, found.error.last) if found.error.first else {}
        document["buildError"] = {"message": found.error.message, "location": location}
    return document


def targets_text(found: tuple[Target, ...]) -> str:
    """A line for each stage that has a name or is the default."""
    rows = [("TARGET", "DESCRIPTION")]
    for target in found:
        words = (target.name, "(default)" if target.default else "")
        if any(words):
            rows.append((" ".join(filter(None, words)), target.description))
    return _table(rows)


def targets_document(found: tuple[Target, ...], data: bytes) -> dict[str, Any]:
    """`frontend.targets`' result.json."""
    listed = [
        _without_empty(
            {
                "name": target.name,
                "default": target.default,
                "description": target.description,
                "base": target.base,
                "platform": target.platform,
                "location": _location(target.first, target.last),
            }
        )
        for target in found
    ]
    return {"targets": listed, "sources": [_encoded(data)]}


def outline_text(found: Outline) -> str:
    """The target, then a table for each kind of thing that it can be given."""
    parts: list[str] = []
    if found.name or found.description:
        rows = [("TARGET:", found.name or "(default)")]
        if found.description:
            rows.append(("DESCRIPTION:", found.description))
        parts.append(_table(rows))
    if found.arguments:
        arguments = [(argument.name, argument.value, argument.description) for argument in found.arguments]
        parts.append(_table([("BUILD ARG", "VALUE", "DESCRIPTION"), *arguments]))
    for word, listed in (("SECRET", found.secrets), ("SSH", found.ssh)):
        if listed:
            required = [(parameter.name, "true" if parameter.required else "") for parameter in listed]
            parts.append(_table([(word, "REQUIRED"), *required]))
    return "\n".join(parts)


def outline_document(found: Outline, data: bytes) -> dict[str, Any]:
    """`frontend.outline`'s result.json."""
    document = {
        "name": found.name,
        "description": found.description,
        "args": [
            _without_empty({"name": item.name, "description": item.description, "value": item.value})
            | _placed(item)
            for item in found.arguments
        ],
        "secrets": [_required(item) for item in found.secrets],
        "ssh": [_required(item) for item in found.ssh],
        "cache": [{"ID": item.name} | _placed(item) for item in found.caches],
    }
    return _without_empty(document) | {"sources": [_encoded(data)]}


def _required(item: Parameter) -> dict[str, Any]:
    return _without_empty({"name": item.name, "required": item.required}) | _placed(item)


def _placed(item: Parameter) -> dict[str, Any]:
    return {"location": _location(item.first, item.last)}


def _location(first: int, last: int) -> dict[str, Any]:
    return {"ranges": [{"start": {"line": first}, "end": {"line": last}}]}


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "   ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return plain_lines("\n".join(lines)) + "\n"
