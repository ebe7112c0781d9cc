"""Templates to pages. Everything is escaped: names, labels and logs are a stranger's."""

from __future__ import annotations

import shlex
import time
from typing import Any

import jinja2

from rootless import sizes
from rootless.console.sessions import Session

_SPANS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def ago(seconds: float) -> str:
    """A time since the epoch: `3 hours ago`."""
    passed = max(0.0, time.time() - seconds)
    for length, name in _SPANS:
        if passed >= length:
            count = int(passed // length)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "now"


def printable(text: str) -> str:
    """What a terminal would take as its own, and what turns writing around, is made to be seen instead."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def one_line(text: str) -> str:
    """A file's name, as one sees it: an end of line in it is shown, too."""
    return printable(text.replace("\n", "\N{SYMBOL FOR LINE FEED}").replace("\t", "\N{SYMBOL FOR HORIZONTAL TABULATION}"))


def command(*words: str) -> str:
    """A command line, to be pasted into a shell."""
    return printable(shlex.join(["rootless", *words]))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("rootless.console"), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, finalize=lambda value: printable(value) if type(value) is str else value,
)  # fmt: skip
_ENVIRONMENT.filters.update(size=sizes.decimal, ago=ago)
_ENVIRONMENT.globals["command"] = command


def page(template: str, *, session: Session | None, title: str, **values: Any) -> bytes:
    """A whole page."""
    text = _ENVIRONMENT.get_template(template).render(session=session, title=title, **values)
    return text.encode("utf-8", "replace")
