"""`rootless manifest push`, `manifest inspect`."""

from __future__ import annotations

import json
import sys

from rootless.cli.commands.manifest.local import TLS, verify
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.errors import RootlessError
from rootless.storage import named_paths
from rootless.storage.store import Store


def push(args: Args) -> int:
    """Push a list with all its images; its digest is a line on stdout."""
    from rootless.cli.commands.image.push import is_reproducible, types
    from rootless.cli.output import progress
    from rootless.engine.images import lists, pushing
    from rootless.image.transfer.work import Packing

    store = Store.open()
    lists.of_name(store, args.positional[0])
    target = pushing.choose(store, *args.positional)[0]
    shown = progress.for_stream(sys.stderr, quiet=args.quiet)
    packing = Packing(types=types(args.format), portable=is_reproducible())
    try:
        pushed = pushing.push(store, target, packing=packing, progress=shown, tls_verify=verify(args))
    finally:
        progress.finish(shown)
    if args.digestfile:
        try:
            with open(named_paths.open_new_content(args.digestfile, "the file"), "w") as file:
                file.write(pushed.descriptor.digest)
        except OSError as error:
            raise RootlessError(f"cannot write {args.digestfile}: {error.strerror}") from None
    if args.purge or args.rm:
        lists.delete(store, args.positional[0])
    print(pushed.descriptor.digest)
    return 0


def inspect(args: Args) -> int:
    """Print the list, or the manifest that a registry has, as JSON."""
    from rootless.engine.images import lists, remote
    from rootless.errors import NotFound, NotSupported
    from rootless.storage import blobs

    if args.verbose:
        raise NotSupported("manifest inspect has one form", hint="`rootless buildx imagetools inspect` shows more of an image")
    text = args.positional[-1]
    store = Store.open()
    try:
        data = blobs.read(store, lists.of_name(store, text).id)
    except NotFound:
        data = remote.fetch(text.removeprefix("docker://"), tls_verify=verify(args)).fetched.data
    print(json.dumps(json.loads(data), indent=4))
    return 0


PUSH = Command(
    name="manifest push",
    summary="Push a manifest list to a repository",
    usage="[OPTIONS] MANIFEST_LIST [DESTINATION]",
    options=(
        Option(("--all",), "all", FLAG, default=True, hidden=True),
        Option(("--digestfile",), "digestfile", VALUE, metavar="file", complete="file",
               help="Write the digest of the pushed list to this file"),
        Option(("-f", "--format"), "format", VALUE, metavar="string", complete="oci|v2s2",
               help="Media types: oci or v2s2 (default: the list's)"),
        Option(("-p", "--purge"), "purge", FLAG, help="Remove the local manifest list after push"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Print the digest alone"),
        Option(("--rm",), "rm", FLAG, help="Remove the local manifest list after push"),
        *TLS,
    ),
    handler=push,
    min_args=1,
    max_args=2,
)  # fmt: skip
INSPECT = Command(
    name="manifest inspect",
    summary="Display an image manifest, or manifest list",
    usage="[OPTIONS] [MANIFEST_LIST] MANIFEST",
    options=(Option(("-v", "--verbose"), "verbose", FLAG, hidden=True), *TLS),
    handler=inspect,
    min_args=1,
    max_args=2,
    description="A list of the store, or what the registry has under that name.",
)
