"""`--format`: one object or a list of them through a Go template, `json`, or `table ...`.

Not for the hot path: the default listings are printed by cli/listing.py without any template.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rootless.cli.tables import render
from rootless.cli.template import Template


def print_one(value: Any, template: str) -> None:
    """One object (`version`, `info`): `json`, or a template."""
    sys.stdout.write(one(value, template) + "\n")


def one(value: Any, template: str) -> str:
    """The text of one object, without a newline at its end."""
    return Template("{{json .}}" if template.strip() == "json" else template).execute(value)


def print_inspected(values: list[Any], template: str | None) -> None:
    """`inspect`: an indented JSON array, or a line for each object."""
    if template is None or template == "":
        import json

        sys.stdout.write(json.dumps(values, indent=4, ensure_ascii=False) + "\n")
        return
    compiled = Template("{{json .}}" if template.strip() == "json" else template)
    for value in values:
        sys.stdout.write(compiled.execute(value) + "\n")


def print_rows(rows: Iterable[Mapping[str, Any]], template: str, headers: Mapping[str, str]) -> None:
    """A listing: `json` gives an object a line, `table ...` aligned columns under their headers."""
    word, _, rest = template.partition(" ")
    if template.strip() == "json":
        source, table = "{{json .}}", False
    elif word == "table":
        source, table = rest.lstrip(), True
    else:
        source, table = template, False
    compiled = Template(source.replace("\\t", "\t").replace("\\n", "\n"))
    lines = [compiled.execute(dict(sorted(row.items()))) for row in rows]
    if table:
        sys.stdout.write(render(None, [line.split("\t") for line in [_header(source, headers), *lines]]))
    else:
        sys.stdout.write("".join(line + "\n" for line in lines))


def _header(source: str, headers: Mapping[str, str]) -> str:
    """The template applied to the headers; functions that shorten or encode leave those alone."""
    import re

    plain = re.sub(r"\{\{-?\s*(?:json|upper|lower|title|truncate|split|join)\s", "{{ print ", source)
    plain = re.sub(r"\|\s*(?:json|upper|lower|title)\b", "| print", plain)
    return Template(plain.replace("\\t", "\t").replace("\\n", "\n")).execute(_Headers(headers))


class _Headers(dict[str, Any]):
    """`{{.Label "x"}}` as a header is the label's name."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self["Label"] = lambda name: name
