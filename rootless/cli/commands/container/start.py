"""`rootless start`. Hot path."""

from __future__ import annotations

from rootless.cli import client_config
from rootless.cli.commands.container.run_container import stay
from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output.for_each import for_each
from rootless.cli.terminal import attachment
from rootless.engine.lifecycle import start
from rootless.engine.lifecycle.attach import attach, terminal
from rootless.engine.state.config import read_config
from rootless.errors import InvalidInput
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Start each container; with -a or -i, stay with the one."""
    store = Store.open()
    names = chosen.names(store, args, wanted=lambda row: not chosen.runs(row))
    if args.attach or args.interactive:
        if len(names) > 1:
            raise InvalidInput("you cannot start and attach multiple containers at once")
        return _attached(store, containers.find(store, names[0]), args)
    session.join()

    def begin(identifier: str) -> None:
        try:
            start.start(store, identifier)
        except start.AlreadyRunning:
            pass  # as Docker: no failure

    return for_each(store, names, begin)


def _attached(store: Store, identifier: str, args: Args) -> int:
    record = read_config(store, identifier)
    wants_input = args.interactive and record["open_stdin"]
    if record["tty"] and wants_input:
        attach.require_terminal(0)
    chosen = args.detach_keys or record["detach_keys"] or client_config.text("detachKeys")
    keys = terminal.parse_detach_keys(chosen or terminal.DEFAULT_DETACH_KEYS)
    attached = frozenset(("stdin", "stdout", "stderr") if wants_input else ("stdout", "stderr"))
    session.join()
    rows, columns = attachment.window() if record["tty"] else (0, 0)
    launched = start.start(store, identifier, client=True, rows=rows, columns=columns)
    return stay(store, record, launched, keys, attached=attached, sig_proxy=args.sig_proxy)


COMMAND = Command(
    name="start",
    summary="Start one or more stopped containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    options=(
        chosen.every("Start all containers that do not run", short=False),  # -a is --attach
        Option(("-a", "--attach"), "attach", FLAG, help="Attach STDOUT/STDERR and forward signals"),
        Option(("--detach-keys",), "detach_keys", VALUE, metavar="string", help="Override the key sequence for detaching a container"),
        Option(("-i", "--interactive"), "interactive", FLAG, help="Attach container's STDIN"),
        chosen.LATEST,
        Option(("--sig-proxy",), "sig_proxy", FLAG, default=True, help="Proxy received signals to the process"),
    ),
    handler=run,
    min_args=1,
    complete="container:created,exited",
)
