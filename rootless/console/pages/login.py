"""Logging in by a one-time link or a password; logging out everywhere; tickets for WebSockets."""

from __future__ import annotations

from rootless.console import guard
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.passwords import Passwords
from rootless.console.request import Answer, Problem, json_answer
from rootless.console.sessions import LIFETIME_S


async def show(context: Context) -> Answer:
    """The page that a link leads to: its script posts the secret, which stands in the fragment and so in no request."""
    return page(context.passwords)


def page(passwords: Passwords | None, status: int = 200) -> Answer:
    """What everybody sees who has not logged in."""
    user = passwords.user if passwords else ""
    return Answer(render.page("login.html", session=None, title="Log in", user=user), status=status)


async def log_in(context: Context) -> Answer:
    """A link's secret for a cookie."""
    secret = (await context.request.document()).get("secret")
    found = context.sessions.log_in(secret) if isinstance(secret, str) else None
    if found is None:
        raise Problem(403, "the link has been used, or is older than a minute: `rootless console` prints a new one")
    return _let_in(context, found[0])


async def by_password(context: Context) -> Answer:
    """The owner's password, asked of PAM, for a cookie."""
    if context.passwords is None:
        raise Problem(404, "this console takes links alone: `rootless console --login pam` takes the password, too")
    password = (await context.request.document()).get("password")
    if not isinstance(password, str):
        raise Problem(400, "there is no password")
    await context.passwords.check(password)
    return _let_in(context, context.sessions.begin()[0])


def _let_in(context: Context, value: str) -> Answer:
    name = guard.cookie_name(context.request.headers["host"])
    cookie = f"{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={LIFETIME_S:.0f}"
    return json_answer({}, headers={"Set-Cookie": cookie})


async def log_out(context: Context) -> Answer:
    """Everywhere: all sessions end, and what they follow."""
    context.sessions.end_all()
    return json_answer({})


async def ticket(context: Context) -> Answer:
    """For one WebSocket of this session."""
    assert context.session is not None, "the route is not public"
    return json_answer({"ticket": context.sessions.new_ticket(context.session)})
