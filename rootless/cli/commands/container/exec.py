"""`rootless exec`. Hot path."""

from __future__ import annotations

from rootless.cli import client_config
from rootless.cli.flags import chosen
from rootless.cli.grammar.command import EXEC, FLAG, LIST, VALUE, Args, Command, Option
from rootless.cli.terminal import attachment
from rootless.engine.lifecycle import exec as engine_exec
from rootless.engine.lifecycle.attach import attach, terminal
from rootless.engine.lifecycle.exec import ExecOptions
from rootless.engine.options.values import parse_env, read_env_file
from rootless.errors import NotFound
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Run a command in a running container; its exit status."""
    if args.tty and args.interactive and not args.detach:
        attach.require_terminal(0)
    sequence = args.detach_keys or client_config.text("detachKeys")
    keys = terminal.parse_detach_keys(sequence or terminal.DEFAULT_DETACH_KEYS)
    environment = [entry for path in args.env_file for entry in read_env_file(path)]
    environment += [entry for word in args.env if (entry := parse_env(word)) is not None]
    rows, columns = attachment.window() if args.tty else (0, 0)
    store = Store.open()
    chosen.name_first(store, args)
    request = ExecOptions(
        args.positional[1:],
        env=environment,
        workdir=args.workdir,
        user=args.user,
        tty=args.tty,
        interactive=args.interactive,
        detach=args.detach,
        privileged=args.privileged,
        rows=rows,
        columns=columns,
    )
    name = args.positional[0]
    try:
        identifier = containers.find(store, name)
    except NotFound as error:
        if "/" in name or ":" in name:  # as no container's is: an image's name, or an image file (`apptainer exec image.sif`)
            error.hint = f"a command in a new container of an image: rootless run --rm {name} {args.positional[1]}"
        raise
    if args.detach:
        engine_exec.execute_detached(store, identifier, request)
        return 0
    entered, execution = engine_exec.execute(store, identifier, request)
    with (
        attachment.Signals(
            forward=lambda number: engine_exec.send(entered, number),
            resize=(lambda rows, columns: engine_exec.resize(entered, rows, columns)) if args.tty else None,
            children=lambda: engine_exec.look_after(entered),
        ) as signals,
        terminal.RawMode(0 if args.tty and args.interactive else -1),
    ):
        streams = engine_exec.streams(entered, stdin=0 if args.interactive else None)
        streams.detach_keys = keys if args.tty else None
        if not streams.run(signals.fd, signals.on_arrival):
            engine_exec.report_detached(execution)
            return 0
    code = engine_exec.exit_code(entered)
    engine_exec.report_end(execution, code)
    return code


COMMAND = Command(
    name="exec",
    summary="Execute a command in a running container",
    usage="[OPTIONS] CONTAINER COMMAND [ARG...]",
    options=(
        Option(("-d", "--detach"), "detach", FLAG, help="Detached mode: run command in the background"),
        Option(("--detach-keys",), "detach_keys", VALUE, metavar="string",
               help="Override the key sequence for detaching a container"),
        Option(("-e", "--env"), "env", LIST, metavar="list", help="Set environment variables"),
        Option(("--env-file",), "env_file", LIST, metavar="list", help="Read in a file of environment variables",
               complete="file"),
        Option(("-i", "--interactive"), "interactive", FLAG, help="Keep STDIN open even if not attached"),
        chosen.LATEST,
        Option(("--privileged",), "privileged", FLAG, help="Give extended privileges to the command"),
        Option(("-t", "--tty"), "tty", FLAG, help="Allocate a pseudo-TTY"),
        Option(("-u", "--user"), "user", VALUE, metavar="string", default="",
               help='Username or UID (format: "<name|uid>[:<group|gid>]")'),
        Option(("-w", "--workdir"), "workdir", VALUE, metavar="string", default="", help="Working directory inside the container"),
    ),
    handler=run,
    min_args=2,
    interspersed=False,
    status=EXEC,
    complete="container:running",
)  # fmt: skip
