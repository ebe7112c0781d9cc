"""`state`: print a container's state. Hot path."""

from __future__ import annotations

from rootless.oci import facts, state
from rootless.oci.commands.flags import root_of
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Print the state as JSON."""
    container = state.find(root_of(args), args.words[0])
    status = container.status()
    before, after = facts.around_status(container)
    pid = 0 if status == state.STOPPED else container.pid
    print(f'{before}{status}", "pid": {pid}{after}')
    return 0
