"""`rootless compose watch`: what changes on the host is synced into containers, or makes them anew."""

from __future__ import annotations

from rootless.cli.commands.compose import creation
from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.commands.compose.watcher import Watcher
from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.compose.converge.watching import TreeWatch, rules
from rootless.compose.plan import up as planning
from rootless.compose.plan.images import ImageChoice
from rootless.errors import InvalidInput


def run(args: Args) -> int:
    """Bring the services up, and watch until interrupted."""
    project = projects.load(args.positional)
    project = creation.narrowed(project, args.positional)
    wanted = rules(project, list(project.services))
    if not wanted:
        raise InvalidInput("none of the selected services is configured for watch, consider setting a 'develop' section")
    work = Work(project.name, project, quiet_build=args.quiet)
    if not args.no_up:
        observed = creation.ensure_images(work, ImageChoice(build=True))
        creation.converge(work, observed, planning.Asked(tuple(args.positional)))
    if work.dry_run:
        return 0
    with TreeWatch(wanted) as tree:
        watcher = Watcher(work, wanted, prune=args.prune)
        watcher.begin()
        print("Watch enabled", flush=True)
        while True:
            changed, _ = tree.changes()
            watcher.act(changed)


COMMAND = Command(
    name="compose watch",
    summary="Watch build context for service and rebuild/refresh containers when files are updated",
    usage="[SERVICE...]",
    options=(
        Option(("--no-up",), "no_up", FLAG, help="Do not build & start services before watching"),
        Option(("--prune",), "prune", FLAG, default=True, help="Prune dangling images on rebuild"),
        Option(("--quiet",), "quiet", FLAG, help="Hide build output"),
    ),
    handler=run,
)  # fmt: skip
