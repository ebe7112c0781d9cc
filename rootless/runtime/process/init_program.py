"""--init, and a pod's infra: our own small PID 1, executed from sealed memory, not from a file of the host. Hot path."""

from __future__ import annotations

from rootless.errors import NotSupported
from rootless.record import TYPE_CHECKING
from rootless.runtime.process.memfd import open_sealed
from rootless.runtime.process.sealed_exec import open_exec_helper, selinux_enforces

if TYPE_CHECKING:
    from typing import Any

ANNOTATION = "io.rootless.init"
PAUSE = "pause"
"""The annotation's value for a program that starts nothing and keeps its namespaces (helpers/init.c)."""
SHARED_COMMAND = ["rootless-init", "-S"]
"""That program's words where it is to end with the last that shares the container; its descriptor 3 is what they connect to."""


def wants_init(spec: dict[str, Any]) -> bool:
    """Whether the configuration asks for it (annotation io.rootless.init = "true")."""
    return bool((spec.get("annotations") or {}).get(ANNOTATION) in ("true", PAUSE))


def is_pause(spec: dict[str, Any]) -> bool:
    """Whether that program is all there is to run: the container has no command."""
    return bool((spec.get("annotations") or {}).get(ANNOTATION) == PAUSE)


def open_first(spec: dict[str, Any]) -> int:
    """What the container's first process executes: that program, or the one of sealed_exec.open_exec_helper."""
    if not wants_init(spec):
        return open_exec_helper(spec["process"])
    if selinux_enforces(spec["process"]):
        raise NotSupported(
            "--init is a program in memory, and SELinux's policy knows no such way into a label",
            hint="leave --init out, or --security-opt label=...",
        )
    try:
        return open_sealed("init")
    except PermissionError:
        raise NotSupported(
            "this host lets no memory be executed (vm.memfd_noexec=2), and --init and pods need that",
            hint="ask the administrator for sysctl vm.memfd_noexec=1, or do without --init and without a pod",
        ) from None
