"""The user's own defaults, ~/.config/rootless/config.toml: what is in force where a request leaves it out. docs/config.md.

Without the file no more than its absence is looked up; with it user_config_file.py reads it, once a process. Hot path.
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.errors import InvalidInput
from rootless.record import Record

KEYS = ("cache_days", "cache_max", "emulate_ids", "limits", "network", "registries", "stores", "trusted_stores", "userns")
CACHE_MAX, CACHE_DAYS = "ROOTLESS_CACHE_MAX", "ROOTLESS_CACHE_DAYS"
"""Of the environment: before `cache_max` and `cache_days` of the file (engine/images/budget.py)."""
DEFAULT_CACHE_DAYS = 30
STORES_VARIABLE = "ROOTLESS_STORES"
ERROR, WARN = "error", "warn"
"""The values of `limits`: a limit that this host cannot give is an error, or is said each time and left out."""


class Setting(Record):
    """A key of the file with its value, a text; `line` counts from 1."""

    key: str
    value: str
    path: str
    line: int

    @property
    def source(self) -> str:
        """Where it comes from: FILE:LINE."""
        return f"{self.path}:{self.line}"

    def refused(self, why: str, hint: str | None = None) -> InvalidInput:
        """The error for a value that is not one."""
        return InvalidInput(f"{self.source}: {self.key}: {why}", hint=hint)


_settings: dict[str, Setting] | None = None


def path() -> str:
    """Where the file is looked for."""
    return paths.config_home() + "/rootless/config.toml"


def settings() -> dict[str, Setting]:
    """What the file sets, by key; {} where there is none. InvalidInput with the file and the line of a mistake, and for a
    file that others may write."""
    global _settings
    if _settings is None:
        try:
            fd = os.open(path(), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            _settings = {}
            return _settings
        except OSError as error:
            raise InvalidInput(f"{path()} cannot be read: {error.strerror}") from None
        from rootless import user_config_file

        _settings = user_config_file.read(fd, path())
    return _settings


def size_of(text: str) -> int | None:
    """The bytes that `20G` means, by powers of 1024; None for what is no size."""
    word = text.lower().removesuffix("b")
    unit = word[-1:] if word[-1:] in "kmgt" else ""
    digits = word.removesuffix(unit)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        return None
    return int(digits) << (10 * (1 + "kmgt".index(unit)) if unit else 0)


def forget() -> None:
    """For who answers one request after the other: the next one reads the file as it is then."""
    global _settings
    _settings = None


def limits_are_optional() -> str:
    """"" where a limit that cannot be given is an error; else where `limits = "warn"` stands."""
    setting = settings().get("limits")
    return setting.source if setting and setting.value == WARN else ""


def stores() -> tuple[str, ...]:
    """The directories of other people's images, in the order in which they are looked into: of $ROOTLESS_STORES where that is set,
    else of the file. InvalidInput where one is no absolute path."""
    text = os.environ.get(STORES_VARIABLE)
    if text is not None:
        return split_stores(text, STORES_VARIABLE)
    setting = settings().get("stores")
    return split_stores(setting.value, setting.source) if setting else ()


def trusted_stores() -> tuple[str, ...]:
    """Those of which the user says that whoever owns them may choose what runs."""
    setting = settings().get("trusted_stores")
    return split_stores(setting.value, setting.source) if setting else ()


def split_stores(text: str, source: str) -> tuple[str, ...]:
    """The paths of a list with colons, each once. InvalidInput that names `source`."""
    found = [os.path.expanduser(path) for path in text.split(":") if path]
    for path in found:
        if not path.startswith("/"):
            raise InvalidInput(f"{source}: {path} is no absolute path", hint="paths from / or ~/ on, with colons between them")
    return tuple(dict.fromkeys(os.path.normpath(path) for path in found))


def may_name_stores() -> bool:
    """Whether there may be any: a mistake in the file is said by whoever needs what is in it."""
    if os.environ.get(STORES_VARIABLE):
        return True
    try:
        return "stores" in settings()
    except InvalidInput:
        return False
