"""`rootless compose start|stop|restart|kill|pause|unpause|rm`: one verb on the containers of services."""

from __future__ import annotations

from collections.abc import Sequence

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work, chosen
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, integer
from rootless.cli.terminal.confirm import confirm
from rootless.compose.load import selection
from rootless.compose.load.project import Project
from rootless.compose.plan.down import dependencies, verb_steps
from rootless.compose.plan.observed import Container, Observed
from rootless.compose.plan.resources import taking_down
from rootless.compose.plan.steps import Step
from rootless.errors import InvalidInput


def meant(services: Sequence[str]) -> tuple[Work, Observed]:
    """The project of the command line, with the services that are named active, and what there is of it."""
    name, project = projects.name_or_project(services)
    if project is not None and services:
        project = selection.with_named(project, services)
    work = Work(name, project)
    return work, work.observe()


def _needed(work: Work, observed: Observed) -> dict[str, set[str]]:
    return dependencies(work.project, observed)


def _start(args: Args) -> int:
    work, observed = meant(args.positional)
    names: Sequence[str] = args.positional
    if work.project is not None and names:
        names = selection.names_with(work.project, names)
    found = [one for one in chosen(observed, names) if not one.runs]
    there = chosen(observed, args.positional)
    if not there:
        raise InvalidInput(f'service "{args.positional[0]}" has no container to start' if args.positional else "no container to start",
                           hint="rootless compose up makes them")  # fmt: skip
    steps = _with_conditions(work.project, verb_steps("start", found, _needed(work, observed), reverse=False), observed)
    if args.wait:
        waits = [
            Step(f"wait {one.name}", "wait", f"Container {one.name}", (f"start {one.id}",),
                 {"name": one.name, "service": one.service, "condition": "running_or_healthy"})
            for one in chosen(observed, args.positional)
        ]  # fmt: skip
        steps += waits
    if args.wait and args.wait_timeout:
        from rootless.cli.commands.compose.deadline import within

        with within(args.wait_timeout):
            work.run(steps)
    else:
        work.run(steps)
    return 0


def _with_conditions(project: Project | None, steps: list[Step], observed: Observed) -> list[Step]:
    """Starts wait for the conditions of depends_on, as those of `up` do."""
    if project is None:
        return steps
    found, waits = [], dict[str, Step]()
    for step in steps:
        after = list(step.after)
        for other, entry in (project.services.get(step.data["service"], {}).get("depends_on") or {}).items():
            if entry["condition"] == "service_started":
                continue
            for one in observed.of(other):
                key = f"wait {one.name} {entry['condition']}"
                data = {"name": one.name, "service": other, "condition": entry["condition"]}
                optional = not entry.get("required", True)
                waits[key] = Step(key, "wait", f"Container {one.name}", (f"start {one.id}",), data, optional)
                after.append(key)
        found.append(step._replace(after=tuple(after)))
    return [*found, *waits.values()]


def _stop(args: Args) -> int:
    work, observed = meant(args.positional)
    found = [one for one in chosen(observed, args.positional, oneoff=not args.positional) if one.runs]
    work.run(verb_steps("stop", found, _needed(work, observed), reverse=True, timeout=args.timeout))
    if work.project is not None and not work.dry_run:
        creation.unprovided(work.project, "stop", args.positional)
    return 0


def _restart(args: Args) -> int:
    work, observed = meant(args.positional)
    names = list(args.positional)
    if not args.no_deps and work.project is not None and names:
        # Who depends on one of them with `restart: true` goes with it.
        names += [other for other, config in work.project.services.items()
                  if any((config.get("depends_on") or {}).get(name, {}).get("restart") for name in args.positional)]  # fmt: skip
    found = chosen(observed, names)
    needed = {} if args.no_deps else _needed(work, observed)
    work.run(verb_steps("restart", found, needed, reverse=False, timeout=args.timeout))
    return 0


def _kill(args: Args) -> int:
    work, observed = meant(args.positional)
    found = [one for one in chosen(observed, args.positional, oneoff=not args.positional) if one.runs]
    if args.remove_orphans and work.project is not None:
        known = {*work.project.services, *work.project.disabled}
        work.run([step for one in observed.containers if one.service not in known for step in taking_down(one, None)])
    work.run(verb_steps("kill", found, {}, reverse=True, signal=args.signal))
    return 0


def _pause(args: Args) -> int:
    work, observed = meant(args.positional)
    work.run(verb_steps("pause", [one for one in chosen(observed, args.positional) if one.state == "running"], {}, reverse=False))
    return 0


def _unpause(args: Args) -> int:
    work, observed = meant(args.positional)
    work.run(verb_steps("unpause", [one for one in chosen(observed, args.positional) if one.state == "paused"], {}, reverse=False))
    return 0


def _rm(args: Args) -> int:
    work, observed = meant(args.positional)
    found = chosen(observed, args.positional, oneoff=not args.positional)
    if not args.stop:
        found = [one for one in found if not one.runs]
    if not found:
        print("No stopped containers")
        return 0
    if not args.force and not work.dry_run and not confirm(_going(found), force=False):
        return 0
    work.run([step for one in found for step in taking_down(one, None, volumes=args.volumes)])
    return 0


def _going(found: list[Container]) -> str:
    return "Going to remove " + ", ".join(one.name for one in found)


_SERVICES = "[OPTIONS] [SERVICE...]"
START = Command(
    name="compose start", summary="Start services", usage=_SERVICES, handler=_start,
    options=(
        Option(("--wait",), "wait", FLAG, help="Wait for services to be running|healthy. Implies detached mode"),
        Option(("--wait-timeout",), "wait_timeout", VALUE, metavar="int", default=0, convert=integer,
               help="Maximum duration in seconds to wait for the project to be running|healthy"),
    ),
)  # fmt: skip
STOP = Command(name="compose stop", summary="Stop services", usage=_SERVICES, handler=_stop, options=(creation.TIMEOUT,))
RESTART = Command(
    name="compose restart", summary="Restart service containers", usage=_SERVICES, handler=_restart,
    options=(Option(("--no-deps",), "no_deps", FLAG, help="Don't restart dependent services"), creation.TIMEOUT),
)  # fmt: skip
KILL = Command(
    name="compose kill", summary="Force stop service containers", usage=_SERVICES, handler=_kill,
    options=(
        creation.REMOVE_ORPHANS,
        Option(("-s", "--signal"), "signal", VALUE, metavar="string", default="SIGKILL", help="SIGNAL to send to the container"),
    ),
)  # fmt: skip
PAUSE = Command(name="compose pause", summary="Pause services", usage="[SERVICE...]", handler=_pause, options=())
UNPAUSE = Command(name="compose unpause", summary="Unpause services", usage="[SERVICE...]", handler=_unpause, options=())
RM = Command(
    name="compose rm", summary="Removes stopped service containers", usage=_SERVICES, handler=_rm,
    options=(
        Option(("-f", "--force"), "force", FLAG, help="Don't ask to confirm removal"),
        Option(("-s", "--stop"), "stop", FLAG, help="Stop the containers, if required, before removing"),
        Option(("-v", "--volumes"), "volumes", FLAG, help="Remove any anonymous volumes attached to containers"),
    ),
)  # fmt: skip
