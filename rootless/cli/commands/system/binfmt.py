"""`rootless binfmt install`, `ls`, `rm`: running programs of other architectures."""

from __future__ import annotations

from typing import Any

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output.listing import print_listing
from rootless.engine.emulation import handlers, install, interpreters
from rootless.engine.emulation.architectures import ARCHITECTURES, is_foreign

HEADERS = {"Architecture": "ARCHITECTURE", "Handler": "HANDLER", "Interpreter": "INTERPRETER"}


def install_interpreters(args: Args) -> int:
    """Each interpreter, out of the distribution's package, into the user's home."""
    install.install(install.wanted(args.positional), lambda line: None if args.quiet else print(line, flush=True))
    return 0


def list_architectures(args: Args) -> int:
    """A row for each foreign architecture: who has programs for it executed, and by what."""
    rows: list[dict[str, Any]] = []
    for architecture in ARCHITECTURES.values():
        if not is_foreign(architecture.name):
            continue
        handler = handlers.of_host(architecture)
        interpreter = handler.interpreter if handler else interpreters.find(architecture)
        rows.append(
            {
                "Architecture": architecture.name,
                "Handler": "host" if handler else ("rootless" if interpreter else ""),
                "Interpreter": interpreter or "",
            }
        )
    shown = [{**row, "Handler": row["Handler"] or "-", "Interpreter": row["Interpreter"] or "-"} for row in rows]
    print_listing(
        shown,
        ["Architecture", "Handler", "Interpreter"],
        headers=HEADERS,
        template=args.format,
        quiet=args.quiet,
        identity="Architecture",
    )
    return 0


def remove(args: Args) -> int:
    """Delete installed interpreters."""
    for name in install.remove(install.wanted(args.positional)):
        print(name)
    return 0


INSTALL = Command(
    name="binfmt install",
    summary="Get qemu-user for other architectures into your home",
    usage="[OPTIONS] [ARCHITECTURE...]",
    options=(Option(("-q", "--quiet"), "quiet", FLAG, help="Print nothing"),),
    handler=install_interpreters,
    description="Without an argument those that images are often made for. apt fetches the distribution's package and verifies "
    "it; nothing of the host is changed. From then on `rootless run --platform` and `rootless build --platform` run programs "
    "of these architectures, on Linux 6.7 and newer. Handlers that the host has are used first.",
    examples=(
        ("rootless binfmt install arm64", ""),
        ("rootless run --rm --platform linux/arm64 debian uname -m", "aarch64"),
    ),
)
LS = Command(
    name="binfmt ls",
    summary="List architectures and what runs their programs",
    usage="[OPTIONS]",
    options=(
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a Go template"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display the architectures"),
    ),
    handler=list_architectures,
    max_args=0,
)
RM = Command(
    name="binfmt rm",
    summary="Remove installed interpreters",
    usage="ARCHITECTURE [ARCHITECTURE...]",
    options=(),
    handler=remove,
    min_args=1,
)
