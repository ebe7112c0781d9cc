"""`rootless kube play` and `rootless kube down`: Podman's words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.cli.flags import container_options
from rootless.cli.flags.container_request import to_network
from rootless.cli.grammar.command import FLAG, LIST, RUN, Args, Command, Option
from rootless.cli.output import progress as bars
from rootless.cli.output.messages import complain, say
from rootless.compose.disk import Disk, stdin_text
from rootless.engine.lifecycle import remove
from rootless.engine.networks import endpoint_config
from rootless.engine.options.userns import parse as parse_userns
from rootless.engine.options.values import parse_pairs
from rootless.engine.state.logs import options as log_options
from rootless.errors import InvalidInput, RootlessError
from rootless.image.progress import Progress
from rootless.kube import play as playing
from rootless.kube import volumes
from rootless.kube.load.model import Loaded
from rootless.kube.load.objects import load
from rootless.kube.requests import Choice
from rootless.session import session
from rootless.storage import volumes as stored_volumes
from rootless.storage.images import Image
from rootless.storage.store import Store

_BY_DEST = {option.dest: option for option in container_options.OPTIONS}
_OF_CONTAINERS = ("ip", "ip6", "log_driver", "log_opt", "mac_address", "network", "publish", "userns")
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_NOT_ASKED = ("network_alias", "link", "expose", "dns", "dns_search", "dns_option", "add_host")


def play(args: Args) -> int:
    """Make and start what is in the file, and print the ids."""
    if args.down:
        return down(args)
    if args.wait and not args.start:
        raise InvalidInput("--wait and --start=false cannot be had together")
    loaded = _loaded(args)
    store = Store.open()
    choice = _choice(store, args)
    playing.check(store, loaded.pods, choice, started=args.start, replace=args.replace)
    session.join()
    remove.sweep(store)
    shown = bars.for_stream(quiet=args.quiet)

    def progress() -> Progress | None:
        return None if args.quiet else shown

    try:
        images = playing.images_of(store, loaded.pods, progress)
    finally:
        bars.finish(shown)
    new = playing.claims_of(loaded) - {volume.name for volume in stored_volumes.list_volumes(store)}
    claims = volumes.make_claims(store, loaded.claims)
    if claims:
        print("Volumes:", *claims, sep="\n", end="\n\n")
    if not args.wait:
        return _made(store, loaded, images, choice, args)[0]
    with _ended_by_signals():
        try:
            status, made = _made(store, loaded, images, choice, args)
            return playing.wait_for(store, made) or status
        finally:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)
            _tell(playing.take_down(store, loaded, new))


def _made(store: Store, loaded: Loaded, images: dict[str, Image], choice: Choice, args: Args) -> tuple[int, list[str]]:
    """Make and start the pods, and print them: the status of the last that failed, and the containers' ids."""
    status, containers = 0, []
    for pod in loaded.pods:
        try:
            made = playing.play(store, pod, images, choice, started=args.start, replace=args.replace)
        except RootlessError as error:
            complain(error)
            status = error.exit_code
            continue
        containers += made.containers
        print("Pod:", made.pod, sep="\n")
        print("Container:" if len(made.containers) == 1 else "Containers:", *made.containers, sep="\n", end="\n\n", flush=True)
    return status, containers


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While this is entered, what ends a command raises SystemExit in it, with the status that a shell gives it."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def down(args: Args) -> int:
    """Take away what is in the file, and print what has gone."""
    loaded = _loaded(args, down=True)
    store = Store.open()
    session.join()
    _tell(playing.take_down(store, loaded, playing.claims_of(loaded) if args.force else ()))
    return 0


def _tell(done: playing.TakenDown) -> None:
    print("Pods stopped:", *done.stopped, sep="\n")
    print("Pods removed:", *done.removed, sep="\n")
    print("Secrets removed:")
    print("Volumes removed:", *done.volumes, sep="\n", flush=True)


def _loaded(args: Args, *, down: bool = False) -> Loaded:
    name = args.positional[0]
    disk = Disk()
    text = stdin_text() if name == "-" else disk.read(name)
    more = [(disk.read(path), path) for word in getattr(args, "configmap", ()) for path in word.split(",") if path]
    loaded = load(text, "(stdin)" if name == "-" else name, more, needed=not down)
    for note in loaded.notes if not down else ():
        say(f"WARNING: {note}")
    return loaded


def _choice(store: Store, args: Args) -> Choice:
    parse_userns(args.userns)
    network = {**to_network(_of_network(args)), "publish_all": False}
    if network.get("networks") and not network.get("default"):
        network = {**endpoint_config.resolve(store, network)}  # type: ignore[arg-type]
    return Choice(
        network=network,  # type: ignore[arg-type]
        log=log_options.parse(args.log_driver, parse_pairs(args.log_opt)),
        publish=tuple(args.publish),
        publish_all=args.publish_all,
        userns=args.userns,
        command=(os.path.basename(sys.argv[0]), *sys.argv[1:]),
    )


def _of_network(args: Args) -> Args:
    """What `to_network` reads of a command line: ports are each container's own here, and the rest cannot be asked for."""
    found = Args()
    found.given = args.given
    values = {name: getattr(args, name) or "" for name in ("ip", "ip6", "mac_address")}
    empty: dict[str, list[str]] = {name: [] for name in (*_NOT_ASKED, "publish")}
    for name, value in {**values, **empty, "network": args.network, "publish_all": args.publish_all}.items():
        setattr(found, name, value)
    return found


_FORCE = Option(("--force",), "force", FLAG, help="Remove the volumes of the file's claims, too (kube down)")

PLAY = Command(
    name="kube play",
    summary="Make pods and containers of Kubernetes YAML",
    usage="[OPTIONS] FILE|-",
    options=(
        *(_BY_DEST[dest] for dest in _OF_CONTAINERS),
        Option(("--configmap",), "configmap", LIST, metavar="file", help="Files of ConfigMaps that the pods may name", complete="file"),
        Option(("--down",), "down", FLAG, help="Take away what the file describes, as kube down does"),
        _FORCE,
        Option(("--publish-all",), "publish_all", FLAG, help="Publish every containerPort, where there is no hostPort by the same number"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Do not show how images are pulled"),
        Option(("--replace",), "replace", FLAG, help="Remove pods of the same names first, with all their containers"),
        Option(("--start",), "start", FLAG, default=True, help="Start the pods (default true)"),
        Option(("-w", "--wait"), "wait", FLAG, help="Wait until all have ended, or Ctrl-C, then remove what was made"),
    ),
    handler=play,
    min_args=1,
    max_args=1,
    status=RUN,
    description="A Pod becomes a pod, a Deployment, DaemonSet or Job a pod called NAME-pod, a PersistentVolumeClaim a volume; ConfigMaps "
    "and Secrets become variables and files of the containers that name them. What is not supported is an error that says where it stands; "
    "docs/kube.md lists what is.",
    examples=(
        ("rootless kube play app.yaml", ""),
        ("rootless kube play --replace --network app app.yaml", "the pods made anew, on a network where they find each other by name"),
        ("rootless kube down app.yaml", "the pods stopped and removed; volumes of claims stay"),
    ),
    complete="file",
)  # fmt: skip

DOWN = Command(
    name="kube down",
    summary="Remove the pods that kube play has made of a file",
    usage="[OPTIONS] FILE|-",
    options=(_FORCE._replace(help="Remove the volumes of the file's claims, too"),),
    handler=down,
    min_args=1,
    max_args=1,
    status=RUN,
    description="The pods are found by their names. What is not there is no error. Volumes of claims stay, unless --force is given.",
    examples=(
        ("rootless kube down app.yaml", ""),
        ("rootless kube down --force app.yaml", "the volumes of its claims, too"),
    ),
    complete="file",
)  # fmt: skip
