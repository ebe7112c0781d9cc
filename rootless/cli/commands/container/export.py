"""`rootless export`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.engine.files.export import exporting
from rootless.errors import InvalidInput
from rootless.storage import output_file
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Write the container's files as a tar archive."""
    if not args.output and sys.stdout.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    output = os.path.abspath(args.output) if args.output else ""
    with exporting(store, identifier) as write:
        if not output:
            sys.stdout.flush()
            write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return 0
        with output_file.writing(output) as file:
            write(file)
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
