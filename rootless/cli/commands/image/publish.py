"""`rootless image publish`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import plain, print_table, short_id
from rootless.errors import InvalidInput
from rootless.image.progress import Event, Phase
from rootless.image.stores.upkeep import KEEP_DAYS
from rootless.storage import named_paths
from rootless.storage.store import Store


def publish(args: Args) -> int:
    """Publish images, list what is published, or take images away."""
    from rootless.cli.output import progress
    from rootless.engine.images import publishing

    directory, texts = os.path.abspath(args.positional[0]), args.positional[1:]
    directory = named_paths.follow(directory, "the directory") or directory
    if args.remove:
        if not texts:
            raise InvalidInput("--rm takes names of images, after the directory")
        for name in publishing.remove(directory, texts, keep_days=args.keep_days):
            print(f"Untagged: {name}")
        return 0
    if not texts:
        rows = [(name, platform, short_id(identifier), units.human_size(size))
                for name, platform, identifier, size in publishing.listed(directory)]  # fmt: skip
        print_table(("IMAGE", "PLATFORM", "IMAGE ID", "SIZE"), rows)
        return 0
    shown = _warnings if args.quiet else progress.for_stream(sys.stderr)
    try:
        names = publishing.publish(
            Store.open(), directory, texts, keep_days=args.keep_days, progress=shown, platform=args.platform
        )
    finally:
        progress.finish(shown)
    for name in names:
        print(name)
    return 0


def _warnings(event: Event) -> None:
    """What --quiet leaves."""
    if event.phase is Phase.MESSAGE:
        print(plain(event.text), file=sys.stderr)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise InvalidInput(f"invalid number of days: {text!r}", hint="--keep-days 14")
    return int(text)


COMMAND = Command(
    name="image publish",
    summary="Publish images in a directory, for other users and machines to run from",
    usage="[OPTIONS] DIR [IMAGE...]",
    options=(
        Option(("--keep-days",), "keep_days", VALUE, metavar="days", default=KEEP_DAYS, convert=_days,
               help=f"Remove files that no name of the directory has needed for so many days (default {KEEP_DAYS})"),
        Option(("--platform",), "platform", VALUE, default="", complete="linux/amd64|linux/arm64|linux/arm/v7",
               help="Publish the image for this platform (os[/arch[/variant]]) beside those of others that the name has there"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress the progress output"),
        Option(("--rm",), "remove", FLAG, help="Take the images of these names away; their files go after --keep-days"),
    ),
    handler=publish,
    min_args=1,
    examples=(
        ("rootless image publish /shared/rootless debian:bookworm", "others run it with ROOTLESS_STORES=/shared/rootless"),
        ("rootless image publish /shared/rootless", "what is published there"),
        ("rootless image publish --rm /shared/rootless debian:bookworm", "nobody new can use it, who runs it still can"),
    ),
)  # fmt: skip
