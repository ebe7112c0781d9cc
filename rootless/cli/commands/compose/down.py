"""`rootless compose down`."""

from __future__ import annotations

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, choice
from rootless.cli.output.messages import say
from rootless.compose.load.selection import with_named
from rootless.compose.plan.down import DownAsked, plan_down


def run(args: Args) -> int:
    """Stop and remove containers, then networks, and what else was asked for."""
    name, project = projects.name_or_project()
    if project is not None:
        project = with_named(project, [*args.positional, *project.disabled])
    work = Work(name, None if project is None else project)
    orphans = creation.removes_orphans(args)
    observed = work.observe()
    steps = plan_down(project, name, observed, DownAsked(tuple(args.positional), args.volumes, args.rmi, orphans, args.timeout))
    if not steps and not any(one.get("provider") for one in (project.services if project else {}).values()):
        say(f"WARNING: No resource found to remove for project \"{name}\"")
    work.run(steps)
    if project is not None and not work.dry_run:
        creation.unprovided(project, "down", args.positional)
    return 0


COMMAND = Command(
    name="compose down",
    summary="Stop and remove containers, networks",
    usage="[OPTIONS] [SERVICES]",
    options=(
        creation.REMOVE_ORPHANS,
        Option(("--rmi",), "rmi", VALUE, metavar="string", default="", convert=choice("local", "all"), complete="local|all",
               help='Remove images used by services. "local" remove only images that don\'t have a custom tag ("local"|"all")'),
        creation.TIMEOUT,
        Option(("-v", "--volumes"), "volumes", FLAG,
               help='Remove named volumes declared in the "volumes" section of the Compose file and anonymous volumes '
                    "attached to containers"),
    ),
    handler=run,
)  # fmt: skip
