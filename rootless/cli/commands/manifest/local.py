"""`rootless manifest create|add|annotate|remove|rm|exists`: lists of the store."""

from __future__ import annotations

from rootless.cli.commands.manifest import entry_flags
from rootless.cli.grammar.command import FLAG, LIST, Args, Command, Option
from rootless.errors import InvalidInput, NotFound
from rootless.storage.store import Store

TLS = (
    Option(("--insecure",), "insecure", FLAG, help="Allow communication with an insecure registry"),
    Option(("--tls-verify",), "tls_verify", FLAG, default=True,
           help="Require https with a valid certificate; false allows plain http"),
)  # fmt: skip
_ALL = Option(("--all",), "all", FLAG, help="Of an image that is a list itself, take all images")


def verify(args: Args) -> bool:
    """Whether certificates are checked, in Docker's and in Podman's words."""
    return bool(args.tls_verify and not args.insecure)


def create(args: Args) -> int:
    """Make a list of images."""
    from rootless.engine.images import lists

    store = Store.open()
    name, *images = args.positional
    lists.create(store, name, images, amend=args.amend, every=args.all, tls_verify=verify(args))
    if args.annotation:
        lists.annotate_index(store, name, entry_flags.pairs(args.annotation))
    print(f"Created manifest list {lists.name_of(name)}")
    return 0


def add(args: Args) -> int:
    """Add images to a list; the digest of each is a line."""
    from rootless.engine.images import lists

    store = Store.open()
    name, *images = args.positional
    for image in images:
        for entry in lists.add(
            store, name, image, every=args.all, change=entry_flags.change(args), tls_verify=verify(args)
        ):
            print(entry.descriptor.digest)
    return 0


def annotate(args: Args) -> int:
    """Say more of an entry, or with --index of the list itself."""
    from rootless.engine.images import lists

    store = Store.open()
    if args.index:
        if len(args.positional) != 1:
            raise InvalidInput("--index takes the list alone")
        lists.annotate_index(store, args.positional[0], entry_flags.pairs(args.annotation))
        return 0
    if len(args.positional) != 2:
        raise InvalidInput('"rootless manifest annotate" requires 2 arguments', hint="LIST MANIFEST")
    lists.annotate(store, args.positional[0], args.positional[1], entry_flags.change(args))
    return 0


def remove(args: Args) -> int:
    """Take an entry out of a list."""
    from rootless.engine.images import lists

    for which in args.positional[1:]:
        print(lists.remove(Store.open(), args.positional[0], which).descriptor.digest)
    return 0


def rm(args: Args) -> int:
    """Forget lists; their images stay."""
    from rootless.engine.images import lists

    for name in args.positional:
        print(lists.delete(Store.open(), name))
    return 0


def exists(args: Args) -> int:
    """Exit status 0 where there is such a list, else 1."""
    from rootless.engine.images import lists

    try:
        lists.of_name(Store.open(), args.positional[0])
    except NotFound:
        return 1
    return 0


CREATE = Command(
    name="manifest create",
    summary="Create a local manifest list for annotating and pushing to a registry",
    usage="[OPTIONS] MANIFEST_LIST [MANIFEST...]",
    options=(
        Option(("-a", "--amend"), "amend", FLAG, help="Amend an existing manifest list"),
        _ALL,
        Option(("--annotation",), "annotation", LIST, metavar="list", help="Set an annotation of the list, KEY=VALUE"),
        *TLS,
    ),
    handler=create,
    min_args=1,
    description="Images of the store are taken first; others, and those that begin with docker://, are asked of their "
    "registry, and only their manifests are fetched. The list is an image to `run`, `tag`, `push` and `rmi`.",
    examples=(("rootless manifest create app:1 app:1-amd64 app:1-arm64", ""),),
)  # fmt: skip
ADD = Command(
    name="manifest add",
    summary="Add images to a manifest list",
    usage="[OPTIONS] MANIFEST_LIST IMAGE [IMAGE...]",
    options=(_ALL, *entry_flags.OPTIONS, *TLS),
    handler=add,
    min_args=2,
)
ANNOTATE = Command(
    name="manifest annotate",
    summary="Add additional information to a local image manifest",
    usage="[OPTIONS] MANIFEST_LIST MANIFEST",
    options=(
        *entry_flags.OPTIONS,
        Option(("--index",), "index", FLAG, help="Annotate the list itself"),
    ),
    handler=annotate,
    min_args=1,
    max_args=2,
)
REMOVE = Command(
    name="manifest remove",
    summary="Remove an item from a manifest list",
    usage="MANIFEST_LIST MANIFEST [MANIFEST...]",
    options=(),
    handler=remove,
    min_args=2,
)
RM = Command(
    name="manifest rm",
    summary="Delete one or more manifest lists from local storage",
    usage="MANIFEST_LIST [MANIFEST_LIST...]",
    options=(),
    handler=rm,
    min_args=1,
)
EXISTS = Command(
    name="manifest exists",
    summary="Check if a manifest list exists",
    usage="MANIFEST_LIST",
    options=(),
    handler=exists,
    min_args=1,
    max_args=1,
)
