"""`rootless compose create` and `scale`."""

from __future__ import annotations

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.compose.plan import up as planning
from rootless.compose.plan.images import ImageChoice
from rootless.errors import InvalidInput


def run(args: Args) -> int:
    """Create containers, and start none."""
    recreate, dependencies = creation.policies(args)
    project = projects.load(args.positional)
    project = creation.provided(creation.narrowed(creation.scaled(project, args.scale), args.positional))
    work = Work(project.name, project)
    observed = creation.ensure_images(work, creation.image_choice(args))
    asked = planning.Asked(tuple(args.positional), recreate, dependencies, remove_orphans=creation.removes_orphans(args), start=False)
    creation.converge(work, observed, asked, yes=args.yes)
    return 0


def _scale(args: Args) -> int:
    words = list(args.positional)
    names = [word.partition("=")[0] for word in words]
    if not all("=" in word for word in words):
        raise InvalidInput("invalid scale specifier: write SERVICE=NUM")
    project = creation.scaled(projects.load(names), words)
    project = creation.provided(creation.narrowed(project, names, dependencies=not args.no_deps))
    work = Work(project.name, project)
    observed = creation.ensure_images(work, ImageChoice())
    creation.converge(work, observed, planning.Asked(tuple(names), planning.DIVERGED, planning.NEVER))
    return 0


COMMAND = Command(
    name="compose create",
    summary="Creates containers for a service",
    usage="[OPTIONS] [SERVICE...]",
    options=(
        creation.BUILD, creation.FORCE, creation.NO_BUILD, creation.NO_RECREATE, creation.PULL, creation.QUIET_PULL,
        creation.REMOVE_ORPHANS, creation.SCALE, creation.YES,
    ),
    handler=run,
)  # fmt: skip
SCALE = Command(
    name="compose scale",
    summary="Scale services",
    usage="[SERVICE=REPLICAS...]",
    options=(Option(("--no-deps",), "no_deps", FLAG, help="Don't start linked services"),),
    handler=_scale,
    min_args=1,
)
