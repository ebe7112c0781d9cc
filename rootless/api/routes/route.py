"""A route: method, path, policy and handler; and what a handler is called with."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from rootless.api.http import answers
from rootless.api.http.exchange import Exchange
from rootless.api.request.fields import Fields
from rootless.api.request.query import Query
from rootless.api.versions import Version
from rootless.api.words import ApiWord
from rootless.engine.views.types import gotypes
from rootless.storage.store import Store


class Policy(NamedTuple):
    """What a worker does around a handler. `joins`: it is in the session. `watched`: it ends where its client hangs up;
    without, what was begun is finished. `waits`: it does little but wait, for as long as the client likes, and is not
    counted among the requests at work. `again`: it leaves nothing behind in the process, which takes another request."""

    joins: bool = False
    watched: bool = False
    waits: bool = False
    again: bool = False


READS = Policy(again=True)
"""Looks at files that are ours, and at nothing else."""
ACTS = Policy()
"""Does what needs no id but ours. Goes on without its client."""
CHANGES = Policy(joins=True)
"""Acts on containers, images or networks, whose files have ids of the session. Goes on without its client."""
STREAMS = Policy(watched=True)
"""Answers for as long as the client stays."""
FOLLOWS = Policy(joins=True, watched=True)
"""Both."""
RELAYS = Policy(waits=True)
"""Has left HTTP, and sees for itself when its client has gone."""
WAITS = Policy(watched=True, waits=True)
"""Tells the client what happens, when it happens."""


class Reply(NamedTuple):
    """An answer in one piece. `value` becomes JSON; bytes are sent as they are; None is an empty body."""

    value: Any = None
    status: int = 200
    headers: answers.Headers = []
    kind: str = answers.JSON

    def encoded(self) -> bytes:
        """The body."""
        if self.value is None:
            return b""
        if isinstance(self.value, bytes):
            return self.value
        return encoded(self.value)


EMPTY = Reply(status=204)


def encoded(value: Any) -> bytes:
    """A line of JSON. What a container or an image says may be no UTF-8: it becomes question marks."""
    return json.dumps(gotypes.plain(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


class Call:
    """One request at its handler. `words` are those of the path."""

    def __init__(self, exchange: Exchange, words: dict[str, ApiWord], store: Store) -> None:
        self.exchange = exchange
        self.words = words
        self.store = store

    @property
    def version(self) -> Version:
        """The version of the API that the client speaks."""
        return self.exchange.head.version

    @cached_property
    def query(self) -> Query:
        """The words behind the question mark."""
        return Query(self.exchange.head.query)

    @cached_property
    def body(self) -> Fields:
        """The body, an object of JSON; without a body one without fields. InvalidInput."""
        return Fields.of(self.exchange.document())

    def header(self, name: str) -> str:
        """A header's value, "" where it is not there; `name` in lower case."""
        return self.exchange.head.headers.get(name, "")


Handler = Callable[[Call], "Reply | None"]


class Route(NamedTuple):
    """`pattern`: `{name}` is one part of a path, `{name*}` several. A handler that returns None has answered itself."""

    method: str
    pattern: str
    handler: Handler
    policy: Policy = ACTS
