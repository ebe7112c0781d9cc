"""`rootless compose build|pull|push|images`."""

from __future__ import annotations

import json
import time

from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work, chosen
from rootless.cli.commands.compose.verbs import meant
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option, choice
from rootless.cli.output import units
from rootless.cli.output.columns import print_table, short_id
from rootless.cli.output.messages import say
from rootless.compose.converge.images import BuildChoice
from rootless.compose.load import selection
from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.compose.plan.images import build_steps
from rootless.compose.plan.steps import Step
from rootless.engine.images import listing, lookup
from rootless.errors import NotFound, NotSupported, RootlessError
from rootless.image import reference


def _selected(args: Args, *, dependencies: bool) -> Project:
    project = projects.load(args.positional)
    which = selection.DEPENDENCIES if dependencies else selection.NO_DEPENDENCIES
    return selection.selected(project, args.positional, which) if args.positional else project


def _build(args: Args) -> int:
    for option, value in (("--builder", args.builder), ("--memory", args.memory)):
        if value:
            raise NotSupported(f"{option} is not supported: there is one builder, and it has no limits of its own", hint="leave it out")
    for option, value in (("--provenance", args.provenance), ("--sbom", args.sbom)):
        if value not in ("", "false", "0"):
            raise NotSupported(f"{option} is not supported: rootless makes no attestations", hint=f"{option}=false")
    if args.check or args.print:
        raise NotSupported(f"--{'check' if args.check else 'print'} is not supported", hint="rootless build --check, and compose config")
    project = projects.load(args.positional)
    wanted = list(args.positional) or list(project.services)
    if args.with_dependencies and args.positional:
        wanted = selection.names_with(project, args.positional)
    how = BuildChoice(args.no_cache, args.pull, args.build_arg, ssh=args.ssh)
    work = Work(project.name, project, quiet=args.quiet, build=how, quiet_build=args.quiet, build_progress=args.progress)
    steps = build_steps(project, wanted)
    if not steps:
        say("WARNING: No services to build")
    if args.push:
        steps += _pushes(project, [step.data["service"] for step in steps])
    work.run(steps)
    return 0


def _pushes(project: Project, services: list[str], *, optional: bool = False) -> list[Step]:
    return [
        Step(f"push {name}", "push", name, (f"build {name}",), {"image": names.image_name(project, name)}, optional=optional)
        for name in services if project.services[name].get("build")
    ]  # fmt: skip


def _pull(args: Args) -> int:
    project = _selected(args, dependencies=args.include_deps)
    work = Work(project.name, project, quiet=args.quiet)
    there = work.observe().images if args.policy == "missing" else {}
    steps: dict[str, Step] = {}
    for name, config in project.services.items():
        image = names.image_name(project, name)
        if (not config.get("image") and config.get("build")) or (args.ignore_buildable and config.get("build")) or "provider" in config:
            continue
        if config.get("pull_policy") in ("never", "build") or image in there:
            continue
        # One that could be built may be missing at the registry.
        optional = args.ignore_pull_failures or bool(config.get("build"))
        data = {"image": image, "platform": config.get("platform", "")}
        steps.setdefault(image, Step(f"pull {name}", "pull", name, data=data, optional=optional))
    work.run(list(steps.values()))
    return 0


def _push(args: Args) -> int:
    project = _selected(args, dependencies=args.include_deps)
    work = Work(project.name, project, quiet=args.quiet)
    work.run(_pushes(project, list(project.services), optional=args.ignore_push_failures))
    return 0


def _images(args: Args) -> int:
    work, observed = meant(args.positional)
    rows = []
    for one in chosen(observed, args.positional, oneoff=True):
        try:
            image = lookup.find(work.store, one.image_id)
        except (NotFound, RootlessError):
            continue
        name = next((word for word in image.names), "")
        parsed = reference.parse(name) if name else None
        config = image.config
        platform = f"{config.get('os', 'linux')}/{config.get('architecture', '')}"
        if config.get("variant"):
            platform += f"/{config['variant']}"
        repository = lookup.familiar(name).rpartition(":")[0] if name else "<none>"
        tag = (parsed.tag or "latest") if parsed else "<none>"
        rows.append((one.name, repository, tag, platform, image, listing.created(image)))
    if args.quiet:
        for identifier in dict.fromkeys(row[4].id.removeprefix("sha256:") for row in rows):
            print(identifier)
        return 0
    if args.format == "json":
        found = [
            {"ID": image.id, "ContainerName": container, "Repository": repository, "Tag": tag, "Platform": platform, "Size": image.size,
             "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created)) if created else None}
            for container, repository, tag, platform, image, created in rows
        ]  # fmt: skip
        print(json.dumps(found, separators=(",", ":")))
        return 0
    print_table(
        ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"],
        [
            [container, repository, tag, platform, short_id(image.id), units.human_size_short(image.size),
             units.ago(created) if created else "N/A"]
            for container, repository, tag, platform, image, created in rows
        ],
    )  # fmt: skip
    return 0


_PROGRESS = ("", "auto", "tty", "plain", "json", "rawjson", "quiet")
BUILD = Command(
    name="compose build", summary="Build or rebuild services", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--build-arg",), "build_arg", LIST, metavar="list", help="Set build-time variables for services"),
        Option(("--builder",), "builder", VALUE, metavar="string", default="", hidden=True),
        Option(("--check",), "check", FLAG, hidden=True),
        Option(("-m", "--memory"), "memory", VALUE, metavar="bytes", default="", hidden=True),
        Option(("--no-cache",), "no_cache", FLAG, help="Do not use cache when building the image"),
        Option(("--print",), "print", FLAG, hidden=True),
        Option(("--progress",), "progress", VALUE, metavar="string", default="", convert=choice(*_PROGRESS), hidden=True),
        Option(("--provenance",), "provenance", VALUE, metavar="string", default="", implied="true", hidden=True),
        Option(("--pull",), "pull", FLAG, help="Always attempt to pull a newer version of the image"),
        Option(("--push",), "push", FLAG, help="Push service images"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress the build output"),
        Option(("--sbom",), "sbom", VALUE, metavar="string", default="", implied="true", hidden=True),
        Option(("--ssh",), "ssh", LIST, metavar="string",
               help="Set SSH authentications used when building service images. (use 'default' for using your default SSH Agent)"),
        Option(("--with-dependencies",), "with_dependencies", FLAG, help="Also build dependencies (transitively)"),
    ),
    handler=_build,
)  # fmt: skip
PULL = Command(
    name="compose pull", summary="Pull service images", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--ignore-buildable",), "ignore_buildable", FLAG, help="Ignore images that can be built"),
        Option(("--ignore-pull-failures",), "ignore_pull_failures", FLAG, help="Pull what it can and ignores images with pull failures"),
        Option(("--include-deps",), "include_deps", FLAG, help="Also pull services declared as dependencies"),
        Option(("--policy",), "policy", VALUE, metavar="string", default="always", convert=choice("missing", "always"),
               complete="missing|always", help='Apply pull policy ("missing"|"always")'),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Pull without printing progress information"),
    ),
    handler=_pull,
)  # fmt: skip
PUSH = Command(
    name="compose push", summary="Push service images", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--ignore-push-failures",), "ignore_push_failures", FLAG, help="Push what it can and ignores images with push failures"),
        Option(("--include-deps",), "include_deps", FLAG, help="Also push images of services declared as dependencies"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Push without printing progress information"),
    ),
    handler=_push,
)  # fmt: skip
IMAGES = Command(
    name="compose images", summary="List images used by the created containers", usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--format",), "format", VALUE, metavar="string", default="table", convert=choice("table", "json"), complete="table|json",
               help="Format the output. Values: [table | json]"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only display IDs"),
    ),
    handler=_images,
)  # fmt: skip
