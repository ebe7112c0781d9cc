"""`delete`: remove a stopped container. Hot path."""

from __future__ import annotations

import os

from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.oci import state
from rootless.oci.commands.flags import matching, root_of
from rootless.oci.container.end import end, forget
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


def command(args: Arguments) -> int:
    """Remove what is left of a stopped container; with --force end it first."""
    root = root_of(args)
    force = args.flag("--force")
    if args.flag("--regex"):
        for found in matching(root, args.words[0]):
            with state.Held(root, found.id) as container:
                _delete(container, force=force)
        return 0
    try:
        with state.Held(root, args.words[0]) as container:
            _delete(container, force=force)
    except NotFound:
        # A directory without a record is what a killed create left.
        if not force:
            raise
        if state.check_id(args.words[0]):
            state.all_containers(root)
    except InvalidInput:
        # A record that cannot be read names no process to end.
        if not force:
            raise
        state.remove(os.path.join(root, state.check_id(args.words[0])))
    return 0


def _delete(container: Container, *, force: bool) -> None:
    found = container.status()
    if found in (state.RUNNING, state.PAUSED) and not force:
        raise Conflict(
            f"cannot delete container {container.id} that is not stopped: it is {found}",
            hint="`rootless-oci kill` it, or use --force",
        )
    if found != state.STOPPED:
        end(container)
    try:
        spec = container.config()
    except (OSError, InvalidInput):
        spec = {}
    forget(container, spec)
