"""Names of networks, and those that a container has on one: checked where they are given. Pure.

What is no name here breaks a resolver there (podman#24869: an alias with a blank took all names down).
"""

from __future__ import annotations

from rootless.errors import InvalidInput

PREDEFINED = ("bridge", "host", "none")
"""Always there; `none`'s driver is called null."""
UPLINKS = ("slirp4netns", "pasta")
"""Not networks, but programs that connect one container alone."""
_MODES = ("default", "private", *UPLINKS)
"""What --network means otherwise: no network can be called so."""
LONGEST = 128
_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_REST = _START | frozenset("_.-")


def mode_of(word: str) -> tuple[str, list[str]]:
    """What a network's word means: an uplink with its options (`slirp4netns:mtu=1500,...`), or the word itself."""
    mode, _, options = word.partition(":")
    return (mode, [option for option in options.split(",") if option]) if mode in UPLINKS else (word, [])


def predefined_id(name: str) -> str:
    """64 hexadecimal digits that stay the same: a predefined network's id is made of its name."""
    return name.encode("utf-8", "surrogateescape").hex()[:64].ljust(64, "0")


def check_network(name: str) -> None:
    """Raise InvalidInput unless a network may be called `name`."""
    if name in PREDEFINED or name in _MODES:
        raise InvalidInput(f"operation is not permitted on predefined {name} network", hint="choose another name")
    if not name or len(name) > LONGEST or name[0] not in _START or not _REST.issuperset(name):
        raise InvalidInput(
            f"invalid network name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            hint=f"use up to {LONGEST} letters, digits, _ . - and begin with a letter or digit",
        )


def is_interface(word: str) -> bool:
    """Whether the kernel lets a link be called so. It has directories by those names, and puts numbers in place of a %d."""
    return 0 < len(word) < 16 and _REST.issuperset(word) and word not in (".", "..", "lo", "all", "default")


def check_alias(word: str) -> str:
    """The name by which a container is to be found, without the dot that may end one; InvalidInput unless it can be asked for."""
    name = word.removesuffix(".")
    if not can_be_asked(name):
        raise InvalidInput(
            f"invalid network alias '{word}'",
            hint="letters, digits, _ and -, parts of up to 63 joined by dots: as web or db.example",
        )
    return name


def can_be_asked(word: str) -> bool:
    """Whether a resolver can be asked for the name; a host name may be any text."""
    labels = word.split(".")
    return len(word) <= 253 and all(0 < len(label) <= 63 and _in_a_name(label) for label in labels)


def _in_a_name(label: str) -> bool:
    return (_REST - {"."}).issuperset(label)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts web2 before web10, as Docker's lists do."""
    found: list[tuple[int, int, str]] = []
    digits = letters = ""
    for letter in [*name, ""]:
        if letter.isascii() and letter.isdigit():
            digits += letter
            if letters:
                found.append((1, 0, letters))
                letters = ""
            continue
        if digits:
            found.append((0, int(digits), digits))
            digits = ""
        letters += letter
    if letters:
        found.append((1, 0, letters))
    return found
