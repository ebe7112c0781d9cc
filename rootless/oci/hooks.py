"""Hooks of a lifecycle whose failure is a warning, and all points that config.md names. Hot path."""

from __future__ import annotations

from rootless.errors import RootlessError
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING
from rootless.runtime.hooks import run_hooks

if TYPE_CHECKING:
    from typing import Any

POINTS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def warn_hooks(spec: dict[str, Any], point: str, state: dict[str, Any]) -> None:
    """Run hooks whose failure is a warning and changes nothing (runtime.md, Lifecycle 13)."""
    try:
        run_hooks(spec, point, state)
    except (OSError, RootlessError) as error:
        LOG.warn(str(error))
