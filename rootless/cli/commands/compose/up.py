"""`rootless compose up`."""

from __future__ import annotations

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.attached import Attachment, stay
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.commands.compose.watcher import Watcher
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, integer
from rootless.compose.converge.watching import TreeWatch, rules
from rootless.compose.load.project import Project
from rootless.compose.plan import up as planning
from rootless.engine.options import clock
from rootless.errors import InvalidInput, NotSupported


def run(args: Args) -> int:
    """Create and start; attached, stay with the logs until all have ended."""
    recreate, dependencies = creation.policies(args)
    detached = _detached(args)
    project = projects.load(args.positional)
    if not project.services:
        raise InvalidInput("no service selected", hint="the services have profiles: --profile NAME activates one")
    project = creation.narrowed(creation.scaled(project, args.scale), args.positional, dependencies=not args.no_deps)
    if args.exit_code_from:
        project.service(args.exit_code_from)
    attachment = None if detached or args.no_start else _attachment(args, project)
    project = creation.provided(project)
    work = Work(project.name, project, quiet=False, quiet_build=args.quiet_build)
    observed = creation.ensure_images(work, creation.image_choice(args))
    began = clock.now()
    plan = planning.Asked(
        tuple(args.positional), recreate, dependencies, renew_volumes=args.renew_anon_volumes,
        remove_orphans=creation.removes_orphans(args), start=not args.no_start, wait=args.wait, timeout_s=args.timeout,
    )  # fmt: skip
    if args.wait and args.wait_timeout:
        from rootless.cli.commands.compose.deadline import within

        with within(args.wait_timeout):
            creation.converge(work, observed, plan, yes=args.yes)
    else:
        creation.converge(work, observed, plan, yes=args.yes)
    if attachment is None or work.dry_run:
        return 0
    if not args.watch:
        return stay(work, attachment, since=began)
    wanted = rules(project, list(project.services))
    if not wanted:
        raise InvalidInput("none of the selected services is configured for watch, consider setting a 'develop' section")
    with TreeWatch(wanted) as tree:
        watcher = Watcher(work, wanted, prune=True)
        watcher.begin()
        print("Watch enabled", flush=True)
        return stay(work, attachment, since=began, watch=(tree, watcher))


def _detached(args: Args) -> bool:
    if args.exit_code_from and not args.abort_on_container_failure:
        args.__dict__["abort_on_container_exit"] = True
    aborts = args.abort_on_container_exit or args.abort_on_container_failure
    if args.abort_on_container_exit and args.abort_on_container_failure:
        raise InvalidInput("--abort-on-container-failure cannot be combined with --abort-on-container-exit")
    if args.attach and args.attach_dependencies:
        raise InvalidInput("cannot combine --attach and --attach-dependencies")
    if args.wait and (args.attach_dependencies or args.abort_on_container_exit or args.attach):
        raise InvalidInput("--wait cannot be combined with --abort-on-container-exit, --attach or --attach-dependencies")
    if (args.detach or args.wait) and (args.attach_dependencies or aborts or args.attach or args.watch):
        raise InvalidInput("--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach, "
                           "--attach-dependencies or --watch")  # fmt: skip
    if args.renew_anon_volumes and args.no_recreate:
        raise InvalidInput("--no-recreate and --renew-anon-volumes are incompatible")
    if args.watch and args.no_build:
        raise InvalidInput("--no-build and --watch are incompatible")
    if args.menu:
        raise NotSupported("--menu is not supported: there is no menu of keys", hint="--watch watches files, Ctrl-C stops")
    return bool(args.detach or args.wait)


def _attachment(args: Args, project: Project) -> Attachment:
    if args.attach:
        unknown = [name for name in args.attach if name not in project.services]
        if unknown:
            raise InvalidInput(f"cannot attach to services not included in up: {', '.join(unknown)}")
        attached = set(args.attach)
    else:
        meant = project.services if args.attach_dependencies or not args.positional else args.positional
        attached = {name for name in meant if project.services[name].get("attach", True) is not False}
    return Attachment(
        frozenset(attached - set(args.no_attach)), prefix=not args.no_log_prefix, colours=not args.no_color,
        timestamps=args.timestamps, abort="exit" if args.abort_on_container_exit else "failure" if args.abort_on_container_failure else "",
        exit_code_from=args.exit_code_from, timeout_s=args.timeout,
    )  # fmt: skip


COMMAND = Command(
    name="compose up",
    summary="Create and start containers",
    usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--abort-on-container-exit",), "abort_on_container_exit", FLAG,
               help="Stops all containers if any container was stopped. Incompatible with -d"),
        Option(("--abort-on-container-failure",), "abort_on_container_failure", FLAG,
               help="Stops all containers if any container exited with failure. Incompatible with -d"),
        Option(("--always-recreate-deps",), "always_recreate_deps", FLAG,
               help="Recreate dependent containers. Incompatible with --no-recreate"),
        Option(("--attach",), "attach", LIST, metavar="service",
               help="Restrict attaching to the specified services. Incompatible with --attach-dependencies"),
        Option(("--attach-dependencies",), "attach_dependencies", FLAG, help="Automatically attach to log output of dependent services"),
        creation.BUILD,
        Option(("-d", "--detach"), "detach", FLAG, help="Detached mode: Run containers in the background"),
        Option(("--exit-code-from",), "exit_code_from", VALUE, metavar="service", default="",
               help="Return the exit code of the selected service container. Implies --abort-on-container-exit"),
        creation.FORCE,
        Option(("--menu",), "menu", FLAG, hidden=True, help="Enable interactive shortcuts when running attached"),
        Option(("--no-attach",), "no_attach", LIST, metavar="service", help="Do not attach (stream logs) to the specified services"),
        creation.NO_BUILD,
        Option(("--no-color",), "no_color", FLAG, help="Produce monochrome output"),
        Option(("--no-deps",), "no_deps", FLAG, help="Don't start linked services"),
        Option(("--no-log-prefix",), "no_log_prefix", FLAG, help="Don't print prefix in logs"),
        creation.NO_RECREATE,
        Option(("--no-start",), "no_start", FLAG, help="Don't start the services after creating them"),
        creation.PULL,
        Option(("--quiet-build",), "quiet_build", FLAG, help="Suppress the build output"),
        creation.QUIET_PULL,
        creation.REMOVE_ORPHANS,
        Option(("-V", "--renew-anon-volumes"), "renew_anon_volumes", FLAG,
               help="Recreate anonymous volumes instead of retrieving data from the previous containers"),
        creation.SCALE,
        creation.TIMEOUT,
        Option(("--timestamps",), "timestamps", FLAG, help="Show timestamps"),
        Option(("--wait",), "wait", FLAG, help="Wait for services to be running|healthy. Implies detached mode"),
        Option(("--wait-timeout",), "wait_timeout", VALUE, metavar="int", default=0, convert=integer,
               help="Maximum duration in seconds to wait for the project to be running|healthy"),
        Option(("-w", "--watch"), "watch", FLAG, help="Watch source code and rebuild/refresh containers when files are updated"),
        creation.YES,
    ),
    handler=run,
    examples=(
        ("rootless compose up -d --wait", "everything, healthy when the command ends"),
        ("rootless compose up --build web", "one service and what it depends on, its image built, with their logs"),
    ),
)  # fmt: skip
