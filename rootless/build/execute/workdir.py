"""WORKDIR: the directory is there afterwards; what was missing of it belongs to the step's user."""

from __future__ import annotations

import os

from rootless.build.execute.finish import finish, top_of
from rootless.build.plan.steps import WorkdirStep
from rootless.runtime.mounts.rootfs import run_in_root
from rootless.runtime.process.credentials import resolve_user
from rootless.storage.drivers import rootfs
from rootless.storage.layers import recorded, steps
from rootless.storage.store import Store


def make(store: Store, step: WorkdirStep, layers: list[str]) -> str:
    """The name of the step's layer, "" where the directory was there; RootlessError where something else is."""

    giver = recorded.Giver()

    def inside() -> dict[str, tuple[int, int]]:
        missing = []
        unmapped = {}
        path = step.path
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        # A link that leads nowhere is an error of mkdir(2), as it is in Docker.
        if not missing:
            os.makedirs(step.path, exist_ok=True)
            return {}
        user = resolve_user({"user": {"username": step.user, "additionalGroups": []}})
        for path in reversed(missing):
            os.mkdir(path)
            os.chmod(path, 0o755)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if not giver.give(fd, (user.uid, user.gid)):
                unmapped[path.strip("/")] = (user.uid, user.gid)
            os.close(fd)
        return unmapped

    with steps.NewStep(store) as new:
        with steps.Mounting(store):
            root = rootfs.prepare(store, new.path, layers)
            top = top_of(root)
            owners = run_in_root(root, inside)
        return finish(new, root, top, [], owners=owners)
