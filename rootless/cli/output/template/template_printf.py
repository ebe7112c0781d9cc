"""Go's fmt.Sprintf, Sprint and Sprintln over the values of templates."""

from __future__ import annotations

import re
from typing import Any

from rootless.cli.output.template.template_values import Object, quoted, text_of, type_name, wanted_text

_VERB = re.compile(r"%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?([a-zA-Z%])")
_WIDEST = 1 << 16


def printf(pattern: Any, *arguments: Any) -> str:
    """Go's Sprintf for the verbs s v q d b o x X f F g e t c T U and %, with widths."""
    rest = list(arguments)

    def number(text: str | None) -> int | None:
        if text == "*":
            given = rest.pop(0) if rest else 0
            text = str(given) if isinstance(given, int) else "0"
        return None if text is None else max(-_WIDEST, min(int(text), _WIDEST))

    def one(found: re.Match[str]) -> str:
        flags, verb = found[1], found[4]
        width, precision = number(found[2]), number(found[3])
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, flags, precision, rest.pop(0))
        if width is None:
            return text
        if "-" in flags or width < 0:
            return text.ljust(abs(width))
        return text.zfill(width) if "0" in flags and verb in "dxXobfFge" else text.rjust(width)

    text = _VERB.sub(one, wanted_text(pattern))
    if rest:
        text += "%!(EXTRA " + ", ".join(f"{type_name(value)}={text_of(value)}" for value in rest) + ")"
    return text


def _verb(verb: str, flags: str, precision: int | None, value: Any) -> str:
    if verb == "T":
        return "<nil>" if value is None else type_name(value)
    if verb == "v":
        return _detailed(value) if "#" in flags or "+" in flags else text_of(value)
    if isinstance(value, (list, tuple)) and verb != "s":
        return "[" + " ".join(_verb(verb, flags, precision, item) for item in value) + "]"
    if isinstance(value, bool):
        return text_of(value) if verb == "t" else _wrong(verb, value)
    if isinstance(value, str):
        return _string(verb, flags, precision, value)
    if isinstance(value, int):
        return _integer(verb, flags, value)
    if isinstance(value, float) and verb in "fFge":
        return format(value, f"{'+' if '+' in flags else ''}.{6 if precision is None else precision}{verb}")
    return text_of(value) if verb == "s" and isinstance(value, (list, tuple, dict)) else _wrong(verb, value)


def _string(verb: str, flags: str, precision: int | None, value: str) -> str:
    if verb == "s":
        return value if precision is None else value[:precision]
    if verb == "q":
        return f"`{value}`" if "#" in flags and "`" not in value else quoted(value)
    if verb in "xX":
        found = value.encode("utf-8", "surrogateescape").hex()
        return found.upper() if verb == "X" else found
    return _wrong(verb, value)


def _integer(verb: str, flags: str, value: int) -> str:
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if verb in "dxXob":
        return format(value, f"{sign}{'#' if '#' in flags and verb != 'd' else ''}{verb}")
    if verb in "cqU" and 0 <= value < 0x110000:
        return {"c": chr(value), "q": f"'{chr(value)}'", "U": f"U+{value:04X}"}[verb]
    return _wrong(verb, value)


def _detailed(value: Any) -> str:
    """%+v and %#v: structs with the names of their fields."""
    if isinstance(value, Object):
        fields = (f"{known.go_name}:{_detailed(value[known.name])}" for known in value.struct.fields)
        return "{" + " ".join(fields) + "}"
    return text_of(value)


def _wrong(verb: str, value: Any) -> str:
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={text_of(value)})"


def sprint(*values: Any) -> str:
    """Go's Sprint: a space between two values where neither is a string."""
    text = ""
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            text += " "
        text += text_of(value)
    return text


def sprintln(*values: Any) -> str:
    """Go's Sprintln."""
    return " ".join(map(text_of, values)) + "\n"
