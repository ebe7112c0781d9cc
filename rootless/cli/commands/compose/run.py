"""`rootless compose run`: a one-off container of a service, and what the service depends on."""

from __future__ import annotations

import os
import sys
from typing import Any

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.commands.container.run_container import stay
from rootless.cli.grammar.command import FLAG, LIST, RUN, VALUE, Args, Command, Option
from rootless.cli.terminal import attachment
from rootless.compose.converge.apply import Context, make_container
from rootless.compose.converge.service_request import Place
from rootless.compose.disk import Disk
from rootless.compose.load import dotenv, selection, short
from rootless.compose.load.project import Project
from rootless.compose.load.resolve_paths import absolute
from rootless.compose.plan import names
from rootless.compose.plan import up as planning
from rootless.compose.plan.images import ImageChoice
from rootless.engine.lifecycle import remove, start
from rootless.engine.lifecycle.attach import attach, terminal
from rootless.engine.state.config import read_config
from rootless.errors import InvalidInput


def run(args: Args) -> int:
    """Run it; attached, the command's exit status."""
    service, command = args.positional[0], args.positional[1:]
    project = projects.load([service])
    if args.publish and args.service_ports:
        raise InvalidInput("--service-ports and --publish are incompatible")
    interactive = args.interactive and not args.detach
    tty = not args.no_tty and not args.detach and sys.stdin.isatty() and sys.stdout.isatty()
    own = _changed(project.service(service), args, command, tty=tty, interactive=interactive)
    project = project._replace(model={**project.model, "services": {**project.services, service: own}})
    if not args.no_deps:
        needed = creation.provided(selection.selected(project, [service]))
        project = project._replace(model={**project.model, "services": {**project.services, **needed.services}})
    _with_dependencies(project, service, args)
    project = selection.selected(project, [service], selection.NO_DEPENDENCIES if args.no_deps else selection.DEPENDENCIES)
    work = Work(project.name, project)
    if work.dry_run:
        return 0
    creation.ensure_images(_alone(project, service), ImageChoice(args.build, False, "" if args.pull == "policy" else args.pull))
    work.join()
    slug = os.urandom(6).hex()
    place = Place(
        args.name or project.separator.join((project.name, service, "run", slug)), 1, {}, oneoff=True,
        extra_labels={names.SLUG: slug + os.urandom(26).hex()},
        aliases=args.use_aliases, publish=args.service_ports or bool(args.publish), auto_remove=args.rm, detached=args.detach,
    )  # fmt: skip
    return _start(work.context, service, place, args, tty=tty, interactive=interactive)


def _alone(project: Project, service: str) -> Work:
    return Work(project.name, selection.selected(project, [service], selection.NO_DEPENDENCIES))


def _with_dependencies(project: Project, service: str, args: Args) -> None:
    """Bring up what the service depends on, and wait for its conditions: as `up` would, without the service itself."""
    needed = project.services[service].get("depends_on") or {}
    wanted = [name for name in selection.names_with(project, [service]) if name != service] if needed and not args.no_deps else []
    if not wanted:
        return
    kept = selection.selected(project, wanted)
    # The service itself has no container here, but its conditions are awaited.
    waiter = {"image": "", "scale": 0, "depends_on": needed}
    work = Work(project.name, kept, quiet=args.quiet)
    observed = creation.ensure_images(work, ImageChoice(pull="" if args.pull == "policy" else args.pull))
    plan = planning.plan_up(kept, observed, planning.Asked(tuple(wanted), remove_orphans=args.remove_orphans))
    work.run([*plan.steps, *planning.condition_steps(kept, plan.steps, waiter)])


def _changed(config: dict[str, Any], args: Args, command: list[str], *, tty: bool, interactive: bool) -> dict[str, Any]:
    """The service as the options make it."""
    own = {**config, "tty": tty, "stdin_open": interactive}
    for key in ("container_name", "scale"):
        own.pop(key, None)
    if command:
        own["command"] = command
    if args.entrypoint is not None:
        own["entrypoint"] = [args.entrypoint] if args.entrypoint else []
        own["command"] = command or None
    environment = dict(config.get("environment") or {})
    for path in args.env_from_file:
        name = absolute(path, os.getcwd(), os.path.expanduser("~"))
        environment.update(dotenv.parse(Disk().read(name), path, dict(os.environ)))
    for word in args.env:
        key, equals, value = word.partition("=")
        environment[key] = value if equals else os.environ.get(key)
    own["environment"] = environment
    for key, value in (("user", args.user), ("working_dir", args.workdir)):
        if value:
            own[key] = value
    own["labels"] = {**(config.get("labels") or {}), **projects.pairs(args.label)}
    own["cap_add"] = [*(config.get("cap_add") or ()), *args.cap_add]
    own["cap_drop"] = [*(config.get("cap_drop") or ()), *args.cap_drop]
    if args.volume:
        more = [_volume(word) for word in args.volume]
        taken = {entry["target"] for entry in more}
        own["volumes"] = [*(one for one in config.get("volumes") or () if one["target"] not in taken), *more]
    if args.publish:
        own["ports"] = [entry for word in args.publish for entry in short.ports(word, "--publish")]
    return own


def _volume(word: str) -> dict[str, Any]:
    found = short.volume(word, "--volume")
    if found["type"] == "bind":
        found["source"] = absolute(str(found["source"]), os.getcwd(), os.path.expanduser("~"))
    return found


def _start(context: Context, service: str, place: Place, args: Args, *, tty: bool, interactive: bool) -> int:
    identifier = make_container(context, service, place)
    keys = terminal.parse_detach_keys(terminal.DEFAULT_DETACH_KEYS)
    if tty and interactive:
        attach.require_terminal(0)
    rows, columns = attachment.window() if tty else (0, 0)
    try:
        launched = start.start(context.store, identifier, client=not args.detach, rows=rows, columns=columns)
    except BaseException:
        if args.rm:
            remove.remove(context.store, identifier, force=True, volumes=True)
        raise
    if args.detach:
        print(identifier)
        return 0
    attached = frozenset(("stdin", "stdout", "stderr") if interactive else ("stdout", "stderr"))
    return stay(context.store, read_config(context.store, identifier), launched, keys, attached=attached, sig_proxy=True)


COMMAND = Command(
    name="compose run",
    summary="Run a one-off command on a service",
    usage="[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    options=(
        creation.BUILD,
        Option(("--cap-add",), "cap_add", LIST, metavar="list", help="Add Linux capabilities"),
        Option(("--cap-drop",), "cap_drop", LIST, metavar="list", help="Drop Linux capabilities"),
        Option(("-d", "--detach"), "detach", FLAG, help="Run container in background and print container ID"),
        Option(("--entrypoint",), "entrypoint", VALUE, metavar="string", help="Override the entrypoint of the image"),
        Option(("-e", "--env"), "env", LIST, metavar="list", help="Set environment variables"),
        Option(("--env-from-file",), "env_from_file", LIST, metavar="file", complete="file", help="Set environment variables from file"),
        Option(("-i", "--interactive"), "interactive", FLAG, default=True, help="Keep STDIN open even if not attached"),
        Option(("-l", "--label"), "label", LIST, metavar="list", help="Add or override a label"),
        Option(("--name",), "name", VALUE, metavar="string", default="", help="Assign a name to the container"),
        Option(("--no-deps",), "no_deps", FLAG, help="Don't start linked services"),
        Option(("-T", "--no-TTY", "--no-tty"), "no_tty", FLAG, help="Disable pseudo-TTY allocation (default: auto-detected)"),
        Option(("-p", "--publish"), "publish", LIST, metavar="list", help="Publish a container's port(s) to the host"),
        creation.PULL,
        Option(("-q", "--quiet"), "quiet", FLAG, help="Don't print anything to STDOUT"),
        Option(("--quiet-build",), "quiet_build", FLAG, help="Suppress progress output from the build process"),
        creation.QUIET_PULL,
        creation.REMOVE_ORPHANS,
        Option(("--rm",), "rm", FLAG, help="Automatically remove the container when it exits"),
        Option(("-P", "--service-ports"), "service_ports", FLAG,
               help="Run command with all service's ports enabled and mapped to the host"),
        Option(("-t", "--tty"), "tty", FLAG, default=True, hidden=True, help="Allocate a pseudo-TTY"),
        Option(("--use-aliases",), "use_aliases", FLAG,
               help="Use the service's network useAliases in the network(s) the container connects to"),
        Option(("-u", "--user"), "user", VALUE, metavar="string", default="", help="Run as specified username or uid"),
        Option(("-v", "--volume"), "volume", LIST, metavar="list", help="Bind mount a volume"),
        Option(("-w", "--workdir"), "workdir", VALUE, metavar="string", default="", help="Working directory inside the container"),
    ),
    handler=run,
    min_args=1,
    interspersed=False,
    status=RUN,
)  # fmt: skip
