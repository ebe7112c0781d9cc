"""`rootless load`."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.errors import InvalidInput
from rootless.storage.store import Store


def load(args: Args) -> int:
    """Every image in the archive; a line for each name, or the id of one without."""
    from rootless.cli.output import progress
    from rootless.engine.images import budget
    from rootless.engine.images.lookup import familiar
    from rootless.image import platforms
    from rootless.image.archive import load as archives

    if args.input is None and sys.stdin.isatty():
        raise InvalidInput(
            "requested load from stdin, but stdin is empty", hint="use -i FILE, or pipe an archive in"
        )
    shown = progress.for_stream(sys.stderr, quiet=args.quiet)
    platform = platforms.parse(args.platform) if args.platform else None
    with budget.kept(Store.open()):
        try:
            loaded = archives.load(Store.open(), args.input or "-", platform=platform, progress=shown)
        finally:
            progress.finish(shown)
        from rootless.engine.state.events import events

        for one in loaded:
            events.write(Store.open(), "image", "load", one.image.id, name=familiar(one.names[0]) if one.names else "")
            for name in one.names:
                print(f"Loaded image: {familiar(name)}")
            if not one.names:
                print(f"Loaded image ID: {one.image.id}")
    return 0


COMMAND = Command(
    name="load",
    summary="Load an image from a tar archive or STDIN",
    usage="[OPTIONS]",
    options=(
        Option(("-i", "--input"), "input", VALUE, complete="file",
               help="Read from an archive file or an OCI layout directory, instead of STDIN"),
        Option(("--platform",), "platform", VALUE, help="Load only the given platform variant, like linux/arm64"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress the load output"),
    ),
    handler=load,
    max_args=0,
    description="Reads docker-archive, oci-archive and OCI layouts, compressed or not.",
)  # fmt: skip
