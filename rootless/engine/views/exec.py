"""An exec instance as Docker's ExecInspectResponse (API v1.51)."""

from __future__ import annotations

from typing import Any

from rootless.engine.state import exec_instances
from rootless.storage.store import Store


def inspect(store: Store, exec_id: str) -> dict[str, Any]:
    """What `GET /exec/{id}/json` answers: ExitCode is null before the end, Pid 0 unless it runs. NotFound."""
    config = exec_instances.read(store, exec_id)
    status = exec_instances.status(store, config)
    process = {"tty": config.tty, "entrypoint": config.argv[0], "arguments": config.argv[1:], "privileged": config.privileged}
    if config.user:
        process["user"] = config.user
    return {
        "ID": config.id,
        "Running": status.state == "running",
        "ExitCode": status.exit_code,
        "ProcessConfig": process,
        "OpenStdin": config.stdin,
        "OpenStderr": config.stderr,
        "OpenStdout": config.stdout,
        "CanRemove": False,
        "ContainerID": config.container,
        "DetachKeys": config.keys,
        "Pid": status.pid,
    }
