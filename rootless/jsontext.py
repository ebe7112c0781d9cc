"""JSON for the hot path: `loads` and `dumps` as the module json has them, without importing it.

json brings its decoder and encoder in Python, the module re among them: 6 ms in all. The work is done
by the C module _json, which is what json itself calls; where a Python has no such module, or a
text is anything but plain JSON, json does it and words the error. A test compares the two. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    make_scanner: Any
    make_encoder: Any
    encode_basestring_ascii: Any
else:
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner
    except ImportError:  # another implementation of Python
        make_scanner = None

_SPACE = " \t\n\r"


class _Settings:
    """What json's own decoder passes to the scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


_scan = make_scanner(_Settings) if make_scanner else None


def loads(data: str | bytes) -> Any:
    """The value of a JSON text; ValueError (json.JSONDecodeError) where it is none."""
    if _scan is not None and (isinstance(data, str) or (data[:1] in b'{["' and 0 not in data[:4])):
        text = data if isinstance(data, str) else str(data, "utf-8", "surrogatepass")
        try:
            value, end = _scan(text, 0)
            if end == len(text) or not text[end:].strip(_SPACE):
                return value
        except (StopIteration, ValueError, SystemError):
            pass  # SystemError: the C module wants to raise json's own error, and json is not there
    # Leading space, another encoding, or no JSON.
    import json

    return json.loads(data)


def dumps(value: Any, *, separators: tuple[str, str] = (", ", ": "), sort_keys: bool = False) -> str:
    """The JSON text of a value on one line, in ASCII; TypeError where it has none."""
    if make_scanner is None:
        import json

        return json.dumps(value, separators=separators, sort_keys=sort_keys)
    item, key = separators
    encode = make_encoder({}, _refuse, encode_basestring_ascii, None, key, item, sort_keys, False, True)
    return "".join(encode(value, 0))


def _refuse(value: object) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
