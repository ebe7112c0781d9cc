"""`rootless push`."""

from __future__ import annotations

import os
import sys

from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.errors import InvalidInput, RootlessError
from rootless.storage import named_paths
from rootless.storage.store import Store


def push(args: Args) -> int:
    """Push an image, or all tags of a repository; the digest of each is a line on stdout."""
    from rootless.engine.images import pushing
    from rootless.image import reference

    text, destination = args.positional[0], args.positional[1] if len(args.positional) > 1 else ""
    named = destination or text
    if pushing.is_untagged(named) and not args.all_tags and not args.quiet:
        print("Using default tag: latest", flush=True)
    targets = pushing.choose(Store.open(), text, destination, all_tags=args.all_tags)
    if not args.quiet:
        print(f"The push refers to repository [{targets[0].name.name}]", flush=True)
    digest = ""
    for target in targets:
        digest = _push(args, target)
    if args.digestfile:
        try:
            with open(named_paths.open_new_content(args.digestfile, "the file"), "w") as file:
                file.write(digest)
        except OSError as error:
            raise RootlessError(f"cannot write {args.digestfile}: {error.strerror}") from None
    if args.quiet:
        parsed = reference.parse(named)
        print(parsed.name if args.all_tags else parsed.canonical, flush=True)
    return 0


def _push(args: Args, target: object) -> str:
    from rootless.cli.output import progress
    from rootless.engine.images import pushing
    from rootless.engine.images.pushing import Target
    from rootless.image.transfer.work import Packing

    assert isinstance(target, Target)
    shown = progress.for_stream(sys.stdout if sys.stdout.isatty() else sys.stderr, quiet=args.quiet)
    packing = Packing(args.compression_format or "", args.compression_level, types(args.format), portable=is_reproducible())
    try:
        pushed = pushing.push(
            Store.open(), target, platform=args.platform or "", packing=packing, progress=shown,
            tls_verify=args.tls_verify, sign_by=_sign_by(args),
        )  # fmt: skip
    finally:
        progress.finish(shown)
    if not args.quiet:
        print(f"{target.name.tag}: digest: {pushed.descriptor.digest} size: {pushed.descriptor.size}", flush=True)
    return pushed.descriptor.digest


def _sign_by(args: Args) -> tuple[str, bytes] | None:
    """The private key and its passphrase: of the file, else asked for at a terminal."""
    path = args.sign_by_sigstore_private_key
    if not path:
        if args.sign_passphrase_file:
            raise InvalidInput("--sign-passphrase-file goes with --sign-by-sigstore-private-key")
        return None
    if args.sign_passphrase_file:
        try:
            with open(args.sign_passphrase_file, "rb") as file:
                return path, file.readline(4096).rstrip(b"\r\n")
        except OSError as error:
            raise InvalidInput(f"cannot read {args.sign_passphrase_file}: {error.strerror}") from None
    if not sys.stdin.isatty():
        raise InvalidInput("the key's passphrase is needed", hint="--sign-passphrase-file FILE names a file that holds it")
    import getpass

    return path, getpass.getpass(f"Passphrase of {path}: ").encode()


def is_reproducible() -> bool:
    """Whether the caller wants the same bytes on every host."""
    return bool(os.environ.get("SOURCE_DATE_EPOCH"))


def types(word: str | None) -> str:
    """A word of --format as push.Packing has it."""
    known = {None: "", "": "", "oci": "oci", "v2s2": "docker", "docker": "docker"}
    if word not in known:
        raise InvalidInput(f"unknown format {word!r}", hint="oci, or v2s2 for Docker's media types")
    return known[word]


def compression_format(word: str) -> str:
    """A word of --compression-format."""
    if word not in ("gzip", "zstd", "uncompressed"):
        raise InvalidInput(f"unknown compression format {word!r}", hint="gzip, zstd or uncompressed")
    return word


COMMAND = Command(
    name="push",
    summary="Upload an image to a registry",
    usage="[OPTIONS] NAME[:TAG] [DESTINATION]",
    options=(
        Option(("-a", "--all-tags"), "all_tags", FLAG, help="Push all tags of an image to the repository"),
        Option(("--compression-format",), "compression_format", VALUE, metavar="string", convert=compression_format,
               complete="gzip|zstd|uncompressed", help="Compress the layers this way (default: as they are, else gzip)"),
        Option(("--compression-level",), "compression_level", VALUE, metavar="int", convert=integer,
               help="Compression level"),
        Option(("--digestfile",), "digestfile", VALUE, metavar="file", complete="file",
               help="Write the digest of the pushed image to this file"),
        Option(("--disable-content-trust",), "disable_content_trust", FLAG, default=True, hidden=True),
        Option(("--force-compression",), "force_compression", FLAG, hidden=True),
        Option(("-f", "--format"), "format", VALUE, metavar="string", complete="oci|v2s2",
               help="Media types of the manifest: oci or v2s2 (default: the image's)"),
        Option(("--platform",), "platform", VALUE, complete="linux/amd64|linux/arm64|linux/arm/v7",
               help="Push a platform-specific manifest as a single-platform image"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress verbose output"),
        Option(("--remove-signatures",), "remove_signatures", FLAG, hidden=True),
        Option(("--sign-by-sigstore-private-key",), "sign_by_sigstore_private_key", VALUE, metavar="file", complete="file",
               help="Sign the image with this private key, as cosign and skopeo do"),
        Option(("--sign-passphrase-file",), "sign_passphrase_file", VALUE, metavar="file", complete="file",
               help="A file whose first line is the key's passphrase"),
        Option(("--tls-verify",), "tls_verify", FLAG, default=True,
               help="Require https with a valid certificate; false allows plain http"),
    ),
    handler=push,
    min_args=1,
    max_args=2,
    description="Layers that were pulled go up as they were; others are compressed on the way.",
    examples=(("rootless push localhost:5000/web:2", "to a registry of your own"),),
)  # fmt: skip
