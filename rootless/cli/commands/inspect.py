"""`rootless inspect`, and `container`, `image`, `network` and `volume inspect`: one look at each object."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, choice
from rootless.engine.views.inspect import KINDS, inspect_any
from rootless.errors import RootlessError
from rootless.storage.store import Store

FORMAT = Option(("-f", "--format"), "format", VALUE,
                help="Format output using 'json' or a Go template like '{{.Id}}'")  # fmt: skip
SIZE = Option(("-s", "--size"), "size", FLAG, help="Display total file sizes if the type is container")
PLATFORM = Option(("--platform",), "platform", VALUE, metavar="string", default="",
                  help="Inspect the image only if it is of this platform (os[/arch[/variant]])")  # fmt: skip


def _inspect(args: Args, kind: str) -> int:
    """What was found goes to stdout even where another name was not found, as Docker has it."""
    from rootless.cli.output.format import NO_TEMPLATE, compiled, for_people, inspected, print_json
    from rootless.cli.output.messages import complain
    from rootless.cli.output.template.template import WrongTemplate

    try:
        template = compiled(args.format) if args.format else None
    except WrongTemplate as error:
        complain(error)
        return NO_TEMPLATE
    store = Store.open()
    size, platform = getattr(args, "size", False), getattr(args, "platform", "")
    found, lines, missing = [], [], []
    for name in chosen.names(store, args):
        try:
            value = inspect_any(store, name, kind=kind, size=size, platform=platform)
            found.append(value)
            if template is not None:
                lines.append(for_people(inspected(value, template)) + "\n")
        except RootlessError as error:
            missing.append(error)
    if template is None:
        print_json(found)
    else:
        sys.stdout.write("".join(lines) or "\n")  # a line at least, as Docker's
    for failure in missing:
        complain(failure)
    return 1 if missing else 0


def _handler(kind: str) -> Callable[[Args], int]:
    return lambda args: _inspect(args, kind)


def inspect(args: Args) -> int:
    """Whatever has the name: a container, else an image, else a network, else a volume."""
    return _inspect(args, args.type)


COMMAND = Command(
    name="inspect",
    summary="Return low-level information on containers, images, networks and volumes",
    usage="[OPTIONS] NAME|ID [NAME|ID...]",
    options=(
        FORMAT,
        chosen.LATEST,
        SIZE,
        Option(("--type",), "type", VALUE, default="", convert=choice("", *KINDS), complete="|".join(KINDS),
               help="Only inspect objects of the given type: container, image, network or volume"),
    ),
    handler=inspect,
    min_args=1,
    examples=(("rootless inspect --format '{{.State.Status}} {{.NetworkSettings.IPAddress}}' web", ""),),
    complete="container",
)  # fmt: skip

CONTAINER = Command(
    name="container inspect",
    summary="Display detailed information on one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(FORMAT, chosen.LATEST, SIZE),
    handler=_handler("container"),
    min_args=1,
    complete="container",
)

IMAGE = Command(
    name="image inspect",
    summary="Display detailed information on one or more images",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    options=(FORMAT, PLATFORM),
    handler=_handler("image"),
    min_args=1,
    complete="image",
)

NETWORK = Command(
    name="network inspect",
    summary="Display detailed information on one or more networks",
    usage="[OPTIONS] NETWORK [NETWORK...]",
    options=(
        FORMAT,
        Option(("-v", "--verbose"), "verbose", FLAG, help="Verbose output for diagnostics: there is no more to say", hidden=True),
    ),
    handler=_handler("network"),
    min_args=1,
    complete="network",
)

VOLUME = Command(
    name="volume inspect",
    summary="Display detailed information on one or more volumes",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    options=(FORMAT,),
    handler=_handler("volume"),
    min_args=1,
    complete="volume",
)
