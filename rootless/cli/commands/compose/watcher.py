"""What `develop.watch` says of changed files, done: sync, restart, rebuild."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.output.messages import complain
from rootless.compose.converge.images import BuildChoice
from rootless.compose.converge.watching import Rule, files_below
from rootless.compose.load import selection
from rootless.compose.plan import up as planning
from rootless.compose.plan.images import build_steps
from rootless.compose.plan.steps import Step
from rootless.errors import RootlessError


class Watcher:
    """Acts on changes. `prune`: an image that a rebuilt one takes the name of is removed."""

    def __init__(self, work: Work, wanted: list[Rule], *, prune: bool) -> None:
        self._work, self._rules, self._prune = work, wanted, prune

    def begin(self) -> None:
        """What is to be synced at the beginning."""
        for rule in self._rules:
            if rule.initial and rule.action.startswith("sync"):
                self._sync(rule, files_below(rule))

    def act(self, changed: set[str]) -> None:
        """Rebuild, sync, restart: what the rules say of the changed paths. An error is told, and the watch goes on."""
        by_rule = [(rule, sorted(path for path in changed if rule.holds(path))) for rule in self._rules]
        rebuilt = sorted({rule.service for rule, paths in by_rule if paths and rule.action == "rebuild"})
        try:
            if rebuilt:
                self._rebuild(rebuilt)
            for rule, paths in by_rule:
                if paths and rule.service not in rebuilt:
                    self._apply(rule, paths)
        except RootlessError as error:
            complain(error)

    def _apply(self, rule: Rule, paths: list[str]) -> None:
        if rule.action.startswith("sync"):
            print(f'Syncing service "{rule.service}" after {len(paths)} changes were detected', flush=True)
            self._sync(rule, paths)
        if rule.action in ("restart", "sync+restart"):
            self._work.run([
                Step(f"restart {one.id}", "restart", f"Container {one.name}", data={"id": one.id, "service": rule.service})
                for one in self._work.observe().of(rule.service)
            ])  # fmt: skip
            print(f'service(s) ["{rule.service}"] restarted', flush=True)
        if rule.action == "sync+exec":
            self._work.run([
                Step(f"exec {one.id}", "exec", f"Container {one.name}", data={"id": one.id, "service": rule.service, "hook": rule.hook})
                for one in self._work.observe().of(rule.service) if one.state == "running"
            ])  # fmt: skip

    def _sync(self, rule: Rule, paths: Sequence[str]) -> None:
        files = [[path, rule.guest_path(path)] for path in paths if os.path.lexists(path)]
        # What is synced to the container's root itself has gone: not all that is in the container, and mounted there, with it.
        gone = [found for path in paths if not os.path.lexists(path) and (found := rule.guest_path(path)).strip("/")]
        self._work.run([
            Step(f"sync {one.id}", "sync", f"Container {one.name}", data={"id": one.id, "files": files, "gone": gone})
            for one in self._work.observe().of(rule.service) if one.state == "running"
        ])  # fmt: skip

    def _rebuild(self, services: list[str]) -> None:
        shown = " ".join(f'"{name}"' for name in services)
        print(f"Rebuilding service(s) [{shown}] after changes were detected...", flush=True)
        project = self._work.project
        assert project is not None
        before = dict(self._work.observe().images)
        self._work.run(build_steps(project, services))
        print(f"service(s) [{shown}] successfully built", flush=True)
        # What depends on it stays, unless it shares a namespace with it.
        some = Work(project.name, selection.selected(project, services, selection.NO_DEPENDENCIES), build=BuildChoice())
        observed = some.observe()
        creation.converge(some, observed, planning.Asked(tuple(services), recreate_dependencies=planning.NEVER))
        if self._prune:
            self._remove([before[name] for name in before if observed.images.get(name, before[name]) != before[name]])

    def _remove(self, images: list[str]) -> None:
        steps = [Step(f"remove image {name}", "remove_image", f"Image {name[:19]}", data={"image": name}, optional=True) for name in images]
        self._work.run(steps)
