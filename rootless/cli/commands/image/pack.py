"""`rootless image pack`."""

from __future__ import annotations

import os

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.cli.output.columns import print_table
from rootless.engine.images import packing
from rootless.errors import InvalidInput
from rootless.storage import packs
from rootless.storage.store import Store, make_directory


def pack(args: Args) -> int:
    """Pack a directory, list what is packed, or remove one."""
    store, words = Store.open(), args.positional
    if args.remove:
        if not words or args.output:
            raise InvalidInput("--rm takes names of packed directories")
        for name in words:
            packs.remove(store, name)
            print(name)
        return 0
    if not words and not args.output:
        listed = packs.names(store).items()
        print_table(("NAME", "SIZE", "FILE"), [(name, units.human_size(size), packs.path_of(store, name)) for name, size in listed])
        return 0
    if len(words) != (1 if args.output else 2):
        raise InvalidInput("a directory is packed under a name or into a file", hint="rootless image pack DIR NAME, or -o FILE DIR")
    directory = words[0]
    if args.output:
        target = source = os.path.abspath(args.output)
    else:
        source = words[1]
        target = packs.path_of(store, source)
        make_directory(store.home)
        make_directory(packs.directory(store))
    size = packing.pack(directory, target)
    print(f"{units.human_size_short(size)} in {target}")
    print(f"use it: rootless run --mount type=squashfs,source={source},target={os.path.realpath(directory)} ...")
    return 0


COMMAND = Command(
    name="image pack",
    summary="Pack a directory (a conda or venv environment) into one squashfs file",
    usage="[OPTIONS] [DIR NAME]",
    options=(
        Option(("-o", "--output"), "output", VALUE, metavar="file", default="", complete="file",
               help="Write this file instead of one in the store, which has a name"),
        Option(("--rm",), "remove", FLAG, help="Remove the packed directories of these names"),
    ),
    handler=pack,
    examples=(
        ("rootless image pack ~/envs/torch torch", "80,000 files become one, which a quota of files does not feel"),
        ("rootless image pack", "what is packed, how large, and where"),
    ),
)  # fmt: skip
