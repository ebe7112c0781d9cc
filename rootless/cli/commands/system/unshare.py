"""`rootless unshare`: look at the store's files as the session sees them."""

from __future__ import annotations

import errno
import os
import sys

from rootless import inherited
from rootless.cli.grammar.command import RUN, Args, Command
from rootless.errors import CommandNotExecutable, CommandNotFound
from rootless.session import session


def unshare(args: Args) -> int:
    """Replace this process by the command, or the user's shell, as root of the session."""
    argv = args.positional or [os.environ.get("SHELL") or "/bin/sh"]
    session.join()
    os.environ.setdefault("ROOTLESS_UNSHARE", "1")
    sys.stdout.flush()
    inherited.give_back()
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise CommandNotFound(f"{argv[0]}: no such command") from None
        raise CommandNotExecutable(f"{argv[0]}: {(error.strerror or '').lower()}") from None


COMMAND = Command(
    name="unshare",
    summary="Run a command in the user namespace of your containers",
    usage="[COMMAND] [ARG...]",
    options=(),
    handler=unshare,
    interspersed=False,
    status=RUN,
    description="In this shell you may read, change and delete all files that your containers made: your own id "
    "is 0 there, and your subordinate ids follow. Nothing else is isolated.",
    examples=(
        ("rootless unshare", "a shell"),
        ("rootless unshare cat /proc/self/uid_map", "which ids are mapped"),
        ("rootless unshare rm -rf ./site", "remove what a container's users left in a bind mount"),
    ),
    complete="file",
)
