"""How each kind of step is keyed and done: what the coordinator asks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from rootless.build import emulation
from rootless.build.cache import keys
from rootless.build.cache.keys import Key
from rootless.build.execute.run_mounts import StepMount
from rootless.build.execute.tree import Tree
from rootless.build.execute.workers import Reporter
from rootless.build.plan.sources import ContextSource, Scratch, Source
from rootless.build.plan.steps import CopyStep, Mount, PathSource, RunStep, Step, StepPlace, WorkdirStep
from rootless.build.request import BuildRequest
from rootless.build.source_trees import SourceTrees
from rootless.build.stage_state import StageState
from rootless.storage.store import Store

_NOWHERE = StepPlace("", 0, 0)


class StepExecutor:
    """For one build. `trees` opens what steps read."""

    def __init__(self, store: Store, request: BuildRequest, trees: SourceTrees) -> None:
        self._store = store
        self._request = request
        self._trees = trees

    def key(self, state: StageState, step: Step) -> Key:
        """What the step's result depends on. Reads what of its sources is not known yet."""
        platform = state.plan.platform
        if isinstance(step, WorkdirStep):
            return keys.of_workdir(state.chain, step, platform)
        if isinstance(step, RunStep):
            mounts = [self._mount_parts(state, step, mount) for mount in step.mounts]
            return keys.of_run(state.chain, step, platform, mounts, self._request.limits.hostname)
        return keys.of_copy("" if step.link else state.chain, step, self._trees.digest(state, step))

    def action(self, state: StageState, step: Step) -> Callable[[Reporter], dict[str, Any]]:
        """What a worker does: {"step": the name of the layer, "parts": of its key, by what was there}."""
        store, layers = self._store, list(state.layers)
        if isinstance(step, WorkdirStep):
            from rootless.build.execute import workdir

            return lambda _report: {"step": workdir.make(store, step, layers)}
        if isinstance(step, RunStep):
            return self._run(state, step)
        from rootless.build.execute import copy

        chain, epoch = state.chain, state.plan.epoch

        return lambda report: copy.copy(
            store, step, layers, self._trees, report, chain=chain, epoch=epoch
        )

    def wrote(self, state: StageState, step: Step, digest: str) -> None:
        if isinstance(step, CopyStep):
            self._trees.learn(state, step, digest)

    def _run(self, state: StageState, step: RunStep) -> Callable[[Reporter], dict[str, Any]]:
        from rootless.build.execute import run
        from rootless.build.execute.run_config import RunRequest

        store, layers = self._store, list(state.layers)
        request = RunRequest(
            list(step.args),
            [f"{name}={value}" for name, value in (*step.proxy, *step.env)],
            step.cwd,
            step.user,
            step.network,
            [self._mount(mount) for mount in step.mounts],
            list(step.files),
            self._request.limits,
            narrow=emulation.unanswered([state.plan], os.uname().machine),
            privileged=step.security == "insecure",
        )
        more = {}
        if step.mounts and self._trees.imports:
            # What is remembered of the result is for all builds: what a cache said the mounts show is looked at now.
            with self._trees.believing_no_cache():
                more = {"parts": self.key(state, step).parts}
        return lambda report: {"step": run.run(store, request, layers, report), **more}

    def _mount(self, mount: Mount) -> StepMount:
        if mount.type == "secret":
            secret = self._request.secrets.get(mount.id)
            return StepMount(mount, secret=secret.read() if secret else None)
        if mount.type == "ssh":
            return StepMount(mount, socket=self._request.ssh.get(mount.id, ""))
        if mount.from_ is None:
            return StepMount(mount)
        return StepMount(mount, self._tree(mount.from_))

    def _tree(self, source: Source) -> Tree:
        if isinstance(source, ContextSource):
            return self._trees.as_directory(source)
        return Tree(tuple(self._trees.layers(source)))

    def _mount_parts(self, state: StageState, step: RunStep, mount: Mount) -> dict[str, Any]:
        """What of a mount counts: where it is and what it shows. Not what a secret or a cache holds, nor an agent."""
        found: dict[str, Any] = {"type": mount.type, "target": mount.target}
        if mount.type == "bind":
            found |= {"read only": mount.read_only, "source": mount.source}
            found["content"] = self._content(state, mount.from_ or Scratch(), mount.source)
        elif mount.type == "cache":
            found |= {"id": mount.id}
        elif mount.type == "secret":
            found |= {"id": mount.id, "environment": mount.env}
        return found

    def _content(self, state: StageState, source: Source, path: str) -> str:
        if path.strip("/") in ("", ".") and not isinstance(source, ContextSource):
            return self._trees.chain(source)  # the whole of it: not to be read for this
        copy = CopyStep(_NOWHERE, (PathSource(source, (path,)),), "/")
        return self._trees.digest(state, copy)


