"""`rootless pod rm` and `pod prune`."""

from __future__ import annotations

from rootless.cli.commands.pod.verbs import TIMEOUT
from rootless.cli.flags import pod as flags
from rootless.cli.grammar.command import FLAG, RUN, Args, Command, Option
from rootless.cli.output.messages import complain
from rootless.cli.terminal.confirm import FORCE, confirm
from rootless.engine.pods import remove
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.session import session
from rootless.storage import pods as stored
from rootless.storage.store import Store

_MISSING = 1
"""Podman's exit status where nothing failed but that a pod does not exist."""


def remove_pods(args: Args) -> int:
    """Remove each pod, and print its id."""
    store = Store.open()
    if args.timeout is not None and not args.force:
        raise InvalidInput("--force option must be specified to use the --time option", hint="only what runs is waited for")
    names = flags.chosen(store, args)
    if names:
        session.join()
    status = 0
    for name in names:
        try:
            identifier = stored.find(store, name)
            remove.remove_pod(store, identifier, force=args.force, timeout_s=args.timeout)
        except NotFound as error:
            if not args.force:
                complain(error)
                status = status or _MISSING
            continue
        except RootlessError as error:
            complain(error)
            status = error.exit_code
            continue
        print(identifier, flush=True)
    return status


def prune(args: Args) -> int:
    """Remove the pods that have ended, and print their ids."""
    if not confirm("WARNING! This will remove all stopped/exited pods.", force=args.force):
        return 0
    store = Store.open()
    session.join()
    for identifier in remove.prune_pods(store):
        print(identifier)
    return 0


COMMAND = Command(
    name="pod rm",
    summary="Remove one or more pods",
    usage="[OPTIONS] POD [POD...]",
    options=(
        flags.EVERY,
        Option(("-f", "--force"), "force", FLAG, help="Stop the containers that run, and remove all"),
        flags.IGNORE,
        flags.LATEST,
        flags.ID_FILE,
        TIMEOUT,
    ),
    handler=remove_pods,
    status=RUN,
    description="The containers of the pod go with it, and their anonymous volumes. The exit status is 1 where nothing "
    "failed but that a pod does not exist, 125 for everything else.",
    complete="pod",
)

PRUNE = Command(
    name="pod prune",
    summary="Remove all stopped pods and their containers",
    usage="[OPTIONS]",
    options=(FORCE,),
    handler=prune,
    max_args=0,
    status=RUN,
)
