"""How states and ports look: a state is a word and a shape, never a colour alone. Pure."""

from __future__ import annotations

from typing import Any

_SHAPES = {
    "running": "●", "paused": "‖", "restarting": "↻", "created": "○", "exited": "■", "dead": "✕", "removing": "✕",
}  # fmt: skip


def shape_of(state: str, status: str) -> str:
    """One character for a state; a running container that is not well has one of its own."""
    if state == "running" and "unhealthy" in status:
        return "▲"
    return _SHAPES.get(state, "?")


def ports(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Published ports: each with its text, once for both families."""
    shown: dict[str, dict[str, str]] = {}
    for each in sorted(found, key=lambda port: (port.get("PrivatePort", 0), port.get("PublicPort", 0))):
        public = each.get("PublicPort")
        text = f"{public}→{each['PrivatePort']}/{each['Type']}" if public else f"{each['PrivatePort']}/{each['Type']}"
        shown.setdefault(text, {"text": text})
    return list(shown.values())
