"""--tz: a time zone of this machine's database as a container's /etc/localtime."""

from __future__ import annotations

import os

from rootless.engine.options.mount_config import Mount
from rootless.engine.options.mounts import parse_mount
from rootless.errors import InvalidInput
from rootless.words import UserWord

DATABASE = "/usr/share/zoneinfo"
LOCAL = "/etc/localtime"


def zone_mount(word: str) -> Mount:
    """The mount for "local" or a name such as Europe/Berlin; InvalidInput where there is no such zone here."""
    path = os.path.realpath(LOCAL if word == "local" else f"{DATABASE}/{word}")
    inside = word == "local" or (path.startswith(DATABASE + "/") and ".." not in word.split("/"))
    if not inside or not os.path.isfile(path):
        raise InvalidInput(f"unable to find timezone: {word}", hint=f"{DATABASE} of this machine has them (package tzdata)")
    return parse_mount(UserWord(f"type=bind,source={path},target=/etc/localtime,readonly"))
