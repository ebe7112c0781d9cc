"""`rootless cp`."""

from __future__ import annotations

import os
import sys

from rootless.cli.command import FLAG, Args, Command, Option
from rootless.engine.files import copy
from rootless.engine.files.copy import Place
from rootless.errors import InvalidInput
from rootless.session import session
from rootless.storage import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Copy between a container and the host, or a tar stream on stdin or stdout."""
    source_name, source = _split(args.positional[0])
    target_name, target = _split(args.positional[1])
    if source_name and target_name:
        raise InvalidInput("copying between containers is not supported")
    if not source_name and not target_name:
        raise InvalidInput("must specify at least one container source", hint="write CONTAINER:PATH on one side")
    store = Store.open()
    identifier = containers.find(store, source_name or target_name)
    host_path = target if source_name else source
    if host_path != "-":
        # Before the session is joined nothing changes the working directory's meaning; still, once.
        ending = "/." if host_path.endswith("/.") else "/" if host_path.endswith("/") else ""
        host_path = os.path.abspath(host_path) + ending
    session.join()
    with copy.container_root(store, identifier) as inside:
        outside = Place(-1)
        if source_name and host_path == "-":
            copy.write_tar(inside, source, follow_link=args.follow_link)
            return 0
        if source_name:
            left_out = copy.copy(inside, source, outside, host_path, archive=args.archive, follow_link=args.follow_link)
        elif host_path == "-":
            left_out = copy.read_tar(store, inside, target)
        else:
            left_out = copy.copy(outside, host_path, inside, target, archive=args.archive, follow_link=args.follow_link)
    for line in left_out:
        print(f"rootless: {line}", file=sys.stderr)
    return 0


def _split(word: str) -> tuple[str, str]:
    """Container and path of one side; "" for the host. A path with a colon is written ./a:b."""
    name, colon, path = word.partition(":")
    if not colon or name.startswith((".", "/")) or not name:
        return "", word
    return name, path or "/"


COMMAND = Command(
    name="cp",
    summary="Copy files/folders between a container and the local filesystem",
    usage="[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        rootless cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    options=(
        Option(("-a", "--archive"), "archive", FLAG, help="Archive mode (copy all uid/gid information)"),
        Option(("-L", "--follow-link"), "follow_link", FLAG, help="Always follow symbol link in SRC_PATH"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress progress output during copy"),
    ),
    handler=run,
    min_args=2,
    max_args=2,
    complete="container",
)
