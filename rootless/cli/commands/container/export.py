"""`rootless export`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.engine.files.view import root_alone
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput
from rootless.storage import output_file
from rootless.storage.containers import containers
from rootless.storage.layers import write_tar
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Write the container's files as a tar archive."""
    if not args.output and sys.stdout.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    record = read_config(store, identifier)
    output = os.path.abspath(args.output) if args.output else ""
    events.container(store, "export", record)
    running.join_session(store, identifier)
    owners = write_tar.merged_owners(store, record["diff_ids"])
    with root_alone(store, identifier) as place:
        if not output:
            sys.stdout.flush()
            write_tar.write_tree(place.root_fd, sys.stdout.buffer, owners=owners, shown=place.out_of)
            sys.stdout.buffer.flush()
            return 0
        with output_file.writing(output) as file:
            write_tar.write_tree(place.root_fd, file, owners=owners, shown=place.out_of)
    return 0


COMMAND = Command(
    name="export",
    summary="Export a container's filesystem as a tar archive",
    usage="[OPTIONS] CONTAINER",
    options=(
        Option(("-o", "--output"), "output", VALUE, metavar="string", default="", complete="file",
               help="Write to a file, instead of STDOUT"),
    ),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container",
)  # fmt: skip
