"""`rootless pod top`, `pod stats` and `pod logs`: those of all containers of a pod at once."""

from __future__ import annotations

from rootless.cli.commands.container import logs, stats
from rootless.cli.flags import pod as flags
from rootless.cli.grammar.command import FLAG, RUN, VALUE, Args, Command, Option
from rootless.cli.output.columns import print_table
from rootless.engine.state import pods
from rootless.engine.state.pods import Pod
from rootless.engine.views.top import processes
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.storage import pods as stored
from rootless.storage.store import Store


def top(args: Args) -> int:
    """The processes of all containers that run, as the host's ps shows them."""
    store = Store.open()
    words = args.positional
    if args.newest:
        words = [flags.chosen(store, _alone(args))[0], *words]
    if not words:
        raise InvalidInput("you must provide at least one name or id", hint="`rootless pod ps` lists the pods")
    pod = pods.one(store, stored.find(store, words[0]))
    titles: list[str] = []
    rows: list[list[str]] = []
    for member in pod.members:
        if member.state not in ("running", "paused"):
            continue
        try:
            titles, more = processes(store, member.id, words[1:])
        except (Conflict, NotFound):
            continue  # ended since
        rows += [row for row in more if row not in rows]  # of a pid namespace that is shared each container has all
    if not titles:
        raise Conflict(f"pod top can only be used on pods with at least one running container: {pod.name}",
                       hint=f"start it: rootless pod start {pod.name}")  # fmt: skip
    print_table(titles, rows)
    return 0


def _alone(args: Args) -> Args:
    """--latest without the words that are ps's."""
    found = Args()
    found.__dict__.update({**args.__dict__, "positional": []})
    return found


def show_stats(args: Args) -> int:
    """`stats` of the containers of the pods: of all that run, without names."""
    store = Store.open()
    if args.positional or args.newest or args.every:
        names = flags.chosen(store, args)
    else:
        names = [pod.id for pod in pods.every(store) if any(member.state == "running" for member in pod.members)]
    members = [member.id for name in names for member in pods.one(store, stored.find(store, name)).members]
    if not members:
        return 0
    args.__dict__.update(positional=members, newest=False, all=False)
    return stats.run(args)


def show_logs(args: Args) -> int:
    """`logs` of the containers of one pod, its infra's aside, which says nothing."""
    store = Store.open()
    names = flags.chosen(store, args)
    if len(names) != 1:
        raise InvalidInput("pod logs takes one pod", hint="name one: `rootless pod ps` lists them")
    pod = pods.one(store, stored.find(store, names[0]))
    args.__dict__.update(positional=_chosen(pod, args.container), newest=False, details=False)
    if not args.positional:
        return 0
    args.__dict__["tail"] = "all" if args.tail == "-1" else args.tail
    return logs.run(args)


def _chosen(pod: Pod, container: str) -> list[str]:
    """The ids of the containers that have something to say; the one that is named."""
    found = [member for member in pod.members if not member.infra]
    if not container:
        return [member.id for member in found]
    named = [member.id for member in found if member.name == container or member.id.startswith(container)]
    if len(named) != 1:
        raise NotFound(f"container {container} not found in pod {pod.name}", hint=f"rootless pod inspect {pod.name}")
    return named


_OF_LOGS = tuple(option for option in logs.COMMAND.options if option.dest not in ("details", "newest", "names", "tail"))

TOP = Command(
    name="pod top",
    summary="Display the running processes of containers in a pod",
    usage="[OPTIONS] POD [ps OPTIONS]",
    options=(flags.LATEST,),
    handler=top,
    interspersed=False,
    status=RUN,
    complete="pod",
)
STATS = Command(
    name="pod stats",
    summary="Display a live stream of resource usage statistics for the containers in pods",
    usage="[OPTIONS] [POD...]",
    options=(flags.EVERY, *(option for option in stats.COMMAND.options if option.dest not in ("all", "newest")), flags.LATEST),
    handler=show_stats,
    status=RUN,
    complete="pod",
)
LOGS = Command(
    name="pod logs",
    summary="Fetch logs for pod with one or more containers",
    usage="[OPTIONS] POD",
    options=(
        Option(("-c", "--container"), "container", VALUE, metavar="string", default="", help="Logs of this container of the pod alone"),
        Option(("-n", "--names"), "names", FLAG, help="Show the container's name before each line, in place of its ID"),
        Option(("--tail",), "tail", VALUE, metavar="int", default="-1", help="Number of lines to show from the end of each log"),
        *_OF_LOGS,
        flags.LATEST,
    ),
    handler=show_logs,
    status=RUN,
    complete="pod",
)  # fmt: skip
