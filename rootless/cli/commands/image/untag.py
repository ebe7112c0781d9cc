"""`rootless untag`, `image untag`: Podman's word for taking names away and nothing else."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command
from rootless.engine.images import removal
from rootless.storage.store import Store


def take_names(args: Args) -> int:
    """The names given, or all that the image has; the image stays."""
    text, *names = args.positional
    removal.untag(Store.open(), text, names)
    return 0


COMMAND = Command(
    name="untag",
    summary="Remove one or more names from a locally-stored image",
    usage="IMAGE [IMAGE...]",
    options=(),
    handler=take_names,
    min_args=1,
    description="Without further names all that the image has are taken away. The image itself stays.",
    complete="image",
)
