"""`rootless search`."""

from __future__ import annotations

from rootless.cli.flags import filters
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, integer
from rootless.cli.output.columns import plain
from rootless.cli.output.listing import print_listing
from rootless.errors import InvalidInput

HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
FILTERS = ("is-automated", "is-official", "stars")
_DESCRIPTION_WIDTH = 45


def run(args: Args) -> int:
    """A row for each repository, those with the most stars first."""
    from rootless.image.registry import catalog

    wanted = filters.collect(args.filter, FILTERS)
    if not 1 <= args.limit <= 100:
        raise InvalidInput(f"invalid limit {args.limit}: limit must be in the range of [1, 100]")
    least = max((_stars(word) for word in wanted.get("stars", ())), default=0)
    official = {_boolean("is-official", word) for word in wanted.get("is-official", ())}
    automated = {_boolean("is-automated", word) for word in wanted.get("is-automated", ())}
    term = args.positional[0]
    if not term or any(character.isspace() or not character.isprintable() for character in term):
        raise InvalidInput(f"invalid search term: {term!r}")
    hits = catalog.search(term, limit=args.limit, tls_verify=args.tls_verify)
    rows = [
        {
            "Name": hit.name,
            "Description": _short(plain(hit.description), whole=args.no_trunc),
            "StarCount": str(hit.stars),
            "IsOfficial": "[OK]" if hit.official else "",
            "IsAutomated": "",
        }
        for hit in sorted(hits, key=lambda hit: -hit.stars)
        if hit.stars >= least and (not official or hit.official in official) and True not in automated
    ]
    columns = ("Name", "Description", "StarCount", "IsOfficial")
    print_listing(rows, columns, headers=HEADERS, template=args.format, identity="Name")
    return 0


def _short(text: str, *, whole: bool) -> str:
    return text if whole or len(text) <= _DESCRIPTION_WIDTH else text[: _DESCRIPTION_WIDTH - 1] + "…"


def _stars(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or len(word) > 15:
        raise InvalidInput(f"invalid filter 'stars={word}'", hint="a number")
    return int(word)


def _boolean(key: str, word: str) -> bool:
    if word not in ("true", "false", "1", "0"):
        raise InvalidInput(f"invalid filter '{key}={word}'", hint="true or false")
    return word in ("true", "1")


COMMAND = Command(
    name="search",
    summary="Search a registry for images",
    usage="[OPTIONS] [REGISTRY/]TERM",
    options=(
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", convert=filters.convert,
               help='Filter output based on conditions provided ("is-official=true", "stars=3")'),
        Option(("--format",), "format", VALUE, help="Pretty-print search using a Go template"),
        Option(("--limit",), "limit", VALUE, metavar="int", convert=integer, default=25,
               help="Max number of search results"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Don't truncate output"),
        Option(("--tls-verify",), "tls_verify", FLAG, default=True,
               help="Require https with a valid certificate; false allows plain http"),
    ),
    handler=run,
    min_args=1,
    max_args=1,
    description="Without a registry Docker Hub is asked, or the first of unqualified-search-registries. A registry "
    "without a search is asked for the list of its repositories.",
    examples=(("rootless search localhost:5000/web", "what a registry of your own has"),),
)  # fmt: skip
