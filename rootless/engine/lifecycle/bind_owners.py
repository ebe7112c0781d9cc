"""A hint for who binds a directory of theirs and runs as another user, who then cannot write there."""

from __future__ import annotations

import os
import stat

from rootless.engine.lifecycle.request import Request
from rootless.engine.options.mount_config import GIVEN

_ROOT = ("0", "root")


def unwritable(request: Request) -> list[tuple[str, str]]:
    """(message, hint) for each bind that belongs to the caller and that --user may not write. Inside the session,
    where what is the caller's shows as root's."""
    user = request.user.partition(":")[0]
    if user in _ROOT or request.userns not in ("", "host", "private"):
        return []
    found = []
    for mount in request.mounts:
        if mount["type"] != "bind" or mount["read_only"] or GIVEN in mount["options"]:
            continue
        try:
            status = os.stat(mount["source"])
        except OSError:
            continue
        if status.st_uid == 0 and stat.S_ISDIR(status.st_mode) and not status.st_mode & stat.S_IWOTH:
            found.append(
                (
                    f"{mount['source']} belongs to you, who are root in the container: user {user} cannot write there",
                    "--userns keep-id runs the command with your own id; or leave --user out",
                )
            )
    return found
