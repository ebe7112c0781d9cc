"""YAML as go-yaml writes it: two blanks, lists indented below their key, quotes only where they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_OLD_BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}
_NULLS = {"", "~", "null", "Null", "NULL"}
_NUMBER = re.compile(
    r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*|(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt \t].*)?")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\a": "\\a", "\b": "\\b", "\x1b": "\\e",
            "\f": "\\f", "\v": "\\v", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}  # fmt: skip


def emit(value: Any) -> str:
    """A document; mappings keep their order."""
    if isinstance(value, dict) and value:
        return "".join(_mapping(value, 0))
    return "".join(_sequence(value, 0)) if isinstance(value, list) and value else _scalar(value, 0) + "\n"


def _mapping(value: dict[str, Any], indent: int) -> Iterator[str]:
    for key, one in value.items():
        yield f"{' ' * indent}{_key(key)}:{_after(one, indent)}"


def _key(key: Any) -> str:
    """On one line: as a block its lines would be read as keys of their own."""
    return _double(key) if isinstance(key, str) and "\n" in key else _scalar(key, 0)


def _sequence(value: list[Any], indent: int) -> Iterator[str]:
    for one in value:
        if isinstance(one, dict) and one:
            lines = "".join(_mapping(one, indent + 2))
            yield f"{' ' * indent}- {lines[indent + 2:]}"
        elif isinstance(one, list) and one:
            lines = "".join(_sequence(one, indent + 2))
            yield f"{' ' * indent}- {lines[indent + 2:]}"
        else:
            yield f"{' ' * indent}- {_scalar(one, indent + 2)}\n"


def _after(value: Any, indent: int) -> str:
    """What stands behind a key's colon."""
    if isinstance(value, dict) and value:
        return "\n" + "".join(_mapping(value, indent + 2))
    if isinstance(value, list) and value:
        return "\n" + "".join(_sequence(value, indent + 2))
    return f" {_scalar(value, indent + 2)}\n"


def _scalar(value: Any, indent: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _text(value, indent)
    return "{}" if isinstance(value, dict) else "[]"


def _float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return repr(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _text(text: str, indent: int) -> str:
    if text in _NULLS or text.lower() in _OLD_BOOLEANS or _NUMBER.fullmatch(text) or _DATE.fullmatch(text) or text in ("<<", "="):
        return _double(text)
    if any(not letter.isprintable() and letter != "\n" for letter in text):
        return _double(text)
    if "\n" in text:
        return _literal(text, indent)
    return text if _can_be_plain(text) else "'" + text.replace("'", "''") + "'"


def _can_be_plain(text: str) -> bool:
    if text[0] in " \t" or text[-1] in " \t" or text.startswith(("---", "...")):
        return False
    if text[0] in ",[]{}#&*!|>'\"%@`":
        return False
    if text[0] in "-?:" and (len(text) == 1 or text[1] in " \t"):
        return False
    return not (": " in text or " #" in text or text.endswith(":") or ":\t" in text or "\t#" in text)


def _literal(text: str, indent: int) -> str:
    if text.strip("\n") == "" or any(line.rstrip(" ") != line for line in text.split("\n")):
        return _double(text)
    lead = str(2) if text[0] in " \n" else ""
    end = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    blanks = " " * max(indent, 2)
    lines = text.removesuffix("\n").split("\n")
    return f"|{lead}{end}\n" + "\n".join(blanks + line if line else "" for line in lines)


def _double(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(letter) or (letter if letter.isprintable() else _code(letter)) for letter in text) + '"'


def _code(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02X}" if number < 256 else f"\\u{number:04X}" if number < 65536 else f"\\U{number:08X}"
