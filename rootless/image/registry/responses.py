"""What a registry's answers mean, and when asking again may help."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from rootless.errors import Corrupt, NotFound, RootlessError, Unavailable
from rootless.image.reference import is_digest

ATTEMPTS = 5
FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 90.0
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_ERROR_BODY_LIMIT_BYTES = 64 << 10
_SMALL_BYTES = 64 << 10

_Result = TypeVar("_Result")


class Transient(Exception):
    """Trying again may help: after `after_s` seconds where the server said so.

    Never leaves this room: the caller that gives up raises `error`.
    """

    def __init__(self, error: RootlessError, *, after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s


def delay_s(attempt: int, transient: Transient) -> float:
    """How long to wait after failed `attempt` (from 0). Raises the error where that is too long."""
    if transient.after_s is None:
        return float(FIRST_DELAY_S * 2**attempt)
    if transient.after_s > _LONGEST_DELAY_S:
        raise transient.error
    return transient.after_s


def with_retries(
    fetch: Callable[[], _Result], *, waiting: Callable[[Transient, float], None] | None = None
) -> _Result:
    """What `fetch` returns, tried a few times with growing pauses; `waiting` is told of each."""
    for attempt in range(ATTEMPTS):
        try:
            return fetch()
        except Transient as transient:
            if attempt + 1 == ATTEMPTS:
                raise transient.error from None
            pause_s = delay_s(attempt, transient)
            if waiting is not None:
                waiting(transient, pause_s)
            time.sleep(pause_s)
    raise AssertionError("unreachable")


def read_limited(response: BaseHTTPResponse, limit_bytes: int, what: str) -> bytes:
    """The whole body. Raises Corrupt past the limit, Transient if the connection breaks."""
    parts, size = [], 0
    for chunk in chunks(response, 64 << 10):
        parts.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise Corrupt(f"{what} is larger than {limit_bytes} bytes")
    return b"".join(parts)


def chunks(response: BaseHTTPResponse, size_bytes: int) -> Iterator[bytes]:
    """The body piece by piece, as sent; a broken connection raises Transient."""
    try:
        yield from response.stream(size_bytes, decode_content=False)
    except (HTTPError, OSError) as error:
        raise Transient(Unavailable(f"the connection broke: {str(error)[:200]}")) from None


def error_for(response: BaseHTTPResponse, what: str, where: str) -> RootlessError | Transient:
    """The error an answer other than 2xx stands for; `what` was asked for at `where`."""
    code, said = _registry_error(response)
    detail = f": {said}" if said else ""
    if response.status in (401, 403):
        return NotFound(
            f"access to {where} denied{detail or ' (' + str(response.status) + ')'}",
            hint="it may not exist, or need `rootless login` first",
        )
    if response.status == 404:
        return NotFound(f"{what} not found at {where}{': ' + said if said and code else ''}")
    if response.status == 429:
        limited = Unavailable(
            f"{where} limits our requests{detail}",
            hint="wait, or log in for a higher limit: `rootless login`",
        )
        return Transient(limited, after_s=_retry_after_s(response))
    error = Unavailable(f"{where} answered {response.status} {response.reason or ''}".rstrip() + detail)
    if response.status in TRANSIENT:
        return Transient(error, after_s=_retry_after_s(response))
    return error


def refusal(response: BaseHTTPResponse, what: str, where: str) -> RootlessError | Transient:
    """As `error_for`, of an answer to a request that was to write; closes it."""
    try:
        error = error_for(response, what, where)
    finally:
        response.close()
    if isinstance(error, NotFound) and response.status == 404:
        error.hint = "does the repository exist there? some registries want it created first"
    return error


def finish(response: BaseHTTPResponse) -> None:
    """Read what little follows, so that the connection can be used again; more closes it."""
    try:
        if len(response.read(_SMALL_BYTES, decode_content=False)) < _SMALL_BYTES:
            response.read(1, decode_content=False)
    except (HTTPError, OSError):
        pass
    response.close()


def check_digest(response: BaseHTTPResponse, digest: str, where: str) -> None:
    """Raise Corrupt where the registry says that it stored something else than `digest`."""
    found = response.headers.get("Docker-Content-Digest", "")
    if is_digest(found) and found.startswith("sha256:") and found != digest:
        raise Corrupt(f"{where} stored {found} instead of {digest}", hint="something on the way altered it")


def _registry_error(response: BaseHTTPResponse) -> tuple[str, str]:
    """Code and message of the body (distribution-spec, error codes), fit for a terminal."""
    try:
        data = response.read(_ERROR_BODY_LIMIT_BYTES, decode_content=False)
        first = json.loads(data)["errors"][0]
        code, message = str(first["code"]), str(first.get("message") or "")
    except (HTTPError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return "", ""
    text = f"{code.lower().replace('_', ' ')}: {message}" if message else code.lower()
    return code, "".join(character for character in text if character.isprintable())[:300]


def _retry_after_s(response: BaseHTTPResponse) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds or a date."""
    value = response.headers.get("Retry-After")
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment - time.time())
