"""`rootless logout`."""

from __future__ import annotations

from rootless.cli.grammar.command import Args, Command


def logout(args: Args) -> int:
    """Forget what is known for a registry."""
    from rootless.engine.images import logins

    registry = args.positional[0] if args.positional else logins.DEFAULT
    for path in logins.logout(registry):
        print(f"Removing login credentials for {registry} from {path}")
    return 0


COMMAND = Command(
    name="logout",
    summary="Log out from a registry",
    usage="[SERVER]",
    options=(),
    handler=logout,
    max_args=1,
    description="Docker Hub if no server is named.",
)
