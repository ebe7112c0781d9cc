"""Docker's STATUS column, in `ps` and in the API's list. Hot path."""

from __future__ import annotations

from rootless.engine.options.ages import ago, human_duration, parse_time
from rootless.engine.state.listing import ContainerRow


def of(row: ContainerRow, now: float) -> str:
    """Docker's STATUS column: `Up 3 minutes`, `Exited (0) 2 hours ago`, `Created`."""
    status = row.status
    if status.state == "created":
        return "Created"
    if status.state == "removing":
        return "Removal In Progress"
    if status.state in ("exited", "restarting"):
        # Where the record of its end is damaged nobody knows when it was.
        when = f" {ago(parse_time(status.finished_at), now=now)}" if status.finished_at else ""
        return f"{status.state.capitalize()} ({status.exit_code}){when}"
    words = "Up " + human_duration(now - parse_time(status.started_at))
    if status.state == "paused":
        return words + " (Paused)"
    if row.health:
        words += f" ({'health: starting' if row.health == 'starting' else row.health})"
    if row.network_lost:
        words += " (network lost)"
    return words
