"""`rootless kube generate`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import RUN, VALUE, Args, Command, Option, choice
from rootless.cli.output.messages import say
from rootless.errors import InvalidInput
from rootless.kube import generate
from rootless.storage import output_file
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Print the YAML, or write it to a new file."""
    if bool(args.positional) == bool(args.project):
        raise InvalidInput("name containers or pods, or a compose project: --project NAME")
    store = Store.open()
    project: str = args.project
    found = generate.of_project(store, project, args.type) if project else generate.of_names(store, args.positional, args.type)
    for note in found.notes:
        say(f"WARNING: {note}")
    if not args.filename:
        sys.stdout.write(found.text)
        return 0
    if os.path.lexists(args.filename):
        raise InvalidInput(f"cannot write to {args.filename}: file exists", hint="remove it, or name another")
    try:
        with output_file.writing(args.filename) as file:
            file.write(found.text.encode("utf-8"))
    except OSError as error:
        raise InvalidInput(f"cannot write to {args.filename}: {error.strerror}") from None
    return 0


COMMAND = Command(
    name="kube generate",
    summary="Generate Kubernetes YAML of containers, pods or a compose project",
    usage="[OPTIONS] CONTAINER|POD [CONTAINER|POD...]",
    options=(
        Option(("-f", "--filename"), "filename", VALUE, metavar="file", default="",
               help="Write to this file, which is not there yet, for you alone", complete="file"),
        Option(("-p", "--project"), "project", VALUE, metavar="string", default="",
               help="The containers of a compose project, each a pod that is called as its service is"),
        Option(("-t", "--type"), "type", VALUE, metavar="string", default="pod", convert=choice(*generate.KINDS),
               complete="|".join(generate.KINDS), help='What to make of them: "pod" or "deployment"'),
    ),
    handler=run,
    status=RUN,
    description="A pod becomes a Pod, and containers become one Pod together; named volumes become PersistentVolumeClaims, directories "
    "of the host hostPath volumes. What Kubernetes has no word for is named on standard error.",
    examples=(
        ("rootless kube generate web > web.yaml", ""),
        ("rootless kube generate --project shop --type deployment", ""),
    ),
    complete="container",
)  # fmt: skip
