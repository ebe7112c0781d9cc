"""`rootless pod start`, `stop`, `restart`, `kill`, `pause` and `unpause`: one verb on all containers of pods."""

from __future__ import annotations

from collections.abc import Callable

from rootless.cli.flags import pod as flags
from rootless.cli.grammar.command import RUN, VALUE, Args, Command, Option, integer
from rootless.cli.output.messages import complain
from rootless.engine.options.signals import parse_signal
from rootless.engine.pods import verbs
from rootless.engine.state.pods import Pod
from rootless.errors import RootlessError
from rootless.session import session
from rootless.storage import pods as stored
from rootless.storage.store import Store

TIMEOUT = Option(
    ("-t", "--time", "--timeout"), "timeout", VALUE, metavar="uint", convert=integer,
    help="Seconds to wait before killing the containers that do not end (default 10)",
)  # fmt: skip


def each(store: Store, names: list[str], verb: Callable[[str], object]) -> int:
    """Call `verb` with the id of each pod, which is printed, as Podman has it; 125 if any failed."""
    status = 0
    for name in names:
        try:
            identifier = stored.find(store, name)
            verb(identifier)
        except RootlessError as error:
            complain(error)
            status = error.exit_code
            continue
        print(identifier, flush=True)
    return status


def _command(
    verb: str,
    summary: str,
    act: Callable[[Store, Args, str], object],
    *,
    options: tuple[Option, ...] = (),
    wanted: Callable[[Pod], bool] = lambda pod: True,
    joins: bool = False,
    description: str = "",
) -> Command:
    def handler(args: Args) -> int:
        if "signal" in args.__dict__:
            parse_signal(args.signal)
        store = Store.open()
        names = flags.chosen(store, args, wanted=wanted)
        if joins and names:
            session.join()
        return each(store, names, lambda identifier: act(store, args, identifier))

    return Command(
        name=f"pod {verb}",
        summary=summary,
        usage="[OPTIONS] POD [POD...]",
        options=(flags.EVERY, *options, flags.LATEST),
        handler=handler,
        status=RUN,
        complete="pod",
        description=description,
    )


def _runs(pod: Pod) -> bool:
    return any(member.state in ("running", "paused", "restarting") for member in pod.members)


START = _command(
    "start", "Start one or more pods", lambda store, args, pod: verbs.start_pod(store, pod),
    options=(flags.ID_FILE,), joins=True, description="All containers of the pod are started.",
)  # fmt: skip
STOP = _command(
    "stop", "Stop one or more pods", lambda store, args, pod: verbs.stop_pod(store, pod, timeout_s=args.timeout),
    options=(flags.IGNORE, flags.ID_FILE, TIMEOUT), wanted=_runs,
    description="All containers of the pod are stopped, its infra last.",
)  # fmt: skip
RESTART = _command(
    "restart", "Restart one or more pods", lambda store, args, pod: verbs.restart_pod(store, pod), joins=True,
    description="All containers of the pod are stopped, and all are started: those that did not run, too.",
)  # fmt: skip
KILL = _command(
    "kill", "Send the specified signal or SIGKILL to containers in pod",
    lambda store, args, pod: verbs.kill_pod(store, pod, args.signal),
    options=(Option(("-s", "--signal"), "signal", VALUE, metavar="string", default="KILL",
                    help="Signal to send to the containers in the pod"),),
    wanted=_runs,
)  # fmt: skip
PAUSE = _command("pause", "Pause one or more pods", lambda store, args, pod: verbs.pause_pod(store, pod), wanted=_runs)
UNPAUSE = _command("unpause", "Unpause one or more pods", lambda store, args, pod: verbs.unpause_pod(store, pod), wanted=_runs)
