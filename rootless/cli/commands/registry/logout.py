"""`rootless logout`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.errors import InvalidInput


def logout(args: Args) -> int:
    """Forget what is known for a registry."""
    from rootless.engine.images import logins

    if args.all:
        if args.positional:
            raise InvalidInput("--all takes no arguments")
        for server in logins.logout_everywhere():
            print(f"Removing login credentials for {server}")
        return 0
    registry = args.positional[0] if args.positional else logins.DEFAULT
    for path in logins.logout(registry):
        print(f"Removing login credentials for {registry} from {path}")
    return 0


COMMAND = Command(
    name="logout",
    summary="Log out from a registry",
    usage="[SERVER]",
    options=(Option(("-a", "--all"), "all", FLAG, help="Remove the credentials of all registries"),),
    handler=logout,
    max_args=1,
    description="Docker Hub if no server is named.",
)
