"""--init: our own small PID 1, executed from sealed memory, not from a file of the host. HOT."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

ANNOTATION = "io.rootless.init"


def wants_init(spec: dict[str, Any]) -> bool:
    """Whether the configuration asks for it (annotation io.rootless.init = "true")."""
    return bool((spec.get("annotations") or {}).get(ANNOTATION) == "true")
