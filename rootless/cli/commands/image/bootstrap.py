"""`rootless bootstrap`."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.storage.store import Store


def make(args: Args) -> int:
    """Make the image and print its id with --quiet, else what `run` may call it."""
    from rootless.cli.output import progress
    from rootless.engine.images import budget
    from rootless.engine.images.lookup import familiar
    from rootless.image import platforms
    from rootless.image.bootstrap.bootstrap import BootstrapOptions, bootstrap

    shown = progress.for_stream(sys.stderr, quiet=args.quiet)
    options = BootstrapOptions(
        include=[name for word in args.include for name in word.replace(",", " ").split()],
        variant=args.variant,
        mirror=args.mirror,
        components=args.components,
        platform=platforms.parse(args.platform) if args.platform else None,
    )
    with budget.kept(Store.open()):
        try:
            image = bootstrap(Store.open(), args.positional[0], options=options, tag=args.tag, progress=shown)
        finally:
            progress.finish(shown)
        print(image.id if args.quiet else familiar(_name(args, image.names)))
    return 0


def _name(args: Args, names: tuple[str, ...]) -> str:
    from rootless.image import reference

    wanted = reference.parse(args.tag or args.positional[0]).canonical
    return wanted if wanted in names else names[0]


COMMAND = Command(
    name="bootstrap",
    summary="Make an image from a distribution's packages",
    usage="[OPTIONS] DISTRIBUTION[:RELEASE]",
    options=(
        Option(("--components",), "components", VALUE, help="Archive components, like main,contrib"),
        Option(("--include",), "include", LIST, help="Further packages to install"),
        Option(("--mirror",), "mirror", VALUE, help="The archive to fetch from"),
        Option(("--platform",), "platform", VALUE, help="Set platform, like linux/arm64"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only print the image's ID"),
        Option(("-t", "--tag"), "tag", VALUE, help="Name of the image (default DISTRIBUTION:RELEASE)"),
        Option(("--variant",), "variant", VALUE, default="minbase", complete="essential|apt|minbase|buildd|standard",
               help="How much of the distribution: essential, apt, minbase, buildd or standard"),
    ),
    handler=make,
    min_args=1,
    max_args=1,
    description="Needs no registry: mmdebstrap fetches the packages and checks their signatures, in the "
    "session's namespaces. busybox is made from the host's own static busybox. The date of an image is its archive's "
    "(that of the release file), so that the same packages make the same image.",
    examples=(
        ("rootless bootstrap debian:bookworm", ""),
        ("rootless bootstrap --include nginx-light --tag web debian:bookworm", "an image with a web server"),
    ),
    complete="debian:bookworm|debian:trixie|ubuntu:noble|busybox",
)  # fmt: skip
