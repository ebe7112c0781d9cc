"""`rootless volume create`."""

from __future__ import annotations

from rootless.cli.grammar.command import LIST, VALUE, Args, Command, Option
from rootless.engine.files.volumes import volumes
from rootless.storage.store import Store


def create(args: Args) -> int:
    """Make a volume, or find the one of that name, and print its name."""
    name = args.name or (args.positional[0] if args.positional else None)
    if "type=tmpfs" in args.opt:
        from rootless.cli.output.messages import say

        say("each container gets a tmpfs of its own by this volume's name: nothing is shared through it")
    print(volumes.create(Store.open(), name, driver=args.driver, options=args.opt, labels=args.label))
    return 0


COMMAND = Command(
    name="volume create",
    summary="Create a volume",
    usage="[OPTIONS] [VOLUME]",
    options=(
        Option(("-d", "--driver"), "driver", VALUE, default="local", help="Specify volume driver name"),
        Option(("--label",), "label", LIST, help="Set metadata for a volume"),
        Option(("--name",), "name", VALUE, help="Name of the volume", hidden=True),
        Option(("-o", "--opt"), "opt", LIST, metavar="map", help="Set driver specific options"),
    ),
    handler=create,
    max_args=1,
    description="With options a volume is a directory of the host by another name, or a tmpfs, which each container "
    "then has for itself. What only root could mount (nfs and the like) is named after it is mounted.",
    examples=(
        ("rootless volume create data", ""),
        ("rootless volume create -o type=none -o o=bind -o device=/srv/site site", "a directory of the host"),
        ("rootless volume create -o type=tmpfs -o device=tmpfs -o o=size=64m fast", "memory"),
    ),
)
