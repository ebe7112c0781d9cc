"""`rootless version`."""

from __future__ import annotations

import os
import sys

from rootless import __version__
from rootless.cli.command import VALUE, Args, Command, Option


def version(args: Args) -> int:
    """Print the client's version; with --format, any of its fields."""
    if args.format:
        from rootless.cli.format import print_one

        print_one({"Client": _fields(), "Server": None}, args.format)
        return 0
    width = max(len(name) for name in _LABELS.values()) + 2
    print("Client: rootless")
    fields = _fields()
    for key, label in _LABELS.items():
        print(f" {label + ':':<{width}}{fields[key]}")
    return 0


_LABELS = {
    "Version": "Version",
    "PythonVersion": "Python version",
    "KernelVersion": "Kernel version",
    "Os": "OS/Arch",
}


def _fields() -> dict[str, str]:
    system = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine)
    return {
        "Version": __version__,
        "PythonVersion": sys.version.partition(" ")[0],
        "KernelVersion": system.release,
        "Os": f"linux/{machine}",
        "Arch": machine,
    }


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
