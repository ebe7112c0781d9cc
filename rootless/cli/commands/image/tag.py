"""`rootless tag`."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command
from rootless.engine.images.lookup import tag
from rootless.storage.store import Store


def give_name(args: Args) -> int:
    """A further name for an image."""
    source, target = args.positional
    tag(Store.open(), source, target)
    return 0


COMMAND = Command(
    name="tag",
    summary="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    options=(),
    handler=give_name,
    min_args=2,
    max_args=2,
    complete="image",
)
