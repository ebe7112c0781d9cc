"""`rootless buildx imagetools create|inspect`."""

from __future__ import annotations

import json
import sys

from rootless.cli.commands.manifest.local import TLS, verify
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.output.columns import plain
from rootless.errors import InvalidInput, RootlessError
from rootless.storage import named_paths


def create(args: Args) -> int:
    """Make an index of what registries have, and put it under each tag."""
    from rootless.cli.output import progress
    from rootless.engine.images import imagetools

    sources = [*args.positional, *(word for path in args.file for word in _of_file(path))]
    request = imagetools.CreateRequest(
        args.tag, sources, args.append, args.annotation, args.prefer_index, args.platform, verify(args)
    )
    made = imagetools.combine(request)
    if args.dry_run:
        print(json.dumps(json.loads(made.data), indent=2))
        return 0
    if not args.tag:
        raise InvalidInput("no tag is given to put it under", hint="-t NAME, or --dry-run to look at it")
    shown = progress.for_stream(sys.stderr, quiet=args.progress == "quiet")
    try:
        for tag in args.tag:
            imagetools.store(made, tag, shown, tls_verify=verify(args))
    finally:
        progress.finish(shown)
    if args.metadata_file:
        descriptor = {"mediaType": made.media_type, "digest": made.digest, "size": len(made.data)}
        told = {"containerimage.descriptor": descriptor, "containerimage.digest": made.digest, "image.name": ",".join(args.tag)}
        try:
            with open(named_paths.open_new_content(args.metadata_file, "the file"), "w") as file:
                json.dump(told, file, indent=2)
        except OSError as error:
            raise RootlessError(f"cannot write {args.metadata_file}: {error.strerror}") from None
    return 0


def _of_file(path: str) -> list[str]:
    """Names of sources, a line each."""
    try:
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {getattr(error, 'strerror', None) or 'no text'}") from None


def inspect(args: Args) -> int:
    """Print what a registry has under a name."""
    from rootless.cli.output.format import print_object
    from rootless.engine.images import imagetools
    from rootless.engine.views.types import gotypes
    from rootless.engine.views.types import imagetools as types

    template = args.format or ""
    found = imagetools.shown(args.positional[0], tls_verify=verify(args), images="Image" in template)
    if args.raw:
        sys.stdout.flush()
        sys.stdout.buffer.write(found["Raw"])
        sys.stdout.buffer.flush()
        return 0
    if template:
        del found["Raw"]
        return print_object(gotypes.build(types.TYPES, "imagetools.Inspect", found), template)
    document = found["Manifest"]
    print(f"Name:      {plain(found['Name'])}")
    print(f"MediaType: {plain(str(document['mediaType']))}")
    print(f"Digest:    {document['digest']}")
    entries = document.get("manifests")
    if isinstance(entries, list):
        print("           \nManifests: ")
        repository = found["Name"].partition("@")[0]
        for entry in entries:
            _print_entry(repository, entry)
    return 0


def _print_entry(name: str, entry: dict[str, object]) -> None:
    platform = entry.get("platform")
    print(f"  Name:        {plain(name)}@{plain(str(entry.get('digest')))}")
    print(f"  MediaType:   {plain(str(entry.get('mediaType')))}")
    if isinstance(platform, dict):
        words = [str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key)]
        print(f"  Platform:    {plain('/'.join(words))}")
    annotations = entry.get("annotations")
    if isinstance(annotations, dict) and annotations:
        print("  Annotations: ")
        for key, value in sorted(annotations.items()):
            print(f"    {plain(str(key))}: {plain(str(value))}")
    print("               ")


CREATE = Command(
    name="buildx imagetools create",
    summary="Create a new image based on source images",
    usage="[OPTIONS] [SOURCE...]",
    options=(
        Option(("--annotation",), "annotation", LIST, metavar="stringArray", help="Add annotation to the image"),
        Option(("--append",), "append", FLAG, help="Append to existing manifest"),
        Option(("--dry-run",), "dry_run", FLAG, help="Show final image instead of pushing"),
        Option(("-f", "--file"), "file", LIST, metavar="stringArray", complete="file", help="Read source names from file"),
        *TLS,
        Option(("--metadata-file",), "metadata_file", VALUE, metavar="string", complete="file",
               help="Write create result metadata to a file"),
        Option(("-p", "--platform"), "platform", LIST, metavar="stringArray", help="Filter specified platforms of target image"),
        Option(("--prefer-index",), "prefer_index", FLAG, default=True,
               help="When only a single source is specified, prefer outputting an image index or manifest list "
                    "instead of performing a carbon copy"),
        Option(("--progress",), "progress", VALUE, metavar="string", default="auto", complete="auto|plain|quiet",
               help='Set type of progress output ("auto", "plain", "quiet")'),
        Option(("-t", "--tag"), "tag", LIST, metavar="stringArray", help="Set reference for new image"),
    ),
    handler=create,
    description="Nothing is pulled: what the target lacks is mounted from its own registry, or copied.",
    examples=(("rootless buildx imagetools create -t reg/app:1 reg/app:1-amd64 reg/app:1-arm64", ""),),
)  # fmt: skip
INSPECT = Command(
    name="buildx imagetools inspect",
    summary="Show details of an image in the registry",
    usage="[OPTIONS] NAME",
    options=(
        Option(("--format",), "format", VALUE, metavar="string", help="Format the output using the given Go template"),
        *TLS,
        Option(("--raw",), "raw", FLAG, help="Show original, unformatted JSON manifest"),
    ),
    handler=inspect,
    min_args=1,
    max_args=1,
)
