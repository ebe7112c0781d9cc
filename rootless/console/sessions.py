"""Who is logged in: one-time links, sessions, and tickets for terminals. In memory alone: with the console they end."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

LINK_S = 60.0
"""Seconds for which a one-time link is good."""
TICKET_S = 30.0
"""Seconds within which a page opens the WebSocket that it got a ticket for."""
IDLE_S = 30 * 60.0
"""Seconds without a request, or a page that follows something, after which a session ends."""
LIFETIME_S = 12 * 3600.0
"""Seconds after which a session ends, whatever was asked."""
_LIMIT = 64
"""Links, tickets, sessions at a time, of each: the oldest goes. Nobody but the owner can make any."""


class Session:
    """A browser that has logged in. `token`: what its pages send with every change; no other origin can read it."""

    def __init__(self, now: float) -> None:
        self.token = secrets.token_urlsafe(32)
        self.began_s = self.used_s = now
        self.lasting = 0
        """Requests that last: pages that follow something, terminals. While there are any it is not idle."""
        self.files: dict[str, None] = {}
        """Compose files whose paths its user has typed, in that order."""

    def owns(self, token: str) -> bool:
        """Whether `token` is this session's, compared in constant time."""
        return secrets.compare_digest(token.encode(), self.token.encode())


class Sessions:
    """`clock` gives seconds, steadily. Secrets are kept as their digests: to look one up tells nothing of another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._links: dict[bytes, float] = {}
        self._tickets: dict[bytes, tuple[float, Session]] = {}
        self._sessions: dict[bytes, Session] = {}

    def new_link(self) -> str:
        """The secret of a link that logs in once, within LINK_S."""
        secret = secrets.token_urlsafe(32)
        _put(self._links, _digest(secret), self._clock() + LINK_S)
        return secret

    def log_in(self, secret: str) -> tuple[str, Session] | None:
        """A session for who has a link's secret, and the cookie of it; None where the link is used, late or made up."""
        until = self._links.pop(_digest(secret), None)
        if until is None or self._clock() > until:
            return None
        return self.begin()

    def begin(self) -> tuple[str, Session]:
        """A session, for somebody who has shown who he is; and its cookie's value."""
        cookie, session = secrets.token_urlsafe(32), Session(self._clock())
        _put(self._sessions, _digest(cookie), session)
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, which is used by that; None where there is none, or none any more."""
        key, now = _digest(cookie), self._clock()
        session = self._sessions.get(key)
        if session is None:
            return None
        if (not session.lasting and now - session.used_s > IDLE_S) or now - session.began_s > LIFETIME_S:
            del self._sessions[key]
            return None
        session.used_s = now
        return session

    def alive(self, session: Session) -> bool:
        """Whether a session has not been ended since: asked by what lasts, streams and terminals."""
        return session in self._sessions.values() and self._clock() - session.began_s <= LIFETIME_S

    @contextlib.contextmanager
    def lasting(self, session: Session | None) -> Iterator[None]:
        """While entered, a request of the session's lasts: it does not end for being idle."""
        if session is None:
            yield
            return
        session.lasting += 1
        try:
            yield
        finally:
            session.lasting -= 1
            session.used_s = self._clock()

    def new_ticket(self, session: Session) -> str:
        """What opens one WebSocket, within TICKET_S."""
        ticket = secrets.token_urlsafe(32)
        _put(self._tickets, _digest(ticket), (self._clock() + TICKET_S, session))
        return ticket

    def use_ticket(self, ticket: str) -> Session | None:
        """The session that a ticket was made for; once."""
        until, session = self._tickets.pop(_digest(ticket), (0.0, None))
        if session is None or self._clock() > until or not self.alive(session):
            return None
        return session

    def end_all(self) -> None:
        """Everybody is logged out, and no link or ticket is good any more."""
        for each in (self._links, self._tickets, self._sessions):
            each.clear()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _put(table: dict[bytes, Any], key: bytes, value: Any) -> None:
    while len(table) >= _LIMIT:
        del table[next(iter(table))]
    table[key] = value
