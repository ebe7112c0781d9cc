"""createContainer hooks of a container that is launched (config.md, POSIX-platform Hooks): devices by CDI bring them.

They run in the init, when all is mounted and before pivot_root: with the container's namespaces, and the host's files in view.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from rootless import atomic
from rootless.errors import NotSupported
from rootless.runtime.hooks import run_hooks
from rootless.runtime.launch.init import InitConfig
from rootless.runtime.sync import Channel


def prepare(spec: dict[str, Any], *, root: str, run_dir: str) -> ContainerHooks:
    """The callbacks for the hooks of `spec`. They find the configuration, and in it where the root is mounted, in `run_dir`/bundle.
    NotSupported for hooks of another time."""
    others = [point for point, hooks in spec["hooks"].items() if hooks and point != "createContainer"]
    if others:
        raise NotSupported(f"OCI hooks of {', '.join(others)} are not supported", hint="createContainer hooks are run")
    bundle = run_dir + "/bundle"
    os.makedirs(bundle, mode=0o700, exist_ok=True)
    atomic.write_json(bundle + "/config.json", {**spec, "root": {**(spec.get("root") or {}), "path": root}}, durable=False)
    state = {"ociVersion": spec["ociVersion"], "id": os.path.basename(run_dir), "status": "creating", "bundle": bundle,
             "annotations": spec.get("annotations") or {}}  # fmt: skip
    return ContainerHooks(spec, state)


class ContainerHooks(NamedTuple):
    """The InitCallbacks of a launch. `state` is what the hooks read, less the pid, which only the outside knows."""

    spec: dict[str, Any]
    state: dict[str, Any]

    def descriptors(self) -> tuple[int, ...]:
        """None."""
        return ()

    def before_pivot(self, channel: Channel) -> None:
        """Run them. The first that fails is the error of the start."""
        channel.send("mounted")
        pid = channel.expect("hooked").data["pid"]
        run_hooks(self.spec, "createContainer", {**self.state, "pid": pid})

    def wait_for_start(self, channel: Channel, terminal: tuple[int, ...]) -> Channel:
        """As without hooks."""
        channel.send("ready", {}, terminal)
        channel.expect("start")
        return channel

    def before_exec(self, config: InitConfig, environment: dict[str, str]) -> None:
        """Nothing."""
