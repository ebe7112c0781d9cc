"""What real root does to an ordinary user's container: as that user.

A batch system (Slurm's --container) runs `run` as the user, and afterwards `state`, `kill` and `delete` as root. A state directory of a
user's is that user's word about processes and files: root must not act on it, and need not.
"""

from __future__ import annotations

import os
import pwd
import stat

from rootless.errors import NotSupported
from rootless.oci.arguments import Arguments

_COMMANDS = ("state", "kill", "delete", "list", "ps", "pause", "resume", "events")
_KEPT = ("PATH", "LANG", "LC_ALL", "ROOTLESS_DEBUG")


def become_owner(args: Arguments) -> None:
    """Where we are root, and --root is the directory of another user: become that user, for good. Nothing otherwise; NotSupported
    for a link of another user's."""
    root = args.value("--root")
    if os.getuid() != 0 or not root or args.command not in _COMMANDS:
        return
    try:
        about = os.lstat(root)
        if stat.S_ISLNK(about.st_mode):
            if about.st_uid != 0:  # it may be another one in an instant
                raise NotSupported(f"{root} is a link of another user's", hint="--root names a directory")
            about = os.stat(root)
    except OSError:
        return
    if about.st_uid == 0:
        return
    try:
        account = pwd.getpwuid(about.st_uid)
        os.initgroups(account.pw_name, account.pw_gid)
        gid = account.pw_gid
    except KeyError:
        # An account that this node does not know; as Slurm itself, which then goes by the numbers.
        gid = about.st_gid
        os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(about.st_uid, about.st_uid, about.st_uid)
    for name in [*os.environ]:
        if name not in _KEPT:
            del os.environ[name]
