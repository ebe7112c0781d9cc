"""`rootless enable`, `rootless disable`, and what the units they write run."""

from __future__ import annotations

import os

from rootless import inherited
from rootless.cli.grammar.command import FLAG, LIST, Args, Command, Option
from rootless.cli.output.messages import complain, say
from rootless.engine.lifecycle.autostart import autostart, lingering
from rootless.errors import InvalidInput, NotFound
from rootless.session import session
from rootless.storage import pods
from rootless.storage.containers import containers
from rootless.storage.store import Store

POLICIES = Option(
    ("--policies",), "policies", FLAG, help="All containers with --restart always, unless-stopped or on-failure"
)
PROJECT = Option(
    ("--project",), "project", LIST, metavar="name",
    help="The containers of a compose project with such a restart policy, in the order of their dependencies",
)  # fmt: skip


def _names(store: Store, args: Args, *, existing: bool) -> list[str]:
    if args.policies == bool(args.positional or args.project):
        raise InvalidInput("name one or more containers, or give --policies or --project")
    if args.policies:
        return [""]
    projects = [_project(store, name, existing=existing) for name in args.project]
    if not existing:
        return [*args.positional, *projects]
    found = [_find(store, name) for name in args.positional]
    return [*(containers.name_of(store, identifier) or identifier for identifier in found), *projects]


def _project(store: Store, name: str, *, existing: bool) -> str:
    """What stands for the project. NotFound where it has no containers; a line on stderr where none would come back."""
    from rootless.compose.converge.observe import project_rows
    from rootless.compose.load.project import checked_name
    from rootless.engine.state import restart

    checked_name(name)
    if existing:
        rows = project_rows(store, name)
        if not rows:
            raise NotFound(f"no such project: {name}", hint="rootless compose ls -a lists them")
        if not any(restart.has_policy(store, row.id) for row in rows):
            say(f"no container of project {name} has a restart policy", "restart: unless-stopped in its file, and compose up -d")
    return autostart.PROJECT + name


def _find(store: Store, name: str) -> str:
    """The container, or pod, of this name."""
    try:
        return containers.find(store, name)
    except NotFound:
        from rootless.cli.flags import pod

        if pod.exists(store, name):
            return pods.find(store, name)
        raise


def _enable(args: Args) -> int:
    store = Store.open()
    os.umask(inherited.umask)  # what is made below ~/.config is the user's
    for name in _names(store, args, existing=True):
        written = autostart.enable(store, name)
        print(f"{name or autostart.POLICIES}: {written}")
    if autostart.uses_systemd() and not lingering.lingering():
        say(
            f"lingering is off for {lingering.user_name()}: it starts at your first login, not at boot, and ends "
            "with your last logout",
            "start your services with the machine: loginctl enable-linger",
        )
    return 0


def _disable(args: Args) -> int:
    store = Store.open()
    for name in _names(store, args, existing=False):
        print(f"{name or autostart.POLICIES}: {autostart.disable(name)}")
    return 0


def _start_with_machine(_: Args) -> int:
    store = Store.open()
    session.join()
    status = 0
    for identifier, error in autostart.start_by_policy(store):
        if error is None:
            print(containers.name_of(store, identifier) or identifier[:12])
        else:
            complain(error)
            status = 1
    return status


def _stop_with_machine(args: Args) -> int:
    store = Store.open()
    if not args.positional:
        autostart.stop_with_machine(store, [])
        return 0
    from rootless.cli.flags import pod
    from rootless.engine.pods import verbs

    for name in args.positional:
        if pod.exists(store, name):
            verbs.stop_pod(store, pods.find(store, name), by_hand=False)
        else:
            autostart.stop_with_machine(store, [name])
    return 0


ENABLE = Command(
    name="enable",
    summary="Start containers at boot",
    usage="[OPTIONS] [CONTAINER|POD...]",
    options=(POLICIES, PROJECT),
    handler=_enable,
    description="Writes a systemd user unit (or, without systemd, a @reboot line of your crontab) that starts the "
    "container, or the pod, when the machine boots. With systemd, lingering must be on for that: loginctl enable-linger.",
    examples=(
        ("rootless enable web", "the container web, with the machine"),
        ("rootless enable --project shop", "what compose has made of shop, as the services' restart says"),
    ),
    complete="container",
)
DISABLE = Command(
    name="disable",
    summary="Do not start containers at boot any more",
    usage="[OPTIONS] [CONTAINER|POD...]",
    options=(POLICIES, PROJECT),
    handler=_disable,
    complete="container",
)
START = Command(
    "container start-with-machine", "Start by policy (run at boot)", "", (), _start_with_machine, max_args=0
)
STOP = Command("container stop-with-machine", "Stop until boot (run at shutdown)", "[CONTAINER...]", (), _stop_with_machine)
