"""Waiting for a container: until it is healthy, has ended well, runs. On its pidfd and its files, told by inotify; nothing polls.

Who waits is a process of its own (executor.py), so it may block.
"""

from __future__ import annotations

import select
from collections.abc import Callable

from rootless.compose.plan import names
from rootless.engine.lifecycle import wait as waiting
from rootless.engine.state import health, running
from rootless.engine.state.config import read_config
from rootless.errors import Conflict, NotFound
from rootless.linux.inotify import IN_CREATE, IN_MOVED_TO, Inotify
from rootless.storage.containers import containers
from rootless.storage.store import Store

TELL_S = 10.0
"""How often it is said that one still waits."""


def wait_for(store: Store, identifier: str, name: str, condition: str, still: Callable[[], None]) -> str:
    """Wait; how it ended, in Docker Compose's word. Conflict, in its words, where the condition cannot come true any more."""
    if condition == "service_completed_successfully":
        code = waiting.wait(store, identifier)
        if code:
            raise Conflict(f"service \"{_service(store, identifier, name)}\" didn't complete successfully: exit {code}")
        return "Exited"
    record = read_config(store, identifier)
    if not record.get("healthcheck"):
        if condition == "service_healthy":
            raise Conflict(f"container {name} has no healthcheck configured", hint="give the service a healthcheck")
        return _running(store, identifier, name)
    return _healthy(store, identifier, name, still)


def _service(store: Store, identifier: str, name: str) -> str:
    return str(read_config(store, identifier)["labels"].get(names.SERVICE, name))


def _running(store: Store, identifier: str, name: str) -> str:
    status = containers.status(store, identifier)
    if status.state in ("running", "restarting", "paused"):
        return "Healthy"
    raise Conflict(f"container {name} exited ({status.exit_code})")


def _healthy(store: Store, identifier: str, name: str, still: Callable[[], None]) -> str:
    record = read_config(store, identifier)
    with Inotify() as notices:
        notices.watch(containers.directory(store, identifier), IN_MOVED_TO | IN_CREATE)
        while True:
            notices.drain()
            # Looked at after the watch was set and what it has told so far was taken: nothing is missed.
            try:
                status = containers.status(store, identifier)
            except NotFound:
                raise Conflict(f"container {name} was removed") from None
            if status.state not in ("running", "restarting", "paused"):
                raise Conflict(f"container {name} exited ({status.exit_code})")
            state = running.read_state(store, identifier)
            verdict = (health.of(store, record, state) or {}).get("Status")
            if verdict == health.HEALTHY:
                return "Healthy"
            if verdict == health.UNHEALTHY:
                raise Conflict(f"container {name} is unhealthy", hint=f"rootless inspect {name} shows what its check said")
            found = running.find(store, identifier)
            pidfd = -1 if found is None else found.pidfd
            poller = select.poll()
            poller.register(notices.fileno(), select.POLLIN)
            if pidfd >= 0:
                poller.register(pidfd, select.POLLIN)
            # Between two runs of a restart policy there is no process: its start shows in the directory.
            ready = poller.poll(TELL_S * 1000)
            if found is not None:
                ended = any(fd == pidfd for fd, _ in ready)
                found.close()
                if ended:
                    running.wait_ended(store, identifier)
            if not ready:
                still()
