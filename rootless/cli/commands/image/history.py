"""`rootless history`."""

from __future__ import annotations

from typing import Any

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import ellipsis, short_id
from rootless.cli.output.listing import print_listing
from rootless.engine.images.listing import Step, history
from rootless.storage.store import Store

HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def show(args: Args) -> int:
    """The steps an image was made in."""
    steps = history(Store.open(), args.positional[0], platform=args.platform)
    print_listing(
        [_fields(step, whole=args.no_trunc, human=args.human) for step in steps],
        ["ID", "CreatedSince" if args.human else "CreatedAt", "CreatedBy", "Size", "Comment"],
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
    )
    return 0


def _fields(step: Step, *, whole: bool, human: bool) -> dict[str, Any]:
    command = step.created_by.replace("\t", " ")
    return {
        "ID": "<missing>" if not step.id else step.id if whole else short_id(step.id),
        "CreatedSince": units.ago(step.created) if step.created else "N/A",
        "CreatedAt": units.local_rfc3339(step.created),
        "CreatedBy": command if whole else ellipsis(command, 45),
        "Size": units.human_size_short(step.size) if human else str(step.size),
        "Comment": step.comment,
    }


COMMAND = Command(
    name="history",
    summary="Show the history of an image",
    usage="[OPTIONS] IMAGE",
    options=(
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a "
               "Go template"),
        Option(("-H", "--human"), "human", FLAG, default=True, help="Print sizes and dates in human readable format"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Don't truncate output"),
        Option(("--platform",), "platform", VALUE, metavar="string", default="",
               help="Show the history only if the image is of this platform (os[/arch[/variant]])"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only show image IDs"),
    ),
    handler=show,
    min_args=1,
    max_args=1,
    complete="image",
)  # fmt: skip
