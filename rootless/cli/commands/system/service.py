"""`rootless system service`, `rootless system dial-stdio`: the Docker Engine API for other programs."""

from __future__ import annotations

import os
import sys

from rootless import inherited
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.cli.output.messages import say
from rootless.errors import InvalidInput
from rootless.storage.store import Store


def serve(args: Args) -> int:
    """Serve until told to end, or idle."""
    if args.install:
        return _install()
    from rootless.api import service
    from rootless.api.server import listener

    if args.time < 0 or args.workers < 1:
        raise InvalidInput("--time is a number of seconds (0: for ever), --workers at least 1")
    path = listener.path_of(args.address) if args.address else ""
    if args.print_env:
        import shlex

        print(f"export DOCKER_HOST={shlex.quote(f'unix://{path or listener.found_path()}')}")
        return 0
    Store.open()
    if sys.stderr.isatty():
        say(f"the Docker Engine API is on unix://{path or service.default_path()}: whoever can connect is you")
    service.run(path, idle_s=args.time, workers=args.workers)
    return 0


def _install() -> int:
    from rootless.api import install
    from rootless.engine.lifecycle.autostart import lingering

    os.umask(inherited.umask)  # what is made below ~/.config is the user's
    for path in install.install(Store.open()):
        print(path)
    if not lingering.lingering():
        say(
            f"lingering is off for {lingering.user_name()}: the socket is there while you are logged in",
            "to have it all the time: loginctl enable-linger",
        )
    return 0


def dial(_: Args) -> int:
    """Join our streams to the service's socket: $DOCKER_HOST where that names one, else the default."""
    from rootless.api import dial_stdio
    from rootless.api.server import listener

    named = os.environ.get("DOCKER_HOST", "")
    path = listener.path_of(named) if named.startswith("unix://") else listener.found_path()
    with dial_stdio.connect(path) as sock:
        dial_stdio.join(sock, 0, 1)
    return 0


COMMAND = Command(
    name="system service",
    summary="Serve the Docker Engine API on a Unix socket",
    usage="[OPTIONS]",
    options=(
        Option(("--address",), "address", VALUE, metavar="string", default="",
               help="Where to listen: unix:///PATH (default docker.sock in the runtime directory)"),
        Option(("--install",), "install", FLAG, help="Write systemd user units that start it when it is wanted, and end"),
        Option(("--print-env",), "print_env", FLAG, help="Print what tells clients where it is, for eval, and end"),
        Option(("-t", "--time"), "time", VALUE, metavar="int", default=0, convert=integer,
               help="Seconds without a request after which it ends (0: never)"),
        Option(("--workers",), "workers", VALUE, metavar="int", default=64, convert=integer,
               help="Requests at a time (default 64); one more is answered by 503"),
    ),
    handler=serve,
    max_args=0,
    description="docker, compose, testcontainers and others find it by DOCKER_HOST. Its socket is yours alone: who has it "
    "has your account. docs/api.md says which endpoints there are.",
    examples=(
        ("rootless system service --install", "with systemd: there whenever a client connects"),
        ("rootless system service", "without systemd, or to watch it: here, until Ctrl-C"),
        ("rootless system service --print-env", "for eval: what sets DOCKER_HOST"),
    ),
)  # fmt: skip
DIAL = Command(
    name="system dial-stdio",
    summary="Proxy the stdio stream to the service's socket",
    usage="",
    options=(),
    handler=dial,
    max_args=0,
    description="What `docker -H ssh://` runs on this machine.",
)
