"""`rootless save`."""

from __future__ import annotations

from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.engine.images import saving
from rootless.errors import InvalidInput
from rootless.storage.store import Store


def save(args: Args) -> int:
    """Write the images to --output or stdout."""
    if args.format not in (*saving.FORMATS, saving.DIRECTORY):
        raise InvalidInput(
            f"unknown format '{args.format}'", hint="one of docker-archive, oci-archive, oci-dir"
        )
    saving.write(Store.open(), args.positional, output=args.output, as_format=args.format, platform=args.platform)
    return 0


COMMAND = Command(
    name="save",
    summary="Save one or more images to a tar archive (streamed to STDOUT by default)",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    options=(
        Option(("--format",), "format", VALUE, default="docker-archive", complete="docker-archive|oci-archive|oci-dir",
               help="docker-archive (which docker load, podman and skopeo read), oci-archive or oci-dir"),
        Option(("--platform",), "platform", VALUE, metavar="string", default="",
               help="Save only images of this platform (os[/arch[/variant]])"),
        Option(("-o", "--output"), "output", VALUE, help="Write to a file, instead of STDOUT", complete="file"),
    ),
    handler=save,
    min_args=1,
    examples=(("rootless save debian:bookworm | ssh other docker load", ""),),
    complete="image",
)  # fmt: skip
