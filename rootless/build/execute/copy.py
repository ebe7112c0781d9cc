"""COPY and ADD: files into a layer of the step's own; what is chosen, and how it is written, is build/copy's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from rootless.build.cache import keys
from rootless.build.copy import step as copies
from rootless.build.execute.finish import Top, finish, top_of
from rootless.build.execute.stage_root import view
from rootless.build.execute.workers import Reporter
from rootless.build.plan.steps import CopyStep
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.storage.drivers import rootfs
from rootless.storage.layers import steps
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Trees(Protocol):
    def opened(self, step: CopyStep, *, epoch: int | None) -> AbstractContextManager[copies.OpenCopy]: ...
    def in_worker(self) -> AbstractContextManager[Trees]: ...


def copy(
    store: Store, step: CopyStep, layers: list[str], trees: Trees, report: Reporter, *, chain: str, epoch: int | None
) -> dict[str, Any]:
    """Do the step on `layers`, whose chain is `chain`: {"step", "parts": of its key, by what was really written, and the
    "digest" of that}."""
    with (
        steps.NewStep(store) as new,
        trees.in_worker() as own,
        own.opened(step, epoch=epoch) as opened,
    ):
        if step.link:
            root, top, written = _linked(store, opened, layers, new.path)
        else:
            root, top, written = _upon(store, opened, layers, new.path)
        for note in written.notes:
            report.log(f"{note}\n".encode("utf-8", "replace"), error=True)
        name = finish(new, root, top, [], owners=written.owners)
        parts = keys.of_copy("" if step.link else chain, step, written.digest).parts
        return {"step": name, "parts": parts, "digest": written.digest}


def _upon(store: Store, opened: copies.OpenCopy, layers: list[str], directory: str) -> tuple[Rootfs, Top, copies.Written]:
    with steps.Mounting(store):
        root = rootfs.prepare(store, directory, layers)
        top = top_of(root)
        held = mounted(root)
        inside = held.__enter__()
    try:
        return root, top, copies.apply(opened, inside, lambda: _itself(inside))
    finally:
        held.__exit__(None, None, None)


@contextmanager
def _itself(root: int) -> Iterator[int]:
    yield root


def _linked(store: Store, opened: copies.OpenCopy, layers: list[str], directory: str) -> tuple[Rootfs, Top, copies.Written]:
    """Into an empty directory, with no view of what lies below; the stage's passwd counts all the same."""
    upper, below = directory + "/upper", directory + "/lower"
    for path in (upper, below):
        os.mkdir(path)
        os.chmod(path, 0o755)
    root = Rootfs("overlay", (below,), upper, "", "", readonly=False)
    top_of_empty = top_of(root)
    inside = os.open(upper, _DIRECTORY)
    try:
        written = copies.apply(opened, inside, lambda: view(store, layers))
    finally:
        os.close(inside)
    return root, top_of_empty, written
