"""Hooks (config.md, POSIX-platform Hooks): programs of the caller's, with the state on stdin. Hot path."""

from __future__ import annotations

import os
import select
import time

from rootless import jsontext
from rootless.errors import RootlessError
from rootless.linux import signal
from rootless.record import TYPE_CHECKING
from rootless.runtime import child
from rootless.runtime.process import credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Execute = Callable[[str, list[str], dict[str, str]], object]

def run_hooks(
    spec: dict[str, Any],
    point: str,
    state: dict[str, Any],
    *,
    environment: Mapping[str, str] = os.environ,
    execute: Execute = os.execve,
) -> None:
    """Run spec.hooks[point] one after the other; RootlessError at the first that fails or takes
    longer than its timeout (then it is killed, with all of its process group). A hook without `env` gets
    `environment`: ours, or inside the container its process's. `execute` is what becomes each, as execve(2)."""
    for index, hook in enumerate((spec.get("hooks") or {}).get(point) or []):
        _run(hook, f"hooks.{point}[{index}]", jsontext.dumps(state).encode(), environment, execute)


def _run(
    hook: dict[str, Any], name: str, text: bytes, environment: Mapping[str, str], execute: Execute
) -> None:
    path = hook["path"]
    if hook.get("env") is not None:
        environment = dict(word.partition("=")[::2] for word in hook["env"])
    stdin = os.memfd_create("state", os.MFD_CLOEXEC)
    output_end, output = os.pipe()
    os.write(stdin, text)
    os.lseek(stdin, 0, os.SEEK_SET)
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.dup2(stdin, 0)
            # Not the container's own streams: the hook's output is part of the error if it fails.
            os.dup2(output, 1)
            os.dup2(output, 2)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            credentials.close_all_but_stdio()
            execute(path, hook.get("args") or [path], dict(environment))
        except (OSError, RootlessError) as error:
            os.write(2, str(error).encode())
        finally:
            os._exit(127)
    os.close(output)
    os.close(stdin)
    try:
        status, printed = _wait(pid, output_end, hook.get("timeout"))
    finally:
        os.close(output_end)
    if status is None:
        raise RootlessError(f"{name}: {path} did not end within {hook['timeout']} s and was killed")
    code = os.waitstatus_to_exitcode(status)
    if code:
        how = f"exit status {code}" if code > 0 else f"signal {-code}"
        words = ": " + " ".join(printed.decode(errors="replace").split())[:500] if printed.strip() else ""
        raise RootlessError(f"{name}: {path} failed with {how}{words}")


def _wait(pid: int, output: int, timeout_s: int | None) -> tuple[int | None, bytes]:
    """(wait status, output); None when it had to be killed. A process that a hook leaves in
    the background may keep the pipe: only the hook itself is waited for."""
    deadline = time.monotonic() + timeout_s if timeout_s else None
    printed = b""
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(output, select.POLLIN)
    try:
        while True:
            left = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
            ready = dict(poll.poll(left))
            if output in ready:
                block = os.read(output, 4096)
                printed = (printed + block)[-4096:]
                if not block:
                    poll.unregister(output)
            elif pidfd in ready:
                return child.reap(pid, pidfd), printed
            elif not ready:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None, printed
    finally:
        os.close(pidfd)
