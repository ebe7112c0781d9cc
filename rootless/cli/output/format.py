"""`--format`: one object or a list of them through a Go template, `json`, or `table ...`.

Not for the hot path: the default listings are printed by cli/output/listing.py without any template.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rootless.cli.output.columns import render
from rootless.cli.output.template.template import Template, WrongTemplate
from rootless.cli.output.template.template_values import TemplateRow
from rootless.engine.views.types.gotypes import plain
from rootless.errors import InvalidInput
from rootless.words import plain_lines

NO_TEMPLATE = 64
"""Docker's exit status for a `--format` of inspect, info, version and events that is no template."""


def compiled(template: str) -> Template:
    """`json`, or a template; WrongTemplate."""
    return Template("{{json .}}" if template.strip() == "json" else template)


def for_people(text: str) -> str:
    """What a template makes, without control characters where stdout is a terminal. A program that reads it gets
    every byte of a label, as with Docker."""
    return plain_lines(text) if sys.stdout.isatty() else text


def visible(text: str) -> str:
    """A JSON text whose strings have \\u.... for what cannot be seen, C1 controls and marks of direction among it."""
    import json

    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else json.dumps(letter)[1:-1] if letter != "\x7f" else "\\u007f"
        for letter in text
    )


def print_object(value: Any, template: str) -> int:
    """One object (`version`, `info`) by its template; Docker's exit status where that is none."""
    from rootless.cli.output.messages import complain

    try:
        parsed = compiled(template)
    except WrongTemplate as error:
        complain(error)
        return NO_TEMPLATE
    sys.stdout.write(for_people(parsed.execute(value)) + "\n")
    return 0


def print_json(values: list[Any]) -> None:
    """`inspect` without --format: an indented JSON array."""
    import json

    sys.stdout.write(visible(json.dumps(plain(values), indent=4, ensure_ascii=False)) + "\n")


def inspected(value: Any, template: Template) -> str:
    """The line of an inspected object.

    As Docker has it: what the typed object cannot give is looked for in its JSON, where a missing key is an error.
    """
    try:
        return template.execute(value)
    except InvalidInput as typed:
        try:
            return template.execute(plain(value), strict=True)
        except InvalidInput as error:
            raise InvalidInput(f"template parsing error: {error.message}", hint=typed.hint) from None


def print_rows(
    rows: Iterable[Mapping[str, Any]], template: str, headers: Mapping[str, str], *, heading: bool = True
) -> None:
    """A listing: `json` gives an object a line (one array to who called us `podman`), `table ...` aligned columns,
    under their headers if `heading`."""
    word, _, rest = template.partition(" ")
    if template.strip() == "json":
        source, table = "{{json .}}", False
    elif word == "table":
        source, table = rest.lstrip(), True
    else:
        source, table = template, False
    parsed = Template(source.replace("\\t", "\t").replace("\\n", "\n"))
    try:
        lines = [parsed.execute(TemplateRow(row)) for row in rows]
    except InvalidInput as error:
        raise InvalidInput(f"failed to execute template: {error.message}", hint=error.hint) from None
    if table:
        titles = [_header(source, headers)] if heading else []
        sys.stdout.write(render(None, [line.split("\t") for line in [*titles, *lines]]))
    elif template.strip() == "json" and os.path.basename(sys.argv[0]) == "podman":
        sys.stdout.write(for_people("[" + ",\n".join(lines) + "]\n"))
    else:
        sys.stdout.write(for_people("".join(line + "\n" for line in lines)))


def _header(source: str, headers: Mapping[str, str]) -> str:
    """The template applied to the headers; functions that shorten or encode leave those alone."""
    import re

    bare = re.sub(r"\{\{-?\s*(?:json|upper|lower|title|truncate|split|join)\s", "{{ print ", source)
    bare = re.sub(r"\|\s*(?:json|upper|lower|title)\b", "| print", bare)
    return Template(bare.replace("\\t", "\t").replace("\\n", "\n")).execute(_Headers(headers))


class _Headers(TemplateRow):
    """`{{.Label "x"}}` as a header is the label's name."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self["Label"] = lambda name: name
