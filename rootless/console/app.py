"""The console as an ASGI application: guard, session, the table of routes. What is not in the table is not there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rootless.console import guard
from rootless.console.engine_api import EngineApi
from rootless.console.jobs import Jobs
from rootless.console.pages import login, render
from rootless.console.pages.context import Context
from rootless.console.passwords import Passwords
from rootless.console.request import Answer, Problem, Receive, Request, Scope, Send, json_answer
from rootless.console.routes import ROUTES, Route
from rootless.console.sessions import Session, Sessions

TOKEN = "x-rootless-token"
KEY = "x-rootless-key"


class Console:
    """`key`: what the command line shows, to be given a one-time link; it stands in a file of the owner's."""

    def __init__(self, rules: guard.Rules, api: EngineApi, key: str, passwords: Passwords | None = None) -> None:
        self.rules = rules
        self.api = api
        self.key = key
        self.passwords = passwords
        self.sessions = Sessions(time.monotonic)
        self.jobs = Jobs()
        self.used_s = time.monotonic()
        self.streams = 0
        """Pages that follow something, and terminals: while there are any, the console is in use."""
        self.ending = asyncio.Event()
        """Set: what is followed ends, so that the console can."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket."""
        self.used_s = time.monotonic()
        self.streams += 1
        try:
            if scope["type"] == "http":
                await self._http(Request(scope, receive), send)
            elif scope["type"] == "websocket":
                await self._websocket(Request(scope, receive), scope, receive, send)
        finally:
            self.streams -= 1
            self.used_s = time.monotonic()

    @property
    def in_use(self) -> bool:
        """Whether somebody follows something, or a command is at work."""
        return bool(self.streams or len(self.jobs))

    async def _http(self, request: Request, send: Send) -> None:
        try:
            answer = await self._answer(request)
        except Problem as problem:
            answer = self._problem(request, problem)
        if request.method == "HEAD" and not isinstance(answer.body, bytes):
            answer.body = b""
        if isinstance(answer.body, bytes):
            await answer.send(send)
            if answer.end:
                await answer.end()
            return
        # What is followed ends with the page: else the engine would be asked on for nobody.
        sending = asyncio.ensure_future(answer.send(send))
        gone, ending = asyncio.ensure_future(request.gone()), asyncio.ensure_future(self.ending.wait())
        try:
            with self.sessions.lasting(request.session):
                await asyncio.wait({sending, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone, ending):
                task.cancel()
            ended = await asyncio.gather(sending, gone, ending, return_exceptions=True)
            if answer.end:
                await answer.end()
        if isinstance(ended[0], Exception):
            raise ended[0]
        if self.ending.is_set():
            raise Problem(503, "the console ends")  # and not: this was all

    async def _answer(self, request: Request) -> Answer:
        # The command line's own request: by the owner's socket and key. A page knows no key.
        if request.path == "/link" and request.method == "POST" and "origin" not in request.headers:
            if not _same(request.headers.get(KEY, ""), self.key):
                raise Problem(403, "a link is for who can read the console's key")
            return json_answer({"secret": self.sessions.new_link()})
        try:
            guard.check(self.rules, request.method, request.headers)
        except guard.Refused as refused:
            raise Problem(403, str(refused)) from None
        route, parts = self._route(request.path, "GET" if request.method == "HEAD" else request.method)
        session = request.session = self._session(request)
        if not route.public:
            if session is None:
                if request.method in guard.SAFE and not route.data:
                    return login.page(self.passwords, status=401)
                raise Problem(401, "log in first")
            if request.method not in guard.SAFE and not session.owns(request.headers.get(TOKEN, "")):
                raise Problem(403, "the page is not of this session: load it again")
        answer: Answer = await route.handler(Context(self.api, self.sessions, session, request, self.jobs, self.passwords), *parts)
        return answer

    def _route(self, path: str, method: str) -> tuple[Route, tuple[str, ...]]:
        known = False
        for route in ROUTES:
            if found := route.pattern.fullmatch(path):
                if route.method == method:
                    return route, found.groups()
                known = True
        raise Problem(405 if known else 404, "there is no such page")

    def _session(self, request: Request) -> Session | None:
        values = guard.cookies(request.headers, guard.cookie_name(request.headers.get("host", "")))
        return next((session for value in values if (session := self.sessions.find(value))), None)

    def _problem(self, request: Request, problem: Problem) -> Answer:
        if request.method not in guard.SAFE or request.headers.get("accept", "").startswith("application/json"):
            return json_answer({"message": render.printable(problem.text)}, problem.status)
        return Answer(
            render.page("problem.html", session=None, title="This did not work", text=problem.text), status=problem.status
        )

    async def _websocket(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        session, handler, parts = self._terminal(request, scope)
        await receive()  # websocket.connect
        if session is None or handler is None:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return
        with self.sessions.lasting(session):
            await handler(Context(self.api, self.sessions, session, request, self.jobs, self.passwords), receive, send, *parts)

    def _terminal(self, request: Request, scope: Scope) -> tuple[Session | None, Any, tuple[str, ...]]:
        """A WebSocket shows a ticket, by a subprotocol: no cookie counts here, and no address has a secret in it."""
        try:
            guard.check(self.rules, "GET", request.headers, websocket=True)
            route, parts = self._route(request.path, "WEBSOCKET")
        except (guard.Refused, Problem):
            return None, None, ()
        tickets = [word[len("ticket.") :] for word in scope.get("subprotocols", ()) if word.startswith("ticket.")]
        session = self.sessions.use_ticket(tickets[0]) if len(tickets) == 1 else None
        return session, route.handler, parts


def _same(given: str, wanted: str) -> bool:
    import secrets

    return secrets.compare_digest(given.encode(), wanted.encode())
