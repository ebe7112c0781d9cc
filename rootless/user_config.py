"""The user's own defaults, ~/.config/rootless/config.toml: what is in force where a request leaves it out. docs/config.md.

Without the file no more than its absence is looked up; with it user_config_file.py reads it, once a process. Hot path.
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.user_setting import Setting

CACHE_MAX, CACHE_DAYS = "ROOTLESS_CACHE_MAX", "ROOTLESS_CACHE_DAYS"
"""Of the environment: before `cache_max` and `cache_days` of the file (engine/images/budget.py)."""
STORES_VARIABLE = "ROOTLESS_STORES"

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


def forget() -> None:
    """For who answers one request after the other: the next one reads the file as it is then."""
    global _settings
    _settings = None


def limits_are_optional() -> str:
    """"" where a limit that cannot be given is an error; else where `limits = "warn"` stands."""
    setting = settings().get("limits")
    if setting is None:
        return ""
    from rootless.user_setting import WARN

    return setting.source if setting.value == WARN else ""


def stores() -> tuple[str, ...]:
    """The directories of other people's images, in the order in which they are looked into: of $ROOTLESS_STORES where that is set,
    else of the file. InvalidInput where one is no absolute path."""
    text, source = os.environ.get(STORES_VARIABLE), STORES_VARIABLE
    if text is None:
        setting = settings().get("stores")
        text, source = (setting.value, setting.source) if setting else ("", "")
    return _split(text, source)


def trusted_stores() -> tuple[str, ...]:
    """Those of which the user says that whoever owns them may choose what runs."""
    setting = settings().get("trusted_stores")
    return _split(setting.value, setting.source) if setting else ()


def _split(text: str, source: str) -> tuple[str, ...]:
    if not text:
        return ()
    from rootless.user_setting import split_stores

    return split_stores(text, source)


def may_name_stores() -> bool:
    """Whether there may be any: a mistake in the file is said by whoever needs what is in it."""
    if os.environ.get(STORES_VARIABLE):
        return True
    try:
        return "stores" in settings()
    except InvalidInput:
        return False
