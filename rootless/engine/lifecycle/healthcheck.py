"""One health check of a container: run it, judge the result, write it down, act on it.

Started by the monitor's timer (`rootless container health-check ID`) and by `rootless healthcheck run`.
What is known of it and the rule that judges stand in state/health.py.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from typing import Any

from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.exec import ExecOptions, execute, report_end
from rootless.engine.options import clock
from rootless.engine.options.health import Healthcheck
from rootless.engine.state import health, running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput, RootlessError
from rootless.runtime import child
from rootless.runtime.exec import ExecProcess
from rootless.storage.containers import containers
from rootless.storage.store import Store

OUTPUT_LIMIT = 4096


def check(store: Store, identifier: str, *, by_timer: bool) -> dict[str, Any] | None:
    """Run the container's check once; its new health, or None where the result counts for nothing
    (the container is paused, has ended meanwhile, or by_timer, another check is under way).

    InvalidInput where it has no check, Conflict where it does not run.
    """
    record = read_config(store, identifier)
    healthcheck = record.get("healthcheck")
    if not healthcheck:
        raise InvalidInput(f"container {identifier} has no defined healthcheck", hint="create it with --health-cmd")
    lock = os.open(
        containers.directory(store, identifier) + "/health.lock",
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
        0o600,
    )
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if by_timer else 0))
        except BlockingIOError:
            return None
        with running.require(store, identifier) as found:
            if found.state.get("paused"):
                if by_timer:
                    return None
                raise Conflict(f"container {identifier} is paused, unpause the container before a check")
            result = _run(store, identifier, healthcheck, found)
            # In a container that ends, PID 1 is the last to be gone.
            if found.wait(0.5 if result["ExitCode"] == 137 else 0):
                return None
            now = health.judge(health.read(store, identifier), result, healthcheck, found.state)
            before = health.of(store, record, found.state)
            health.write(store, identifier, now)
            if before is None or before["Status"] != now["status"]:
                events.container(store, f"health_status: {now['status']}", record)
            return now
    finally:
        os.close(lock)


def _run(store: Store, identifier: str, healthcheck: Healthcheck, found: running.RunningContainer) -> dict[str, Any]:
    """One entry of the log: the check's times, exit code (-1: it could not be run, or not in time), output."""
    started_at = clock.now()
    timeout_s = healthcheck["timeout_ns"] / 1e9
    try:
        entered, execution = execute(store, identifier, ExecOptions(healthcheck["argv"]))
    except RootlessError as error:
        return _result(started_at, -1, error.message.encode())
    output = _Output()
    with child.Arrivals() as arrivals:
        child.look_after(entered.pid)
        ended = output.collect(entered, found.pidfd, timeout_s, arrivals)
    code = -1
    if ended:
        try:
            code = attach.exit_code(child.reap(entered.pid, entered.pidfd))
        except RootlessError as error:
            code = error.exit_code
    else:
        child.end(entered.pidfd)
    report_end(execution, code if ended else 137)
    for fd in (entered.stdout_fd, entered.stderr_fd, entered.pidfd):
        if fd >= 0:
            os.close(fd)
    if not ended:
        message = f"Health check exceeded timeout ({_seconds(timeout_s)})"
        text = output.text()
        return _result(started_at, -1, (message + (": " + text if text else "")).encode())
    return _result(started_at, code, output.text().encode())


def _result(started_at: str, code: int, output: bytes) -> dict[str, Any]:
    text = output.decode(errors="replace")
    return {"Start": started_at, "End": clock.now(), "ExitCode": code, "Output": text}


def _seconds(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


class _Output:
    """The first 4096 bytes that a check says, on either stream; the rest is read and forgotten."""

    def __init__(self) -> None:
        self.data = b""
        self.more = False

    def collect(self, check: ExecProcess, container: int, timeout_s: float, arrivals: child.Arrivals) -> bool:
        """Read until the check's process has ended; False when its time, or the container, is over."""
        streams, pidfd = [check.stdout_fd, check.stderr_fd], check.pidfd
        poller = select.poll()
        for fd in (*streams, pidfd, container, arrivals.fd):
            poller.register(fd, select.POLLIN)
        for fd in streams:
            os.set_blocking(fd, False)
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            ready = [fd for fd, _ in poller.poll(max(0.0, left) * 1000)]
            for fd in streams:
                if fd in ready and self._read(fd) is False:
                    poller.unregister(fd)
            if arrivals.fd in ready:
                arrivals.clear()
                child.look_after(check.pid)
            if pidfd in ready:
                # What a process it left behind may still say is not the check's any more.
                for fd in streams:
                    while self._read(fd) and not self.more:
                        pass
                return True
            if container in ready or left <= 0:
                return False

    def _read(self, fd: int) -> bool | None:
        """Whether there was something; None: not now."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return None
        room = OUTPUT_LIMIT - len(self.data)
        self.more = self.more or len(data) > room
        self.data += data[:room]
        return bool(data)

    def text(self) -> str:
        """The output, "..." at the end where that is not all."""
        return self.data.decode(errors="replace") + ("..." if self.more else "")


def act(store: Store, identifier: str, healthcheck: Healthcheck) -> None:
    """--health-on-failure of a container that has just become unhealthy.

    `kill` counts as its own failure, so that a restart policy applies. stop and restart outlast
    the check, which the monitor ends with the container: another process does them.
    """
    action = healthcheck["on_failure"]
    if action == "kill":
        found = running.find(store, identifier)
        if found is not None:
            with found:
                found.send(signal.SIGKILL)
    elif action in ("stop", "restart") and os.fork() == 0:
        try:
            os.setsid()
            from rootless.engine.lifecycle import start, stop

            stop.stop(store, identifier)
            if action == "restart":
                from rootless.session import session

                session.join()
                start.start(store, identifier)
        except (OSError, RootlessError):
            pass  # gone meanwhile, or cannot be started, as `inspect` shows
        finally:
            os._exit(0)


def by_timer(store: Store, identifier: str) -> bool:
    """The monitor's check, with what follows from it; True while the container is in its start period
    and has not been healthy: the next one then comes after the start interval."""
    before = health.read(store, identifier).get("status")
    now = check(store, identifier, by_timer=True)
    record = read_config(store, identifier)
    healthcheck = record.get("healthcheck")
    if now is None or not healthcheck:
        return False
    if now["status"] == health.UNHEALTHY and before != health.UNHEALTHY:
        act(store, identifier, healthcheck)
    if now["status"] != health.STARTING:
        return False
    started_at = clock.to_nanoseconds(running.read_state(store, identifier)["started_at"])
    return time.time_ns() - started_at < healthcheck["start_period_ns"]
