"""`filters` of a query: a map of keys to words, in the shapes of Go's clients and of everybody else's.

    {"label":{"a=b":true}}      docker, compose, testcontainers-go
    {"label":["a=b"]}           docker-py, dockerode, docker-java
"""

from __future__ import annotations

import json

from rootless.errors import InvalidInput

Filters = dict[str, list[str]]


def parse(text: str, known: tuple[str, ...]) -> Filters:
    """Each key's words. InvalidInput, in moby's words, for another shape and for a key that is not `known`."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInput("invalid filter: the filters are no JSON object of lists or of objects")
    filters: Filters = {}
    for key, words in found.items():
        if isinstance(words, dict):
            words = [word for word, wanted in words.items() if wanted is not False]
        elif isinstance(words, (str, bool)):
            words = [words]
        if not isinstance(words, list):
            raise InvalidInput(f"invalid filter '{key[:40]}': no list of words")
        if key not in known:
            raise InvalidInput(f"invalid filter '{key[:40]}'", hint="known filters: " + ", ".join(known))
        values = ["true" if word is True else "false" if word is False else word for word in words]
        if not all(isinstance(word, str) and "\0" not in word and _is_text(word) for word in values):
            raise InvalidInput(f"invalid filter '{key}': its words are texts")
        if values:
            filters[key] = values
    return filters


def _is_text(word: str) -> bool:
    """Whether it has no half of a surrogate pair, which JSON can spell and no file or label can have."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
