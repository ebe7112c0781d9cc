"""`rootless volume create`, `ls`, `prune`, `rm`."""

from __future__ import annotations

from typing import Any

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.listing import print_listing
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.files.volumes import volumes
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.storage.store import Store

HEADERS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Status": "STATUS",
}


def create(args: Args) -> int:
    """Make a volume, or find the one of that name, and print its name."""
    name = args.name or (args.positional[0] if args.positional else None)
    if "type=tmpfs" in args.opt:
        from rootless.cli.main import say

        say("each container gets a tmpfs of its own by this volume's name: nothing is shared through it")
    print(volumes.create(Store.open(), name, driver=args.driver, options=args.opt, labels=args.label))
    return 0


def list_volumes(args: Args) -> int:
    """A row for each volume."""
    wanted = filters.collect(args.filter, volumes.FILTERS)
    rows = [_fields(volume) for volume in volumes.select(Store.open(), wanted)]
    print_listing(
        rows,
        ["Driver", "Name"],
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
        identity="Name",
        stored="volumesFormat",
        heading=not args.noheading,
    )
    return 0


def _fields(volume: volumes.Volume) -> dict[str, Any]:
    labels = ",".join(f"{key}={value}" for key, value in sorted(volume.labels.items()))
    return {
        "Driver": "local",
        "Name": volume.name,
        "Scope": "local",
        "Mountpoint": volume.path,
        "Labels": labels,
        "Label": lambda key: volume.labels.get(key, ""),
        "Links": "N/A",
        "Size": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
        "Status": "N/A",
    }


def remove(args: Args) -> int:
    """Each volume in turn, its name printed when it is gone."""
    from rootless.cli.main import complain
    from rootless.session import session

    store = Store.open()
    session.join()
    failed = False
    names = args.positional
    if args.every:
        if names:
            raise InvalidInput("--all stands for all volumes: no names go with it")
        names = [volume.name for volume in volumes.select(store, {})]
    for name in names:
        try:
            volumes.remove(store, name)
        except NotFound as error:
            if not args.force:
                complain(error)
                failed = True
                continue
        except RootlessError as error:
            complain(error)
            failed = True
            continue
        print(name)
    return 1 if failed else 0


def prune(args: Args) -> int:
    """Remove the volumes that no container uses."""
    from rootless.session import session

    wanted = filters.collect(args.filter, volumes.PRUNE_FILTERS)
    kind = "local volumes" if args.all else "anonymous local volumes"
    if not confirm(warning([f"{kind} not used by at least one container"]), force=args.force):
        return 0
    session.join()
    names, reclaimed = volumes.prune(Store.open(), every=args.all, filters=wanted)
    if names:
        print("Deleted Volumes:\n" + "\n".join(names) + "\n")
    print(f"Total reclaimed space: {units.human_size(reclaimed)}")
    return 0


CREATE = Command(
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

LS = Command(
    name="volume ls",
    summary="List volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("dangling=true", "name=text", "label=key", "driver=local")'),
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a "
               "Go template"),
        Option(("-n", "--noheading"), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display volume names"),
    ),
    handler=list_volumes,
    max_args=0,
)  # fmt: skip

RM = Command(
    name="volume rm",
    summary="Remove one or more volumes",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    options=(
        Option(("-a", "--all"), "every", FLAG, help="Remove all volumes that no container uses"),
        Option(("-f", "--force"), "force", FLAG, help="Force the removal of one or more volumes"),
    ),
    handler=remove,
    min_args=1,
    description="A volume that a container uses cannot be removed.",
    complete="volume",
)

PRUNE = Command(
    name="volume prune",
    summary="Remove unused local volumes",
    usage="[OPTIONS]",
    options=(
        Option(("-a", "--all"), "all", FLAG, help="Remove all unused volumes, not just anonymous ones"),
        Option(("--filter",), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Provide filter values ("label=key", "label!=key")'),
        FORCE,
    ),
    handler=prune,
    max_args=0,
)  # fmt: skip
