"""config.toml read: its keys, their types, and the line of each. Its words' meanings are the engine's (user_defaults.py)."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import Any

from rootless import sizes
from rootless.errors import InvalidInput
from rootless.user_setting import DEFAULT_CACHE_DAYS, ERROR, KEYS, WARN, Setting, split_stores

LARGEST = 16 << 10
_HINT = "the keys are " + ", ".join(KEYS)


def read(fd: int, path: str) -> dict[str, Setting]:
    """What the open file (closed here) sets, by key. InvalidInput, with the line where it is of a line."""
    with open(fd, "rb") as file:
        _check_owner(os.fstat(fd), path)
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise InvalidInput(f"{path} is larger than {LARGEST >> 10} KiB")
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}:{data[: error.start].count(10) + 1}: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(_mistake(text, path, str(error))) from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply") from None
    lines = _lines(text, set(document))
    found = {}
    for key, value in document.items():
        if key not in KEYS:
            raise InvalidInput(f"{path}:{lines[key]}: unknown key {key!r}", hint=_HINT)
        found[key] = _setting(Setting(key, value, path, lines[key]), value)
    return found


def _setting(setting: Setting, value: Any) -> Setting:
    if not isinstance(value, str):
        words = ":".join(map(str, value)) if isinstance(value, list) else "..."
        raise setting.refused(f"a text is wanted, not {_kind(value)}", f'write {setting.key} = "{words}"')
    if not value or not value.isprintable():
        raise setting.refused("the text is empty, or has control characters", "leave the line out for the default")
    if setting.key == "limits" and value not in (ERROR, WARN):
        raise setting.refused(f"there is no {value!r}", f'write limits = "{ERROR}" or limits = "{WARN}"')
    if setting.key == "cache_max" and sizes.parse(value) is None:
        raise setting.refused(f"{value!r} is no size", "a number of bytes, or 20G")
    if setting.key == "cache_days" and not (value.isascii() and value.isdecimal() and len(value) < 6):
        raise setting.refused(f"{value!r} is no number of days", f'cache_days = "{DEFAULT_CACHE_DAYS}" is the default')
    if setting.key == "registries":
        expanded = os.path.expanduser(value)
        if not expanded.startswith("/"):
            raise setting.refused(f"{value} is no absolute path", "the path of a registries.conf, from / or ~/ on")
        return setting._replace(value=expanded)
    if setting.key in ("stores", "trusted_stores"):
        split_stores(value, f"{setting.source}: {setting.key}")
    return setting


def _check_owner(status: os.stat_result, path: str) -> None:
    """Whoever can write it chooses what every container of the user may do."""
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{path} is no regular file")
    # os.getuid(), not host_uid(): inside the session what is ours shows as root's, as we do.
    if status.st_uid != os.getuid():
        raise InvalidInput(f"{path} is not used: it belongs to another user", hint=f"chown {os.getuid()} {path}")
    if status.st_mode & 0o022:
        raise InvalidInput(f"{path} is not used: others may write it", hint=f"chmod go-w {path}")


def _mistake(text: str, path: str, words: str) -> str:
    """`FILE:LINE: what is wrong` of tomllib's `What is wrong (at line 3, column 5)`."""
    what, _, where = words.rpartition(" (at ")
    line = where.partition("line ")[2].partition(",")[0]
    number = int(line) if line.isdecimal() else text.rstrip().count("\n") + 1
    what = what or words
    return f"{path}:{number}: {what[:1].lower()}{what[1:]}"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return {int: "a number", float: "a number", list: "a list", dict: "a table"}.get(type(value), "a date")


def _lines(text: str, keys: set[str]) -> dict[str, int]:
    """The line of each key of the document: a key is in the text up to the end of its value, and not in that before it.
    No second reading of TOML, which would have to know texts of several lines."""
    found: dict[str, int] = {}
    lines = [line + "\n" for line in text.split("\n")]
    begin = 0
    for end, line in enumerate(lines, 1):
        if begin == end - 1 and (not line.strip() or line.lstrip().startswith("#")):
            begin = end
            continue
        try:
            known = set(tomllib.loads("".join(lines[:end])))
        except tomllib.TOMLDecodeError:
            continue  # a value that goes on
        for key in known - found.keys():
            found[key] = begin + 1
        begin = end
        if len(found) == len(keys):
            break
    return found
