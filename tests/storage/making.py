"""Containers in a store, without an engine."""

from __future__ import annotations

import json
import os

from rootless.linux.process import boot_id, start_time
from rootless.storage.containers import containers
from rootless.storage.store import Store


def make(store: Store, name: str, *, durable: bool = True) -> str:
    identifier = containers.new_id()
    containers.create(store, identifier, name, {"image_id": "sha256:x"}, durable=durable)
    return identifier


def state_of(store: Store, identifier: str, **changes: object) -> dict[str, object]:
    pid = os.getpid()
    state = {"pid": pid, "start_time": start_time(pid), "boot_id": boot_id(), "started_at": "2026-01-02T03:04:05.000000000Z", **changes}
    with open(containers.directory(store, identifier) + "/state.json", "w") as file:
        json.dump(state, file)
    return state
