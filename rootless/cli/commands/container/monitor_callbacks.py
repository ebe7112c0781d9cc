"""Hidden commands that the monitor runs: they carry policy where the monitor has only clocks."""

from __future__ import annotations

import os

from rootless import inherited
from rootless.cli.grammar.command import Args, Command
from rootless.engine.state import restart
from rootless.engine.state.config import read_config
from rootless.errors import Conflict, NotFound
from rootless.storage.store import Store

# helpers/monitor/health.h
HEALTH_STARTING = 10


def _after_exit(args: Args) -> int:
    """Decide on a restart; become the wait for it."""
    try:
        argv = restart.after_exit(Store.open(), args.positional[0])
    except NotFound:
        return 0  # removed meanwhile
    if argv:
        inherited.give_descriptors_back()
        os.execv(argv[0], argv)
    return 0


def _leave_pod(args: Args) -> int:
    """What is to be done at the end of a container of a pod that is stopped with its last: the restart, or the removal,
    that is due; and, where neither brings it back, a look at the others."""
    from rootless.engine.lifecycle import remove
    from rootless.engine.pods import verbs
    from rootless.session import session

    store, identifier = Store.open(), args.positional[0]
    try:
        record = read_config(store, identifier)
        if record["auto_remove"]:
            session.join()
            remove.remove(store, identifier, force=True, volumes=True)
        elif argv := restart.after_exit(store, identifier):
            inherited.give_descriptors_back()
            os.execv(argv[0], argv)
    except NotFound:
        return 0  # removed meanwhile
    verbs.stop_if_done(store, record.get("pod") or "")
    return 0


def _leave_shared(args: Args) -> int:
    """Remove the container of `run --shared`, unless what it has could not be saved."""
    from rootless.engine.lifecycle import remove
    from rootless.session import session

    store, identifier = Store.open(), args.positional[0]
    try:
        if read_config(store, identifier)["auto_remove"]:
            session.join()
            remove.remove(store, identifier, force=True, volumes=True)
    except NotFound:
        pass  # removed meanwhile
    return 0


def _start_again(args: Args) -> int:
    """The restart itself, in the process that was the container's last monitor."""
    from rootless.engine.lifecycle import start
    from rootless.session import session

    store = Store.open()
    session.join()
    try:
        start.start(store, args.positional[0], again=True)
        if read_config(store, args.positional[0]).get("infra"):
            from rootless.engine.pods import verbs

            verbs.rejoin(store, args.positional[0])
    except (Conflict, NotFound):
        return 0  # called off, started by hand, removed
    return 0


def _health_check(args: Args) -> int:
    """One check by the monitor's clock; status 10: the next one soon, the container is starting."""
    from rootless.engine.lifecycle import healthcheck

    store, identifier = Store.open(), args.positional[0]
    try:
        return HEALTH_STARTING if healthcheck.by_timer(store, identifier) else 0
    except (Conflict, NotFound):
        return 0  # ended meanwhile


def _repair_network(args: Args) -> int:
    """What a container lacks of its networks once netd has ended; of the hub itself, its way out."""
    from rootless.engine.networks import attach, connect
    from rootless.session import session

    store = Store.open()
    session.join()
    try:
        if args.positional[0] == attach.HUB:
            connect.repair_hub(store)
        else:
            connect.repair(store, args.positional[0])
    except NotFound:
        return 0  # removed meanwhile
    return 0


def _hidden(name: str, summary: str, handler: object) -> Command:
    return Command(name, summary, "CONTAINER", (), handler, min_args=1, max_args=1)  # type: ignore[arg-type]


AFTER_EXIT = _hidden("container after-exit", "Decide on a restart (run by the monitor)", _after_exit)
LEAVE_POD = _hidden("container leave-pod", "See to a pod that is stopped with its last container (run by the monitor)", _leave_pod)
LEAVE_SHARED = _hidden("container leave-shared", "See to a shared container that has ended (run by the monitor)", _leave_shared)
START_AGAIN = _hidden("container start-again", "Restart by policy (run by the monitor)", _start_again)
HEALTH_CHECK = _hidden("container health-check", "Run a health check (run by the monitor)", _health_check)
REPAIR_NETWORK = _hidden("container repair-network", "Repair a network (run by the monitor)", _repair_network)
