"""`rootless build --check`, and --call=check, targets, outline: a Dockerfile looked at, nothing built."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from rootless.cli.grammar.command import Args
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.dockerfile.instructions import Dockerfile
    from rootless.build.plan.request import PlanRequest

CALLS = ("check", "lint", "targets", "outline")


def check(args: Args) -> int:
    """Print what was asked about the Dockerfile; 1 where --check finds something."""
    from rootless.build import check as checking
    from rootless.build import definition
    from rootless.build.dockerfile.error import DockerfileError
    from rootless.build.dockerfile.parse import parse
    from rootless.build.failure import BuildFailed
    from rootless.build.planning import plan_request
    from rootless.build.progress.vertices import Progress
    from rootless.cli.flags.build_request import to_request
    from rootless.session import session

    call = "check" if args.check else args.call.partition(",")[0]
    if call not in CALLS:
        raise InvalidInput(f"invalid value for --call: {call}", hint="build, check, outline or targets")
    request = to_request(args)
    session.join()
    with ExitStack() as stack:
        found = definition.read(Store.open(), request, Progress(), stack)
        try:
            dockerfile = parse(found.data, file=found.name)
            wanted = plan_request(request)
            if call == "targets":
                return _targets(dockerfile, wanted.target)
            if call == "outline":
                return _outline(dockerfile, wanted)
            warnings = checking.findings(dockerfile, wanted)
        except DockerfileError as error:
            sys.stderr.write(error.excerpt())
            raise BuildFailed(error.message, hint=error.hint) from None
    sys.stdout.write(checking.report(dockerfile, warnings))
    return 1 if warnings else 0


def _targets(dockerfile: Dockerfile, target: str) -> int:
    from rootless.cli.output.columns import print_table

    rows = []
    for number, stage in enumerate(dockerfile.stages):
        default = stage.base.name == target.lower() if target else number == len(dockerfile.stages) - 1
        comment = " ".join(line.strip() for line in stage.base.origin.comment)
        described = comment.removeprefix(stage.base.name).strip() if stage.base.name else ""
        rows.append([(stage.base.name or "") + (" (default)" if default else ""), described])
    print_table(["TARGET", "DESCRIPTION"], [[name.strip(), text] for name, text in rows])
    return 0


def _outline(dockerfile: Dockerfile, request: PlanRequest) -> int:
    from rootless.build.dockerfile.instructions import Arg
    from rootless.build.plan.graph import make_graph
    from rootless.build.plan.steps import RunStep
    from rootless.build.planning import stages
    from rootless.cli.output.columns import print_table

    graph = make_graph(dockerfile, request)
    node = graph.nodes[graph.target]
    print(f"TARGET:\t{node.stage.base.name or 'default'}\n")
    arguments: dict[str, list[str]] = {}
    for number in sorted(graph.reachable):
        for instruction in graph.nodes[number].stage.instructions:
            for name, default in instruction.arguments if isinstance(instruction, Arg) else ():
                comment = " ".join(line.strip() for line in instruction.origin.comment)
                value = request.build_args.get(name, default or "")
                arguments.setdefault(name, [name, value, comment.removeprefix(name).strip()])
    if arguments:
        print_table(["BUILD ARG", "VALUE", "DESCRIPTION"], list(arguments.values()))
        print()
    steps = [step for plan in stages(graph, lambda _source: None).values() for step in plan.steps]
    mounts = [mount for step in steps if isinstance(step, RunStep) for mount in step.mounts]
    for kind, heading in (("secret", "SECRET"), ("ssh", "SSH")):
        names = {mount.id: mount.required for mount in mounts if mount.type == kind}
        if names:
            print_table([heading, "REQUIRED"], [[name, str(required).lower()] for name, required in names.items()])
            print()
    return 0
