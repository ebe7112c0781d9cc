"""The options of a container's monitor: log, stdin, health checks, what to run at the end. Hot path."""

from __future__ import annotations

from rootless import paths
from rootless.engine.options.health import Healthcheck, first_delay_ns
from rootless.engine.state.config import LOG_NAME, ContainerConfig
from rootless.engine.state.restart import own_command
from rootless.runtime.monitor import HealthTimer, MonitorOptions
from rootless.storage.containers import restart

# The check ends itself at its timeout; the monitor ends one that does not, so much later.
GRACE_MS = 10_000


def supervision(record: ContainerConfig, *, client: bool) -> MonitorOptions:
    """For one start; `client`: the command that starts it stays attached. NotSupported where the log is
    systemd's journal and none answers. The journal's descriptors are the caller's."""
    identifier = record["id"]
    if record["auto_remove"]:
        # Where it must remove a --rm container that nobody is attached to.
        cleanup: tuple[str, ...] = (*paths.own_program(), "rm", "--force", "--volumes", identifier)
    else:
        cleanup = own_command("after-exit", identifier)
    if record.get("shared"):
        cleanup = own_command("leave-shared", identifier)  # it may have become one that stays
    cleanup_if = "" if record["auto_remove"] else restart.FILE
    if record.get("exit_policy"):
        cleanup, cleanup_if = own_command("leave-pod", identifier), ""
    healthcheck = record.get("healthcheck")
    log = record["log"]
    to_journal = (-1, -1)
    if log["driver"] == "journald":
        from rootless.engine.state.logs import journal

        to_journal = journal.connect(), journal.fields_file(record)
    return MonitorOptions(
        log_name=None if log["driver"] in ("none", "journald") else LOG_NAME,
        journal=to_journal[0],
        journal_fields=to_journal[1],
        log_buffer=log.get("buffer", 0),
        log_max_size=log["max_size"],
        log_max_files=log["max_files"],
        keep_stdin=record["open_stdin"] and not client and not record.get("stdin_once"),
        cleanup=cleanup,
        no_sync=record["auto_remove"],
        cleanup_if=cleanup_if,
        health=_timer(healthcheck, identifier) if healthcheck else None,
        timeout_ms=(record.get("timeout") or 0) * 1000,
    )


def _timer(healthcheck: Healthcheck, identifier: str) -> HealthTimer:
    return HealthTimer(
        own_command("health-check", identifier),
        first_ms=_milliseconds(first_delay_ns(healthcheck)),
        interval_ms=_milliseconds(healthcheck["interval_ns"]),
        start_interval_ms=_milliseconds(healthcheck["start_interval_ns"]),
        timeout_ms=_milliseconds(healthcheck["timeout_ns"]) + GRACE_MS,
    )


def _milliseconds(nanoseconds: int) -> int:
    return max(1, nanoseconds // 1_000_000)
