"""Containers started, ended, halted."""

from __future__ import annotations

from rootless.api.answer.errors import NotModified
from rootless.api.routes.found import container
from rootless.api.routes.route import ACTS, CHANGES, EMPTY, Call, Reply, Route
from rootless.engine.lifecycle import kill as killing
from rootless.engine.lifecycle import pause as pausing
from rootless.engine.lifecycle import remove
from rootless.engine.lifecycle import restart as restarting
from rootless.engine.lifecycle import start as starting
from rootless.engine.lifecycle import stop as stopping
from rootless.engine.lifecycle.attach import client_events
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.errors import InvalidInput, RootlessError
from rootless.storage.containers import containers

_LARGEST = 65535


def start(call: Call) -> Reply:
    """POST /containers/{id}/start; 304 where it runs. One that is to be removed at its end is, where it cannot begin: who
    has attached or waits for its removal is waiting still."""
    identifier = container(call)
    try:
        starting.start(call.store, identifier)
    except starting.AlreadyRunning as error:
        raise NotModified(error.message) from None
    except RootlessError:
        if read_config(call.store, identifier)["auto_remove"] and not running.read_state(call.store, identifier).get("pid"):
            remove.remove(call.store, identifier, volumes=True)
        raise
    return EMPTY


def stop(call: Call) -> Reply:
    """POST /containers/{id}/stop; 304 where it does not run."""
    identifier = container(call)
    if containers.status(call.store, identifier).state not in ("running", "paused", "restarting"):
        raise NotModified("it does not run")
    stopping.stop(call.store, identifier, signal_name=call.query.word("signal"), timeout_s=_timeout(call))
    return EMPTY


def _timeout(call: Call) -> int | None:
    """Seconds; -1, as any negative number: until it has ended."""
    timeout = call.query.optional("t")
    return timeout if timeout is None else max(timeout, -1)


def restart(call: Call) -> Reply:
    """POST /containers/{id}/restart."""
    restarting.restart(call.store, container(call), signal_name=call.query.word("signal"), timeout_s=_timeout(call))
    return EMPTY


def kill(call: Call) -> Reply:
    """POST /containers/{id}/kill."""
    killing.kill(call.store, container(call), call.query.word("signal") or "KILL")
    return EMPTY


def pause(call: Call) -> Reply:
    """POST /containers/{id}/pause."""
    pausing.pause(call.store, container(call))
    return EMPTY


def unpause(call: Call) -> Reply:
    """POST /containers/{id}/unpause."""
    pausing.unpause(call.store, container(call))
    return EMPTY


def size(call: Call) -> tuple[int, int]:
    """Rows and columns that a resize asks for. InvalidInput."""
    rows, columns = call.query.number("h"), call.query.number("w")
    if not (0 <= rows <= _LARGEST and 0 <= columns <= _LARGEST):
        raise InvalidInput(f"invalid size of a terminal: {rows} rows, {columns} columns")
    return rows, columns


def resize(call: Call) -> Reply:
    """POST /containers/{id}/resize."""
    rows, columns = size(call)
    identifier = container(call)
    running.require(call.store, identifier).close()
    client_events.resize(call.store, read_config(call.store, identifier), rows, columns)
    return Reply(b"")


ROUTES: tuple[Route, ...] = (
    Route("POST", "/containers/{id}/start", start, CHANGES),
    Route("POST", "/containers/{id}/stop", stop, ACTS),
    Route("POST", "/containers/{id}/restart", restart, CHANGES),
    Route("POST", "/containers/{id}/kill", kill, ACTS),
    Route("POST", "/containers/{id}/pause", pause, ACTS),
    Route("POST", "/containers/{id}/unpause", unpause, ACTS),
    Route("POST", "/containers/{id}/resize", resize, ACTS),
)
