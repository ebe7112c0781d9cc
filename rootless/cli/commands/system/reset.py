"""`rootless system reset`."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command
from rootless.cli.terminal.confirm import FORCE, confirm, warning
from rootless.engine.lifecycle import reset as everything
from rootless.storage.store import Store


def reset(args: Args) -> int:
    """Back to the state before the first command."""
    store = Store.open()
    losses = [
        "all containers, running ones too",
        "all images",
        "all volumes with what is in them",
        "what `rootless enable` wrote for them",
        "the session, unless containers of another --root use it",
    ]
    if not confirm(warning(losses) + f"\nAll of it is in {store.root}", force=args.force):
        return 0
    for undone in everything.reset(store):
        print(f"disabled: {undone}")
    return 0


COMMAND = Command(
    name="system reset",
    summary="Remove all containers, images, volumes and the session",
    usage="[OPTIONS]",
    options=(FORCE,),
    handler=reset,
    max_args=0,
)
