"""`rootless cp`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.cli.output.columns import plain
from rootless.engine.files import copy, view
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Copy between containers and the host, or a tar stream on stdin or stdout."""
    source_name, source = _split(args.positional[0])
    target_name, target = _split(args.positional[1])
    names = [name for name in (source_name, target_name) if name]
    if not names:
        raise InvalidInput("must specify at least one container source", hint="write CONTAINER:PATH on one side")
    store = Store.open()
    identifiers = [containers.find(store, name) for name in names]
    if not source_name and source != "-":
        source = _absolute(source)
    if not target_name and target != "-":
        target = _absolute(target)
    records = [read_config(store, each) for each in identifiers]
    at_work = [each for each in identifiers if containers.status(store, each).pid]
    running.join_session(store, (at_work or identifiers)[0])
    with ExitStack() as stack:
        if target_name:
            places = stack.enter_context(view.files(store, identifiers))
        else:  # to a pipe, perhaps, that nobody reads
            places = [stack.enter_context(view.reading(store, identifiers[0]))]
        for name, each in zip(names, places, strict=True):
            each.called = name
        origin = places[0] if source_name else CopyEnd(-1)
        place = places[-1] if target_name else CopyEnd(-1)
        if not target_name and target == "-":
            left_out = copy.write_tar(origin, source, sys.stdout.buffer, follow_link=args.follow_link)
        elif not source_name and source == "-":
            left_out = copy.read_tar(store, place, target, sys.stdin.buffer)
        else:
            left_out = copy.copy(origin, source, place, target, archive=args.archive, follow_link=args.follow_link)
    if source_name:
        events.container(store, "archive-path", records[0])
    if target_name:
        events.container(store, "extract-to-dir", records[-1])
    for line in left_out:
        print(f"rootless: {plain(line)}", file=sys.stderr)
    return 0


def _absolute(path: str) -> str:
    """A path of the host's, before anything can change what the working directory means; the "/" or "/." at
    its end, which says what is meant, stays."""
    if os.path.basename(path) == ".":
        return os.path.join(os.path.abspath(path), ".")
    return os.path.abspath(path) + ("/" if path.endswith("/") else "")


def _split(word: str) -> tuple[str, str]:
    """Container and path of one side; "" for the host. A path with a colon is written ./a:b."""
    name, colon, path = word.partition(":")
    if not colon or name.startswith((".", "/")) or not name:
        return "", word
    return name, path or "/"


_ALSO = "        rootless cp [OPTIONS] "

COMMAND = Command(
    name="cp",
    summary="Copy files/folders between a container and the local filesystem",
    usage=f"[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n{_ALSO}SRC_PATH|- CONTAINER:DEST_PATH\n"
    f"{_ALSO}CONTAINER:SRC_PATH CONTAINER:DEST_PATH",
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
