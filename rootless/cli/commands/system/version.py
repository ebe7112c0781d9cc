"""`rootless version`. Hot path."""

from __future__ import annotations

import os
import sys

from rootless import __version__
from rootless.cli.grammar.command import VALUE, Args, Command, Option


def version(args: Args) -> int:
    """Print the client's version; with --format, any field of client and server."""
    if args.format:
        return _formatted(args.format)
    system = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine)
    print("Client: rootless")
    for label, value in (
        ("Version", __version__),
        ("Python version", sys.version.partition(" ")[0]),
        ("Kernel version", system.release),
        ("OS/Arch", f"linux/{machine}"),
    ):
        print(f" {label + ':':<16}{value}")
    return 0


def _formatted(template: str) -> int:
    from rootless.cli.output.format import print_object
    from rootless.engine.views.version import version as fields

    return print_object(fields(), template)


COMMAND = Command(
    name="version",
    summary="Show the rootless version information",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--format"), "format", VALUE, help="Format output using a custom template: "
               "'json' or a Go template like '{{.Client.Version}}'"),
    ),
    handler=version,
    max_args=0,
)  # fmt: skip
