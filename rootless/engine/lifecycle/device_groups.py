"""The caller's groups, kept where a device wants them: its node is a group's (video, render, a site's own), and a container is not in
that group otherwise. Imported where a container has devices. Wants the session joined."""

from __future__ import annotations

import os
from collections.abc import Iterable

from rootless.engine.state.config import ContainerConfig
from rootless.runtime.process.credentials import KEEP_GROUPS

_OTHERS = 0o006


def keep(record: ContainerConfig) -> None:
    """Ask for them in the record, where nothing is asked for and a device of the container can be used by them alone. NotFound,
    NotSupported for a named device that the container cannot have."""
    nodes = [device["source"] for device in record["devices"]]
    if record.get("cdi"):
        from rootless.engine.cdi import edits

        nodes += [device["source"] for device in edits.of(record).devices]
    if not record["group_add"] and by_groups(nodes):
        record["group_add"] = [KEEP_GROUPS]


def by_groups(paths: Iterable[str]) -> bool:
    """Whether one of these device files may be read and written by whoever is in its group, as we are, and not by others."""
    for path in paths:
        about = os.stat(path)
        if about.st_uid == os.geteuid() or about.st_mode & _OTHERS == _OTHERS:
            continue
        if os.access(path, os.R_OK | os.W_OK):
            return True
    return False
