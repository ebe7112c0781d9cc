"""Options of several commands as values. Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.oci import state
from rootless.record import TYPE_CHECKING
from rootless.runtime.listen_fds import listen_environment, listen_fds

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


def root_of(args: Arguments) -> str:
    """The state directory: --root, or the default."""
    return state.open_root(args.value("--root") or state.default_root())


def preserved(args: Arguments) -> int:
    """How many descriptors after stderr are the container's: --preserve-fds and $LISTEN_FDS."""
    count = args.number("--preserve-fds")
    count += listen_fds(demand_pid=False)
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError:
            raise InvalidInput(f"--preserve-fds: descriptor {fd} is not open") from None
        os.set_inheritable(fd, True)
    return count


def pass_listen_fds(process: dict[str, Any]) -> None:
    """Tell the container's process of the descriptors of socket activation, sd_listen_fds(3)."""
    if count := listen_fds(demand_pid=False):
        process.setdefault("env", [])
        process["env"] += listen_environment(count, pid=1)


def matching(root: str, pattern: str) -> list[Container]:
    """The containers of --regex: those whose id has a match of the pattern."""
    import re

    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"--regex: {pattern!r} is not a regular expression: {error}") from None
    return [container for container in state.all_containers(root) if expression.search(container.id)]
