"""Errors as answers: the status of each class, and Docker's shape."""

from __future__ import annotations

import json

from rootless.errors import (
    CommandNotExecutable,
    CommandNotFound,
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    NotSupported,
    RootlessError,
    Unavailable,
)
from rootless.storage import disk_errors

_STATUS: tuple[tuple[type[RootlessError], int], ...] = (
    (InvalidInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (CommandNotFound, 400),  # as moby's start: the words tell the client's exit status
    (CommandNotExecutable, 400),
    (NotSupported, 501),
    (Unavailable, 503),
    (Corrupt, 500),
)


class Forbidden(RootlessError):
    """What is refused whoever asks: 403."""


class Unauthorized(RootlessError):
    """A registry refuses the credentials: 401."""


class NotModified(RootlessError):
    """It is so already: 304, without a body."""


def status(error: RootlessError) -> int:
    """The status of an error, as moby's httpstatus has it for its class."""
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, Unauthorized):
        return 401
    if isinstance(error, NotModified):
        return 304
    return next((code for kind, code in _STATUS if isinstance(error, kind)), 500)


def message(error: RootlessError) -> str:
    """What the client's user reads: the error, and what can be done."""
    text, hint = disk_errors.words(error)
    return f"{text}\n{hint}" if hint else text


def body(text: str) -> bytes:
    """ErrorResponse of the schema."""
    return json.dumps({"message": text}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
