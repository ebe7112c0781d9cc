"""`rootless buildx version`, `ls` and `inspect`: what tools ask before they build. There is one builder, rootless itself.

Its driver is given as `docker`: what it builds lies in the store at once, as with a daemon's own builder.
"""

from __future__ import annotations

from typing import Any

from rootless import __version__
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output.columns import print_table
from rootless.errors import NotFound

BUILDX = "0.24.0"
"""The buildx whose words `build` has: tools compare it before they use one."""
NAME = "default"
HEADERS = {"Name": "NAME/NODE", "DriverEndpoint": "DRIVER/ENDPOINT", "Status": "STATUS", "Buildkit": "BUILDKIT", "Platforms": "PLATFORMS"}


def version(args: Args) -> int:
    """One line in buildx's form."""
    print(f"github.com/docker/buildx v{BUILDX}+rootless.{__version__}")
    return 0


def list_builders(args: Args) -> int:
    """The one builder, and its one node."""
    platforms = _platforms()
    node = {"Name": NAME, "Endpoint": NAME, "Status": "running", "Version": _engine(), "Platforms": platforms}
    builder: dict[str, Any] = {"Name": NAME, "Driver": "docker", "Current": True, "Dynamic": False, "Nodes": [node]}
    if args.format and args.format != "table":
        from rootless.cli.output.format import print_rows

        shown = {"DriverEndpoint": "docker", "Status": "running", "Buildkit": _engine(), "Platforms": ", ".join(platforms)}
        json_only = args.format.strip() in ("json", "{{json .}}", "{{json . }}")
        print_rows([builder if json_only else {**builder, **shown}], args.format, HEADERS)
        return 0
    row = [f" \\_ {NAME}", f" \\_ {NAME}", "running", _engine(), ", ".join(platforms)]
    print_table(list(HEADERS.values()), [[f"{NAME}*", "docker", "", "", ""], row])
    return 0


def inspect(args: Args) -> int:
    """The one builder in buildx's lines; NotFound for another's name."""
    if args.positional and args.positional[0] != NAME:
        raise NotFound(f'no builder "{args.positional[0]}" found', hint=f"there is one builder, {NAME}: rootless itself")
    print(f"Name:   {NAME}\nDriver: docker\n\nNodes:")
    for label, value in (
        ("Name", NAME),
        ("Endpoint", NAME),
        ("Status", "running"),
        ("BuildKit version", _engine()),
        ("Platforms", ", ".join(_platforms())),
    ):
        print(f"{label + ':':<18}{value}")
    return 0


def _engine() -> str:
    return f"rootless-{__version__}"


def _platforms() -> list[str]:
    """What this machine's processor executes, and what is executed by way of an interpreter."""
    from rootless.engine.emulation import handlers, interpreters
    from rootless.engine.emulation.architectures import ARCHITECTURES, is_foreign
    from rootless.image import platforms

    own = platforms.host().architecture
    near = [one.name for one in ARCHITECTURES.values() if one.name != own and not is_foreign(one.name)]
    far = [
        one.name for one in ARCHITECTURES.values()
        if is_foreign(one.name) and (handlers.of_host(one) or interpreters.find(one))
    ]  # fmt: skip
    return [f"linux/{name}" for name in (own, *near, *far)]


VERSION = Command(
    name="buildx version",
    summary="Show the buildx whose words build has",
    usage="",
    options=(),
    handler=version,
    max_args=0,
    examples=(("rootless buildx version", ""),),
)
LS = Command(
    name="buildx ls",
    summary="List builders",
    usage="[OPTIONS]",
    options=(
        Option(("--format",), "format", VALUE, help="Format output using a custom template: 'table', 'json' or a Go template"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Nothing is truncated anyway"),
    ),
    handler=list_builders,
    max_args=0,
    description="There is one: rootless itself.",
    examples=(("rootless buildx ls", ""), ("rootless buildx ls --format json", "with the platforms that it builds for")),
)
INSPECT = Command(
    name="buildx inspect",
    summary="Inspect the current builder",
    usage="[OPTIONS] [NAME]",
    options=(
        Option(("--bootstrap",), "bootstrap", FLAG, help="Nothing needs to boot"),
        Option(("--builder",), "builder", VALUE, hidden=True),
    ),
    handler=inspect,
    max_args=1,
    examples=(("rootless buildx inspect --bootstrap", "as tools ask before they build"),),
)
