"""Listings (`ps`, `images`, `volume ls`): Docker's default table, or --format. Hot path."""

from __future__ import annotations

from rootless.cli import client_config
from rootless.cli.output.columns import print_table
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def print_listing(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    headers: Mapping[str, str],
    template: str | None,
    quiet: bool = False,
    identity: str = "ID",
    stored: str = "",
    heading: bool = True,
) -> None:
    """Print `rows`: only `identity` with --quiet, else by `template`, else a table of `columns`.

    `stored` is the key of config.json that may hold the template of who gives none: psFormat and so on.

    Without `heading` a table has no line of headers.

    `headers` maps every field that a template may name to its column header; a row holds all of them.
    """
    if stored and not template and not quiet:
        template = client_config.text(stored)
    if quiet and not template:
        print_table(None, [[row[identity]] for row in rows])
    elif template and template != "table":
        from rootless.cli.output.format import print_rows

        print_rows(rows, template, headers, heading=heading)
    else:
        titles = [headers[name] for name in columns] if heading else None
        print_table(titles, [[row[name] for name in columns] for row in rows])
