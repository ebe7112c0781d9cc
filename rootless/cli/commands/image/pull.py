"""`rootless pull`."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.errors import InvalidInput
from rootless.storage.store import Store


def pull(args: Args) -> int:
    """Fetch an image, or all of a repository; the canonical name of each is a line on stdout."""
    from rootless.image import reference

    text = args.positional[0]
    wanted = reference.parse(text)
    untagged = ":" not in text.rpartition("/")[2] and not wanted.digest
    if args.all_tags:
        from rootless.image.registry import catalog

        if not untagged:
            raise InvalidInput("tag can't be used with --all-tags/-a")
        for tag in catalog.tags(wanted, tls_verify=args.tls_verify):
            _pull(args, f"{text}:{tag}")
        return 0
    if untagged and not args.quiet:
        print("Using default tag: latest", flush=True)
    _pull(args, text)
    return 0


def _pull(args: Args, text: str) -> None:
    from rootless.cli import client_config
    from rootless.cli.output import progress
    from rootless.engine.images import lookup
    from rootless.image import reference

    wanted = reference.parse(text)
    store = Store.open()
    before = _known(store, text)
    shown = progress.for_stream(sys.stdout if sys.stdout.isatty() else sys.stderr, quiet=args.quiet)
    try:
        image = lookup.pull(
            store, text, platform=client_config.platform(args.platform) or None, progress=shown, quiet=args.quiet,
            tls_verify=args.tls_verify,
        )  # fmt: skip
    finally:
        progress.finish(shown)
    if not args.quiet:
        fresh = "Image is up to date for" if before == image.id else "Downloaded newer image for"
        print(f"Digest: {lookup.digest_of(image)}\nStatus: {fresh} {wanted.familiar()}")
    print(wanted.canonical, flush=True)


def _known(store: Store, text: str) -> str | None:
    from rootless.engine.images import lookup
    from rootless.errors import RootlessError

    try:
        return lookup.find(store, text, all_names=False).id
    except RootlessError:
        return None


COMMAND = Command(
    name="pull",
    summary="Download an image from a registry",
    usage="[OPTIONS] NAME[:TAG|@DIGEST]",
    options=(
        Option(("-a", "--all-tags"), "all_tags", FLAG, help="Download all tagged images in the repository"),
        Option(("--disable-content-trust",), "disable_content_trust", FLAG, default=True, hidden=True),
        Option(("--platform",), "platform", VALUE, complete="linux/amd64|linux/arm64|linux/arm/v7",
               help="Set platform, like linux/arm64"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress verbose output"),
        Option(("--tls-verify",), "tls_verify", FLAG, default=True,
               help="Require https with a valid certificate; false allows plain http"),
    ),
    handler=pull,
    min_args=1,
    max_args=1,
)  # fmt: skip
