"""`rootless volume export` and `volume import`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.cli.output.messages import say
from rootless.engine.files.volumes import archive
from rootless.errors import InvalidInput
from rootless.image.archive.import_tar import open_input
from rootless.session import session
from rootless.storage import output_file, volumes
from rootless.storage.store import Store


def export_volume(args: Args) -> int:
    """Write a volume's files as a tar archive."""
    if not args.output and sys.stdout.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    store = Store.open()
    name = volumes.find(store, args.positional[0]).name
    output = os.path.abspath(args.output) if args.output else ""
    session.join()
    if not output:
        sys.stdout.flush()
        doubted = archive.export_to(store, name, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with output_file.writing(output) as file:
            doubted = archive.export_to(store, name, file)
    if doubted:
        say(
            f"warning: written as root's: {doubted} files that say they belong to ids which are real here; a user of a container can "
            "write that into a file of his own that root then takes over",
            hint=f"if they are from a time of emulated ids: rootless run --rm --emulate-ids=full -v {name}:/v IMAGE tar -C /v -c .",
        )
    return 0


def import_volume(args: Args) -> int:
    """Put the files of a tar archive into a volume."""
    store = Store.open()
    name = volumes.find(store, args.positional[0]).name
    with open_input(args.positional[1]) as stream:
        session.join()
        archive.import_from(store, name, stream)
    return 0


EXPORT = Command(
    name="volume export",
    summary="Export a volume's files as a tar archive",
    usage="[OPTIONS] VOLUME",
    options=(
        Option(("-o", "--output"), "output", VALUE, metavar="string", default="", complete="file",
               help="Write to a file, instead of STDOUT"),
    ),
    handler=export_volume,
    min_args=1,
    max_args=1,
    complete="volume",
)  # fmt: skip

IMPORT = Command(
    name="volume import",
    summary="Put the files of a tar archive into a volume",
    usage="VOLUME FILE|-",
    options=(),
    handler=import_volume,
    min_args=2,
    max_args=2,
    description="The archive may be compressed by gzip, bzip2, xz or zstd. The volume must exist; what is in it "
    "stays, but for files that the archive has, too.",
    complete="volume",
)
