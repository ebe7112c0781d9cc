"""`rootless pod inspect`: an array of pods, as Podman 5 prints it, or a line for each by --format."""

from __future__ import annotations

import sys

from rootless.cli.commands.inspect import FORMAT
from rootless.cli.flags import pod as flags
from rootless.cli.grammar.command import RUN, Args, Command
from rootless.cli.output.format import NO_TEMPLATE, compiled, for_people, inspected, print_json
from rootless.cli.output.messages import complain
from rootless.cli.output.template.template import WrongTemplate
from rootless.engine.views import pod
from rootless.errors import RootlessError
from rootless.storage.store import Store


def inspect(args: Args) -> int:
    """What was found goes to stdout even where another name was not found."""
    try:
        template = compiled(args.format) if args.format and args.format != "json" else None
    except WrongTemplate as error:
        complain(error)
        return NO_TEMPLATE
    store = Store.open()
    found, lines, missing = [], [], []
    for name in flags.chosen(store, args):
        try:
            value = pod.inspect(store, name)
            found.append(value)
            if template is not None:
                lines.append(for_people(inspected(value, template)) + "\n")
        except RootlessError as error:
            missing.append(error)
    if template is None:
        print_json(found)
    else:
        sys.stdout.write("".join(lines))
    for failure in missing:
        complain(failure)
    return missing[0].exit_code if missing else 0


COMMAND = Command(
    name="pod inspect",
    summary="Display a pod's configuration and state",
    usage="[OPTIONS] POD [POD...]",
    options=(FORMAT, flags.LATEST),
    handler=inspect,
    status=RUN,
    complete="pod",
)
