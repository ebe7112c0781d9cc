"""The service itself: who it is, what happened, what takes how much room; credentials tried at their registry."""

from __future__ import annotations

from rootless.api import versions
from rootless.api.answer.errors import Unauthorized
from rootless.api.http import answers
from rootless.api.routes.route import CHANGES, READS, WAITS, Call, Reply, Route, encoded
from rootless.engine.options import clock
from rootless.engine.state import unrecorded_exits
from rootless.engine.state.events import event_log
from rootless.engine.views import info as view
from rootless.errors import InvalidInput, RootlessError


def ping(call: Call) -> Reply:
    """The front's answer, where a proxy of ours asks."""
    return Reply(b"OK" if call.exchange.head.method == "GET" else b"", 200, versions.ping_headers(), answers.TEXT)


def version(_: Call) -> Reply:
    """SystemVersion."""
    return Reply(versions.document())


def info(call: Call) -> Reply:
    """SystemInfo. The version looks like Docker's, the operating system says who we are."""
    found = view.info(call.store)
    found["OperatingSystem"] = f"{found['OperatingSystem']} (rootless)"
    found["ServerVersion"] = versions.SERVER_VERSION
    return Reply(found)


def auth(call: Call) -> Reply:
    """Try credentials; nothing is kept of them."""
    from rootless.engine.images import logins
    from rootless.image.registry.auth_file import Credentials

    body = call.body
    username, password = body.text("username"), body.text("password")
    server = body.text("serveraddress") or logins.DEFAULT
    if body.text("identitytoken"):
        raise InvalidInput("an identity token cannot be tried by itself: give username and password")
    try:
        logins.check(server, Credentials(username, password))
    except InvalidInput:
        raise
    except RootlessError as error:
        raise Unauthorized(error.message, hint=error.hint) from None
    return Reply({"Status": "Login Succeeded", "IdentityToken": ""})


def events(call: Call) -> None:
    """The log of events from `since` to `until`, an object a line."""
    query, exchange = call.query, call.exchange
    filters = query.filters(event_log.FILTERS)
    since = _moment(query.word("since"))
    until = _moment(query.word("until"))
    event_log.check(filters)
    unrecorded_exits.notice_all(call.store)
    exchange.begin(answers.JSON)
    for message in event_log.follow(
        call.store, since_ns=since, until_ns=until, filters=filters, meanwhile=lambda: unrecorded_exits.notice_all(call.store),
        hangup=exchange.sock.fileno(),
    ):  # fmt: skip
        exchange.write(encoded(message))
    exchange.end()


def _moment(word: str) -> int | None:
    """Seconds with a fraction, or a time; 0 is as good as none."""
    return None if word in ("", "0") else clock.parse_moment(word)


def disk(call: Call) -> Reply:
    """What takes how much room; `type` for a part of it."""
    from rootless.api.answer import disk_usage

    kinds = [str(word) for word in call.query.words("type")]
    for kind in kinds:
        if kind not in disk_usage.KINDS:
            raise InvalidInput(f"unknown object type: {kind}")
    return Reply(disk_usage.document(call.store, kinds))


def doctor(_: Call) -> Reply:
    """What this machine can do, tried: `rootless doctor --json`. Takes seconds. Of ours: Docker has no such thing."""
    from rootless.engine.doctor import examine

    return Reply(examine().document())


ROUTES: tuple[Route, ...] = (
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/version", version),
    Route("GET", "/info", info, READS),
    Route("POST", "/auth", auth),
    Route("GET", "/events", events, WAITS),
    Route("GET", "/system/df", disk, CHANGES),
    Route("GET", "/rootless/doctor", doctor),
)
