"""`up` in the foreground: the logs of all, until they have ended or the user has had enough. Ctrl-C stops, a second one kills."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.commands.compose.log_lines import LogPrinter
from rootless.cli.commands.compose.watcher import Watcher
from rootless.compose.converge.log_stream import End, LogStream, Target
from rootless.compose.converge.watching import TreeWatch
from rootless.compose.plan.down import dependencies, verb_steps
from rootless.compose.plan.observed import Container
from rootless.engine.state.logs.logs import Window

INTERRUPTED = 130


class Attachment(NamedTuple):
    """What is shown of which services, and what ends it. `abort`: "", exit or failure."""

    services: frozenset[str]
    prefix: bool = True
    colours: bool = True
    timestamps: bool = False
    abort: str = ""
    exit_code_from: str = ""
    timeout_s: int | None = None


def shown_name(project: str, one: Container) -> str:
    """`web-1` of demo-web-1; a name of its own as it is."""
    return one.name.removeprefix(f"{project}-")


def stay(work: Work, attachment: Attachment, *, since: str, watch: tuple[TreeWatch, Watcher] | None = None) -> int:
    """Show logs until all containers have ended; the exit status. With `watch`, act on changes meanwhile."""
    printer = LogPrinter(prefix=attachment.prefix, colours=attachment.colours, timestamps=attachment.timestamps)
    services: dict[str, str] = {}
    targets = _targets(work, attachment, services)
    printer.know(targets)
    status: int | None = None
    aborting = interrupted = False
    with _signals() as arrived, LogStream(work.store, Window(since=since), printer) as stream:
        stream.add(targets)
        while stream.followed or (watch is not None and not interrupted):
            ready = stream.wait(arrived, *(() if watch is None else (watch[0].fileno(),)))
            if watch is not None and arrived not in ready and ready:
                changed, called = watch[0].changes(arrived)
                ready = called
                if not called:
                    watch[1].act(changed)
                    targets = _targets(work, attachment, services)
                    printer.know(targets)
                    stream.add(targets)
            if arrived in ready:
                os.read(arrived, 64)
                _stop(work, kill=interrupted, timeout_s=attachment.timeout_s)
                interrupted = True
            for end in stream.drain():
                status = _ended(printer, end, services[end.target.id], attachment, status, quiet=interrupted and not aborting)
                if _aborts(attachment, end) and not aborting and not interrupted:
                    aborting = True
                    print("Aborting on container exit...", file=sys.stderr, flush=True)
                    _stop(work, kill=False, timeout_s=attachment.timeout_s)
        printer.finish()
    if interrupted:
        return INTERRUPTED
    return status or 0


def _targets(work: Work, attachment: Attachment, services: dict[str, str]) -> list[Target]:
    """The containers there are now; `services` learns whose they are."""
    assert work.project is not None
    there = [one for one in work.observe().containers if one.service in work.project.services and not one.oneoff]
    services |= {one.id: one.service for one in there}
    return [Target(one.id, shown_name(work.name, one), one.service in attachment.services) for one in there]


def _aborts(attachment: Attachment, end: End) -> bool:
    return attachment.abort == "exit" or (attachment.abort == "failure" and end.exit_code != 0)


def _ended(printer: LogPrinter, end: End, service: str, attachment: Attachment, status: int | None, *, quiet: bool) -> int | None:
    """Say that a container has ended; the status of the command so far."""
    if end.target.attached or not quiet:
        printer.say(end.target, f"exited with code {end.exit_code}")
    if attachment.exit_code_from:
        return end.exit_code if service == attachment.exit_code_from else status
    if attachment.abort and status is None and _aborts(attachment, end):
        return end.exit_code
    return status


def _stop(work: Work, *, kill: bool, timeout_s: int | None) -> None:
    if not kill:
        print("Gracefully stopping... (press Ctrl+C again to force)", file=sys.stderr, flush=True)
    observed = work.observe()
    assert work.project is not None
    running = [one for one in observed.containers if one.runs and one.service in work.project.services and not one.oneoff]
    if kill:
        work.run(verb_steps("kill", running, {}, reverse=True))
        return
    work.run(verb_steps("stop", running, dependencies(work.project, observed), reverse=True, timeout=timeout_s))


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that tells of SIGINT and SIGTERM, which do nothing else meanwhile."""
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)
