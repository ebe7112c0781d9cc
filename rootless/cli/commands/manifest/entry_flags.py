"""What `manifest add` and `manifest annotate` may say of an entry."""

from __future__ import annotations

from collections.abc import Callable

from rootless.cli.grammar.command import LIST, VALUE, Args, Option
from rootless.errors import InvalidInput
from rootless.image.index import IndexEntry

OPTIONS = (
    Option(("--annotation",), "annotation", LIST, metavar="list", help="Set an annotation of the entry, KEY=VALUE"),
    Option(("--arch",), "arch", VALUE, metavar="string", help="Set architecture"),
    Option(("--os",), "os", VALUE, metavar="string", help="Set operating system"),
    Option(("--os-features",), "os_features", LIST, metavar="list", help="Set operating system feature"),
    Option(("--os-version",), "os_version", VALUE, metavar="string", help="Set operating system version"),
    Option(("--variant",), "variant", VALUE, metavar="string", help="Set architecture variant"),
)


def change(args: Args) -> Callable[[IndexEntry], IndexEntry]:
    """What the options make of an entry."""
    annotations = pairs(args.annotation)
    words = {"architecture": args.arch, "os": args.os, "os.version": args.os_version, "variant": args.variant}
    said: dict[str, object] = {key: value for key, value in words.items() if value}
    if args.os_features:
        said["os.features"] = [word for given in args.os_features for word in given.split(",")]

    def changed(entry: IndexEntry) -> IndexEntry:
        return entry._replace(
            platform={**entry.platform, **said}, annotations={**entry.annotations, **annotations}
        )

    return changed


def pairs(words: list[str]) -> dict[str, str]:
    """KEY=VALUE words as a dict. InvalidInput for others."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidInput(f"invalid annotation {word!r}", hint="write KEY=VALUE")
        found[key] = value
    return found
