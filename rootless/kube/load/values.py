"""Kubernetes' small grammars: quantities, names, and variables in texts."""

from __future__ import annotations

import re

from rootless.kube.load.node import Node

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)(m|k|[MGTPE]i?|Ki|)")
_FACTORS = {"": 1, "k": 10**3, **{unit: 1000 ** (at + 2) for at, unit in enumerate("MGTPE")},
            **{f"{unit}i": 1024 ** (at + 1) for at, unit in enumerate("KMGTPE")}}  # fmt: skip
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def quantity(node: Node, key: str) -> int:
    """Thousandths of a quantity (500m, 1.5, 64Mi); 0 where there is none."""
    word = node.scalar(key)
    if not word:
        return 0
    match = _QUANTITY.fullmatch(word)
    if match is None:
        raise node.error(key, f"{word!r} is no quantity", "write 500m, 2, 64Mi or 1G")
    whole, _, part = match[1].partition(".")
    units = int(whole) * 10**9 + int((part + "0" * 9)[:9])
    found = -(-units // 10**9) if match[2] == "m" else units * _FACTORS[match[2]] // 10**6
    if found >= 1 << 73:
        raise node.error(key, f"{word!r} is too large")
    return found


def size(node: Node, key: str) -> int:
    """Bytes; 0 where there are none."""
    return -(-quantity(node, key) // 1000)


def name(node: Node, key: str) -> str:
    """A name as a DNS label or subdomain."""
    word = node.text(key, required=True)
    if len(word) > 253 or not _NAME.fullmatch(word):
        raise node.error(key, f"{word!r} is no name", "small letters, digits, '-' and '.', a letter or digit first and last")
    return word


def check_key(node: Node, key: str, word: str) -> str:
    """A key of a ConfigMap or Secret, which is a file's name, too."""
    if len(word) > 253 or not _KEY.fullmatch(word) or word in (".", ".."):
        raise node.error(key, f"{word!r} is no key", "letters, digits, '-', '_' and '.'")
    return word


def check_variable(node: Node, key: str, word: str) -> str:
    """The name of an environment variable."""
    if not _VARIABLE.fullmatch(word):
        raise node.error(key, f"{word!r} is no name of a variable")
    return word


def relative(node: Node, key: str, word: str) -> str:
    """A path below something, that does not leave it."""
    if word.startswith("/") or ".." in word.split("/"):
        raise node.error(key, f"{word!r} must be a relative path without '..'")
    return "/".join(part for part in word.split("/") if part not in ("", "."))


def expand(text: str, variables: dict[str, str]) -> str:
    """`$(NAME)` replaced where it is known, and left where it is not; `$$` is a dollar sign before a parenthesis."""

    def one(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(one, text)
