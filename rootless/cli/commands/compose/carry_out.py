"""A plan carried out, or printed with --dry-run: the session joined, the executor run, its progress shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rootless.build.progress import choose
from rootless.build.progress.vertices import Progress
from rootless.cli import client_config
from rootless.cli.commands.compose.display import form
from rootless.cli.commands.compose.screen import display
from rootless.cli.flags import compose
from rootless.cli.output.messages import say
from rootless.compose.converge.apply import Context
from rootless.compose.converge.executor import Executor
from rootless.compose.converge.images import BuildChoice
from rootless.compose.converge.observe import observe
from rootless.compose.load.project import Project
from rootless.compose.plan.observed import Container, Observed
from rootless.compose.plan.steps import WORDS, Step, ordered
from rootless.compose.plan.unsupported import refuse
from rootless.engine.lifecycle import remove
from rootless.errors import InvalidInput
from rootless.session import session
from rootless.storage.store import Store


class Work:
    """One command's work on one project."""

    def __init__(self, name: str, project: Project | None = None, *, quiet: bool = False, build: BuildChoice | None = None,
                 quiet_build: bool = False, build_progress: str = "") -> None:  # fmt: skip
        if project is not None:
            for note in refuse(project):
                say(f"WARNING: {note}")
        self.store = Store.open()
        self.name, self.project = name, project
        self.dry_run = bool(compose.given().dry_run)
        self.display = display(quiet=quiet)
        quiet_build = quiet or quiet_build

        def progress() -> Progress:
            word = build_progress or form()
            return choose.choose({"json": "rawjson"}.get(word, word), quiet=quiet_build or word == "quiet")

        self.context = Context(
            self.store, name, project, progress=progress, build=build or BuildChoice(), still=self.display.still,
            proxies=lambda given: client_config.proxies(client_config.read(), given),
        )
        self._joined = False

    def join(self) -> None:
        """Enter the session, and clear away what killed commands have left."""
        if not self._joined and not self.dry_run:
            session.join()
            remove.sweep(self.store)
            self._joined = True

    def observe(self) -> Observed:
        """What there is."""
        return observe(self.store, self.name, self.project)

    def run(self, steps: list[Step]) -> None:
        """Do the steps, or print them. The first error is raised."""
        if self.dry_run:
            for step in ordered(steps):
                print(f" DRY-RUN MODE -  {step.subject}  {WORDS[step.action][0]}", file=sys.stderr)
                if WORDS[step.action][1] != WORDS[step.action][0]:
                    print(f" DRY-RUN MODE -  {step.subject}  {WORDS[step.action][1]}", file=sys.stderr)
            return
        if not steps:
            return
        self.join()
        limit = compose.given().parallel
        if limit is None:
            word = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
            limit = int(word) if word.isascii() and word.isdigit() else -1
        shown = self.display
        tick = shown.tick if shown.stderr_fd >= 0 else None
        try:
            Executor(self.context, shown, at_once=limit, tick=tick, stderr_fd=shown.stderr_fd).run(steps)
        finally:
            shown.finish()


def chosen(observed: Observed, services: Sequence[str], *, oneoff: bool = False) -> list[Container]:
    """The containers of the services (none: of all), as they are numbered."""
    found = [one for one in observed.containers if (oneoff or not one.oneoff) and (not services or one.service in services)]
    return sorted(found, key=lambda one: (one.service, one.number))


def one_container(observed: Observed, service: str, index: int) -> Container:
    """The service's container of that number, or its first (0). InvalidInput in Docker Compose's words."""
    found = [one for one in observed.of(service) if index in (0, one.number)]
    running = [one for one in found if one.runs]
    if not found or (index == 0 and not running):
        if index:
            raise InvalidInput(f'service "{service}" has no container with index {index}')
        raise InvalidInput(f'service "{service}" is not running', hint=f"rootless compose up -d {service}")
    return (running or found)[0]
