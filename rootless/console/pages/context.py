"""What a handler of a page gets."""

from __future__ import annotations

from rootless.console.engine_api import EngineApi
from rootless.console.jobs import Jobs
from rootless.console.passwords import Passwords
from rootless.console.request import Request
from rootless.console.sessions import Session, Sessions
from rootless.record import Record


class Context(Record):
    """`session` is None on public routes for who has not logged in, `passwords` where nobody logs in by one."""

    api: EngineApi
    sessions: Sessions
    session: Session | None
    request: Request
    jobs: Jobs
    passwords: Passwords | None = None
