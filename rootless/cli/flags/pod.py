"""The options --pod and --pod-id-file of `run` and `create`, and which pods a command of `rootless pod` is about."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, LIST, Args, Option
from rootless.engine.lifecycle import create, pod_member
from rootless.engine.lifecycle.request import Request
from rootless.engine.pods import create as pods_create
from rootless.engine.pods import remove
from rootless.engine.pods.create import PodRequest
from rootless.engine.state import pods
from rootless.errors import InvalidInput, NotFound
from rootless.record import TYPE_CHECKING
from rootless.storage import pods as stored
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootless.engine.state.pods import Pod
    from rootless.storage.images import Image

EVERY = Option(("-a", "--all"), "every", FLAG, help="Act on all pods")
LATEST = Option(("-l", "--latest"), "newest", FLAG, help="Act on the pod that was created last")
IGNORE = Option(("-i", "--ignore"), "ignore", FLAG, help="A pod that does not exist is no failure")
ID_FILE = Option(
    ("--pod-id-file",), "pod_id_file", LIST, metavar="file", complete="file", help="Read the pod ID from the file"
)  # fmt: skip


def refuse(args: Args) -> None:
    """Refuse, before anything is done, what a container in the pod of --pod or --pod-id-file cannot choose itself."""
    if args.pod and args.pod_id_file:
        raise InvalidInput("cannot specify both --pod and --pod-id-file", hint="they name one pod: write one of them")
    if args.pod.startswith("new:"):
        if args.pod == "new:":
            raise InvalidInput("new pod name must be at least one character", hint="--pod new:NAME")
        if "userns" in args.given:
            raise InvalidInput("--userns and --pod cannot be set together", hint="a container of a pod has the ids of its infra")
        return
    pod_member.refuse(Store.open(), _reference(args), args.given, uts=args.uts, ipc=args.ipc)


def _reference(args: Args) -> str:
    return args.pod or read_id(args.pod_id_file)


def create_in_pod(store: Store, request: Request, image: Image | None, args: Args) -> str:
    """Make the container in the pod that --pod or --pod-id-file names; with `new:NAME` the pod, too, which has what of
    the options is a pod's: ports, networks, names. The container's id; a new pod stays only with its container."""
    if not args.pod.startswith("new:"):
        return create.create(store, pod_member.join(store, _reference(args), request, args.given), image)
    pod = pods_create.create_pod(
        store,
        PodRequest(
            network=request.network,
            restart={"name": "no", "retries": 0},
            name=args.pod[4:],
            hostname=request.hostname,
            share=list(pods.DEFAULT_SHARE),
            shm_size=request.shm_size,
        ),
    )
    try:
        return create.create(store, pod_member.join(store, pod, request, args.given), image)
    except BaseException:
        remove.remove_pod(store, pod, force=True)
        raise


def read_id(path: str) -> str:
    """What a --pod-id-file names: its first line. InvalidInput."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            words = file.readline(4096).split()
    except OSError as error:
        raise InvalidInput(f"reading pod ID file {path}: {error.strerror}", hint="rootless pod create --pod-id-file") from None
    if not words:
        raise InvalidInput(f"reading pod ID file {path}: it is empty", hint="rootless pod create --pod-id-file")
    return words[0]


def chosen(store: Store, args: Args, *, wanted: Callable[[Pod], bool] = lambda pod: True) -> list[str]:
    """The pods meant, as they are named: arguments and --pod-id-file, or --all that are `wanted`, or --latest."""
    values = args.__dict__
    found = [*args.positional, *(read_id(path) for path in values.get("pod_id_file") or ())]
    if values.get("newest"):
        if found or values.get("every"):
            raise InvalidInput("--latest stands for a name: neither names nor --all go with it")
        known = pods.every(store)
        if not known:
            raise NotFound("there is no pod", hint="`rootless pod ps` lists them")
        found = [known[0].id]
    elif values.get("every"):
        if found:
            raise InvalidInput("--all stands for all names: no others go with it")
        found = [pod.id for pod in pods.every(store) if wanted(pod)]
    elif not found:
        raise InvalidInput("you must provide at least one name or id", hint="`rootless pod ps` lists the pods")
    if values.get("ignore"):
        found = [name for name in found if exists(store, name)]
    return found


def exists(store: Store, name: str) -> bool:
    """Whether there is a pod of that name or id."""
    try:
        stored.find(store, name)
    except NotFound:
        return False
    return True

