"""`rootless attach`."""

from __future__ import annotations

import signal
import sys

from rootless.cli import client_config
from rootless.cli.commands.container.run_container import resize
from rootless.cli.flags import chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.terminal import attachment
from rootless.engine.lifecycle.attach import attach, client_events, terminal
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Join our standard streams to a running container's."""
    store = Store.open()
    chosen.name_first(store, args)
    identifier = containers.find(store, args.positional[0])
    record = read_config(store, identifier)
    sequence = args.detach_keys or record["detach_keys"] or client_config.text("detachKeys")
    keys = terminal.parse_detach_keys(sequence or terminal.DEFAULT_DETACH_KEYS)
    with _require(store, identifier) as found:
        if found.state.get("paused"):
            raise Conflict("You cannot attach to a paused container, unpause it first")
        interactive = record["open_stdin"] and not args.no_stdin
        if record["tty"] and interactive:
            attach.require_terminal(0)
        with attach.connect(running.run_directory(store, identifier)) as connection:
            events.container(store, "attach", record)
            if record["tty"]:
                rows, columns = attachment.window()
                if rows and columns:
                    # A size that differs first makes full-screen programs draw themselves again.
                    for step in (1, 0):
                        resize(store, record, rows + step, columns + step)
            with (
                attachment.Signals(
                    forward=found.send if args.sig_proxy else None,
                    resize=(lambda r, c: resize(store, record, r, c)) if record["tty"] else None,
                ) as signals,
                terminal.RawMode(0 if record["tty"] and interactive else -1),
            ):
                outcome = attach.relay(
                    connection,
                    stdin=0 if interactive else None,
                    detach_keys=keys if record["tty"] else None,
                    signals=signals.fd,
                    on_signals=signals.on_arrival,
                )
    if outcome.detached:
        client_events.detached(store, record)
        print("\r\n" * sys.stdout.isatty() + "read escape sequence")
        return 0
    if outcome.status is not None:
        return attach.exit_code(outcome.status)
    try:
        return containers.status(store, identifier).exit_code
    except NotFound:
        return 128 + signal.SIGKILL


def _require(store: Store, identifier: str) -> running.RunningContainer:
    """The running container, or Docker's refusal: who wants to see the first byte starts it, with -a."""
    found = running.find(store, identifier)
    if found is not None:
        return found
    running.refuse_elsewhere(store, identifier)
    if containers.status(store, identifier).state == "restarting":
        raise Conflict("You cannot attach to a restarting container, wait until it is running")
    raise Conflict(
        "You cannot attach to a stopped container, start it first", hint=f"rootless start -a {identifier[:12]} does both"
    )


COMMAND = Command(
    name="attach",
    summary="Attach local standard input, output, and error streams to a running container",
    usage="[OPTIONS] CONTAINER",
    options=(
        Option(("--detach-keys",), "detach_keys", VALUE, metavar="string", help="Override the key sequence for detaching a container"),
        chosen.LATEST,
        Option(("--no-stdin",), "no_stdin", FLAG, help="Do not attach STDIN"),
        Option(("--sig-proxy",), "sig_proxy", FLAG, default=True, help="Proxy all received signals to the process"),
    ),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container:running,paused",
)
