"""`rootless helpers install`, `ls`, `rm`: programs that the host lacks, in the user's home."""

from __future__ import annotations

from rootless import paths
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output.listing import print_listing
from rootless.engine.host_programs import install

HEADERS = {"Name": "NAME", "From": "FROM", "Package": "PACKAGE", "Path": "PATH", "Use": "USE"}


def install_helpers(args: Args) -> int:
    """Each one, out of the distribution's packages."""
    for helper in install.wanted(args.positional):
        install.install(helper, lambda line: None if args.quiet else print(line, flush=True))
    return 0


def list_helpers(args: Args) -> int:
    """A row for each: whose program is used."""
    rows = []
    for name, helper in install.HELPERS.items():
        path = paths.find_program(name)
        own = path is not None and path.startswith(install.directory(helper) + "/")
        package = install.packages(helper)[0] if own else helper.package
        source = "rootless" if own else ("host" if path else "-")
        rows.append({"Name": name, "From": source, "Package": package, "Path": path or "-", "Use": helper.use})
    columns = ["Name", "From", "Package", "Path", "Use"]
    print_listing(rows, columns, headers=HEADERS, template=args.format, quiet=args.quiet, identity="Name")
    return 0


def remove(args: Args) -> int:
    """Delete installed ones."""
    for name in install.remove(install.wanted(args.positional)):
        print(name)
    return 0


INSTALL = Command(
    name="helpers install",
    summary="Get programs that this machine lacks into your home",
    usage="[OPTIONS] [NAME...]",
    options=(Option(("-q", "--quiet"), "quiet", FLAG, help="Print nothing"),),
    handler=install_helpers,
    description="NAME is slirp4netns, pasta, fuse-overlayfs or squashfuse_ll; without one all but pasta. apt fetches the distribution's "
    "packages, with the libraries that this machine lacks, and checks the archive's signature and every digest by the machine's own "
    "keyrings; nothing of the host is changed, and nobody needs root. A program on PATH or of the system is used first: its "
    "administrator keeps it up to date. Those in your home you renew by the same command. qemu-user is `rootless binfmt install`.",
    examples=(
        ("rootless helpers install slirp4netns", "Networks where nobody installed the package"),
        ("rootless helpers install", "All that containers use, or the newest of it"),
    ),
)
LS = Command(
    name="helpers ls",
    summary="List the programs that rootless starts, and where each is",
    usage="[OPTIONS]",
    options=(
        Option(("--format",), "format", VALUE, help="Format output using 'table', 'table TEMPLATE', 'json' or a Go template"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display the names"),
    ),
    handler=list_helpers,
    max_args=0,
)
RM = Command(
    name="helpers rm",
    summary="Remove installed helpers",
    usage="NAME [NAME...]",
    options=(),
    handler=remove,
    min_args=1,
)
