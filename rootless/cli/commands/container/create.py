"""`rootless create`. Hot path."""

from __future__ import annotations

from rootless.cli.commands.container.run_container import make
from rootless.cli.flags.container_options import OPTIONS
from rootless.cli.flags.container_request import to_request
from rootless.cli.grammar.command import RUN, Args, Command
from rootless.session import session
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Make a container and print its id."""
    request = to_request(args)
    request = request._replace(attached=[*["stdin"] * request.open_stdin, "stdout", "stderr"])
    store = Store.open()
    session.join()
    print(make(store, request, args))
    return 0


COMMAND = Command(
    name="create",
    summary="Create a new container",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    options=OPTIONS,
    handler=run,
    min_args=1,
    interspersed=False,
    status=RUN,
    complete="image",
)
