"""post_start and pre_stop: commands in a running container, one after the other."""

from __future__ import annotations

import os
import stat
from typing import Any

from rootless.engine.lifecycle import exec as engine_exec
from rootless.engine.lifecycle.exec import ExecOptions
from rootless.errors import RootlessError
from rootless.runtime import child
from rootless.storage.store import Store

_MOST_BYTES = 256 << 10
"""Of what a hook says, where it is kept in memory until it is shown."""


def run_hooks(store: Store, identifier: str, hooks: list[dict[str, Any]], *, kind: str, service: str) -> None:
    """Run them; what they say is on stderr. RootlessError for the first that fails."""
    for hook in hooks:
        options = ExecOptions(
            list(hook.get("command") or ()),
            env=[f"{key}={value}" for key, value in (hook.get("environment") or {}).items() if value is not None],
            workdir=str(hook.get("working_dir") or ""),
            user=str(hook.get("user") or ""),
            privileged=bool(hook.get("privileged")),
        )
        code = _run(store, identifier, options)
        if code:
            raise RootlessError(f"{kind} hook of service {service} exited with status {code}: {' '.join(options.argv)}")


def _run(store: Store, identifier: str, options: ExecOptions) -> int:
    entered, execution = engine_exec.execute(store, identifier, options)
    with child.Arrivals() as arrivals:
        engine_exec.look_after(entered)
        streams = engine_exec.streams(entered, stdin=None)
        streams.outputs = dict.fromkeys(streams.outputs, 2)  # stdout is the containers'
        streams.most_bytes = _MOST_BYTES if _is_memory(2) else None
        streams.run(arrivals.fd, lambda numbers: engine_exec.look_after(entered))
    if streams.most_bytes == 0:
        os.write(2, f"\nmore than {_MOST_BYTES >> 10} KiB: the rest is left out\n".encode())
    code = engine_exec.exit_code(entered)
    engine_exec.report_end(execution, code)
    return code


def _is_memory(fd: int) -> bool:
    about = os.fstat(fd)
    return stat.S_ISREG(about.st_mode) and about.st_nlink == 0
