"""What `rootless run` does with a container of its own. Hot path."""

from __future__ import annotations

import os
import sys

from rootless.cli.flags.container_request import to_request
from rootless.cli.grammar.command import Args
from rootless.cli.output.messages import say
from rootless.cli.terminal import attachment, job_end
from rootless.engine.images import lookup as local
from rootless.engine.lifecycle import architecture, create, remove, start
from rootless.engine.lifecycle.attach import attach, terminal
from rootless.engine.lifecycle.autostart import lingering
from rootless.engine.lifecycle.request import Request
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import CommandNotFound, Conflict, InvalidInput, NotFound, NotSupported, RootlessError
from rootless.linux import signal
from rootless.session import session
from rootless.storage import host_images, images
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.store import Store

_IMAGE_FILES = (".sif", ".simg", ".sqsh", ".sqfs", ".squashfs")
"""How other programs call them: apptainer and enroot take these without ./ before them."""


def make(store: Store, request: Request, args: Args) -> str:
    """Create the container that `run` or `create` asked for, its image pulled if need be; the id."""
    if args.cidfile and os.path.lexists(args.cidfile):
        raise Conflict(
            "container ID file found, make sure the other container isn't running or delete " + args.cidfile
        )
    for warning in create.warnings(request):
        say(warning)
    remove.sweep(store)
    if args.replace and not request.name:
        raise InvalidInput("--replace needs --name: it is a name that is taken over")
    image = None if request.rootfs else find_image(store, request, args)
    if args.replace:
        _make_room(store, request.name)
    with store.lease():
        # Nothing is collected from here on until there is a container that refers to the image.
        if image is not None:
            image = image if image.published else images.find(store, image.id, all_names=False)
            if not request.platform and architecture.foreign(image):
                _warn_of_platform(image)
        if args.pod or args.pod_id_file:
            from rootless.cli.flags import pod

            identifier = pod.create_in_pod(store, request, image, args)
        else:
            identifier = create.create(store, request, image)
    if args.cidfile:
        from rootless.storage import named_paths

        try:
            with open(named_paths.open_new_file(args.cidfile, "the container ID file"), "w", encoding="ascii") as file:
                file.write(identifier)
        except (OSError, InvalidInput):
            remove.remove(store, identifier, volumes=True)
            raise
    return identifier


def _warn_of_platform(image: Image) -> None:
    from rootless.image import platforms

    say(
        f"WARNING: The requested image's platform ({platforms.of(image.config)}) does not match the detected host "
        f"platform ({platforms.host()}) and no specific platform was requested"
    )


def _make_room(store: Store, name: str) -> None:
    """Remove the container that has the name, if there is one; its image is here by now."""
    for identifier, known in containers.names(store).items():
        if known == name:
            remove.remove(store, identifier, force=True)


def find_image(store: Store, request: Request, args: Args) -> Image:
    """The image of the request; what the store has is found without loading what pulls."""
    if args.pull == "missing" and not request.platform:
        of_machine = request.image in ("host", "host:latest")
        try:
            found = local.find(store, request.image, all_names=False)
            if not (of_machine and host_images.is_anothers(store, found.id, found.config)):
                return found
        except (NotFound, InvalidInput) as error:
            if request.image.endswith(_IMAGE_FILES) and os.path.isfile(request.image):
                error.hint = f"the file of this name is an image by a path with ./ before it: ./{request.image}"
                raise
            if not isinstance(error, NotFound):
                raise
        if of_machine:
            from rootless.engine.images import host_image

            return host_image.make(store)
    from rootless.cli.output import progress
    shown = progress.for_stream(quiet=args.quiet)
    try:
        return local.ensure(
            store,
            request.image,
            policy=args.pull,
            platform=request.platform or None,
            progress=shown,
            quiet=args.quiet,
        )
    finally:
        progress.finish(shown)


def run(args: Args) -> int:
    """Create, start and, unless detached, stay with the container until it ends."""
    if args.rmi:
        if args.detach or args.rootfs:
            raise InvalidInput("--rmi needs an image, and somebody who stays: neither --detach nor --rootfs go with it")
        args.__dict__["rm"] = True
    request = to_request(args)
    attached = _attached(args, request)
    request = request._replace(attached=[] if args.detach else sorted(attached))
    if request.tty and request.open_stdin and not args.detach:
        attach.require_terminal(0)
    keys = terminal.parse_detach_keys(request.detach_keys or terminal.DEFAULT_DETACH_KEYS)
    store = Store.open()
    session.join()
    identifier = make(store, request, args)
    rows, columns = attachment.window() if request.tty else (0, 0)
    try:
        launched = start.start(
            store, identifier, client=not args.detach, rows=rows, columns=columns
        )
    except BaseException as error:
        # Where this machine cannot give something, the container goes, so the corrected command finds its name
        # free. After any other error the container stays, as Docker's does, and `inspect` shows why.
        if request.auto_remove or isinstance(error, NotSupported):
            try:
                remove.remove(store, identifier, force=True, volumes=True)
            except (OSError, RootlessError):
                containers.abandon(store, identifier)  # too few descriptors, for example; the first error is reported
            if args.cidfile:
                os.unlink(args.cidfile)
        dashed = request.cmd and request.cmd[0].startswith("-")  # none: the image's own
        if isinstance(error, CommandNotFound) and not request.entrypoint and dashed:
            error.hint = f"options come before the image: rootless run {request.cmd[0]} {request.image} ..."
        raise
    if request.user and request.mounts:
        from rootless.engine.lifecycle import bind_owners

        for warning in bind_owners.unwritable(request) if sys.stderr.isatty() else ():
            say(*warning)
    if args.detach:
        print(identifier)
        notice = lingering.notice(store, launched.pid)
        if notice:
            say(*notice)
        return 0
    record = read_config(store, identifier)
    status = stay(store, record, launched, keys, attached=attached, sig_proxy=args.sig_proxy)
    if args.rmi:
        _remove_image(store, record["image_id"])
    return status


def _remove_image(store: Store, identifier: str) -> None:
    """--rmi: with all its names, unless other containers need it, which is reported and no failure."""
    from rootless.engine.images import removal

    image = local.find(store, identifier)
    users = [user for kind in removal.users(store, image) for user in kind]
    if users:
        say(f"the image stays: container {users[0][:12]} needs it")
        return
    removal.remove(store, identifier, force=True)
    removal.collect(store)


def _attached(args: Args, request: Request) -> frozenset[str]:
    """The streams to join: those of -a, else stdout and stderr, and stdin with -i."""
    if args.attach:
        words = frozenset(word.lower() for word in args.attach)
        if args.detach:
            raise InvalidInput("Conflicting options: -a and -d")
        if not words <= {"stdin", "stdout", "stderr"}:
            raise InvalidInput("invalid argument for -a: valid streams are STDIN, STDOUT and STDERR")
        return words
    return frozenset(("stdin", "stdout", "stderr") if request.open_stdin else ("stdout", "stderr"))


def resize(store: Store, record: ContainerConfig, rows: int, columns: int) -> None:
    """The container's terminal has another size; nothing where it has just ended."""
    from rootless.engine.lifecycle.attach import client_events

    try:
        client_events.resize(store, record, rows, columns)
    except Conflict:
        pass


def stay(
    store: Store,
    record: ContainerConfig,
    launched: start.StartedContainer,
    keys: terminal.DetachKeys,
    *,
    attached: frozenset[str],
    sig_proxy: bool,
) -> int:
    """Relay until the end; the exit status of the container (0 when the user detached)."""
    from rootless.linux import socket

    identifier, tty = record["id"], record["tty"]
    interactive = "stdin" in attached
    null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    connection = socket.socket(fileno=launched.attach_fd)
    with (
        attachment.Signals(
            forward=job_end.forwarder(lambda number: start.send(launched, number), record["stop_timeout"]) if sig_proxy else None,
            resize=(lambda rows, columns: resize(store, record, rows, columns)) if tty else None,
        ) as signals,
        terminal.RawMode(0 if tty and interactive else -1),
    ):
        try:
            outcome = attach.relay(
                connection,
                stdin=0 if interactive else None,
                detach_keys=keys if tty else None,
                signals=signals.fd,
                on_signals=signals.on_arrival,
                stdout=1 if "stdout" in attached else null,
                stderr=2 if "stderr" in attached else null,
            )
        except BrokenPipeError:
            # Whoever read us has gone (`run --rm ... | head`): as any command of a pipeline, end.
            # Our connection closes with us, and the monitor removes the container instead.
            if record["auto_remove"]:
                start.send(launched, signal.SIGKILL)
            raise
        if outcome.detached:
            from rootless.engine.lifecycle.attach import client_events

            client_events.detached(store, record)
            if sys.stdout.isatty():
                sys.stdout.write("\r\n")  # the shell's prompt begins a line; the terminal may be raw yet
            return 0
        if record["auto_remove"]:
            remove.remove(store, identifier, force=True, volumes=True)
            if record.get("exit_policy"):
                from rootless.engine.pods import verbs

                verbs.stop_if_done(store, record.get("pod") or "")
            attach.report_cleaned(connection)
    if outcome.status is None:
        print("rootless: the container's monitor was killed; the container ended with it", file=sys.stderr)
        return 137
    return attach.exit_code(outcome.status)
