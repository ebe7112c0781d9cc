"""What `up`, `create`, `run` and `scale` have in common: options, and images and containers brought to what the file says."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.commands.compose.display import form
from rootless.cli.flags import compose
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Option, choice, integer
from rootless.cli.output.messages import say
from rootless.compose.load import selection
from rootless.compose.load.project import Project, is_true
from rootless.compose.plan import up as planning
from rootless.compose.plan.images import ImageChoice, image_steps
from rootless.compose.plan.observed import Observed
from rootless.compose.plan.unsupported import refuse
from rootless.errors import InvalidInput
from rootless.words import plain

BUILD = Option(("--build",), "build", FLAG, help="Build images before starting containers")
FORCE = Option(("--force-recreate",), "force_recreate", FLAG,
               help="Recreate containers even if their configuration and image haven't changed")  # fmt: skip
NO_BUILD = Option(("--no-build",), "no_build", FLAG, help="Don't build an image, even if it's policy")
NO_RECREATE = Option(("--no-recreate",), "no_recreate", FLAG,
                     help="If containers already exist, don't recreate them. Incompatible with --force-recreate")  # fmt: skip
PULL = Option(("--pull",), "pull", VALUE, metavar="string", default="policy",
              convert=choice("policy", "always", "missing", "never", "build", "if_not_present"), complete="always|missing|never|build",
              help='Pull image before running ("always"|"missing"|"never"|"build")')  # fmt: skip
QUIET_PULL = Option(("--quiet-pull",), "quiet_pull", FLAG, help="Pull without printing progress information")
REMOVE_ORPHANS = Option(("--remove-orphans",), "remove_orphans", FLAG,
                        help="Remove containers for services not defined in the Compose file")  # fmt: skip
SCALE = Option(("--scale",), "scale", LIST, metavar="scale",
               help="Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present")  # fmt: skip
TIMEOUT = Option(("-t", "--timeout"), "timeout", VALUE, metavar="int", convert=integer,
                 help="Use this timeout in seconds for container shutdown")  # fmt: skip
YES = Option(("-y", "--yes"), "yes", FLAG, help='Assume "yes" as answer to all prompts and run non-interactively')


def scaled(project: Project, words: Sequence[str]) -> Project:
    """The project with SERVICE=NUM words heeded. InvalidInput."""
    services = dict(project.services)
    for word in words:
        name, equals, number = word.partition("=")
        if not equals or not (number.isascii() and number.isdigit()):
            raise InvalidInput(f"invalid --scale option {word!r}. Should be SERVICE=NUM")
        service = {**project.service(name), "scale": int(number)}
        if service.get("container_name") and int(number) > 1:
            raise InvalidInput(f'services.{name}: can\'t set container_name and scale as container name must be unique')
        if service.get("deploy"):
            service["deploy"] = {key: value for key, value in service["deploy"].items() if key != "replicas"}
        services[name] = service
    return project._replace(model={**project.model, "services": services})


def ensure_images(work: Work, image_choice: ImageChoice) -> Observed:
    """Pull and build what is missing, before anything is taken down; then what there is."""
    observed = work.observe()
    assert work.project is not None
    steps = image_steps(work.project, observed, image_choice, time.time())
    if not steps:
        return observed
    work.run(steps)
    found = work.observe()
    if work.dry_run:
        names = {step.data["image"]: "" for step in steps if step.action == "pull"}
        found = found._replace(images={**names, **found.images})
    return found


def told(service: str, message: str) -> None:
    """What a provider says of its service, beside what is shown of containers."""
    if form() not in ("quiet", "json"):
        print(f" {plain(service)}  {plain(message)}", file=sys.stderr)


def provided(project: Project) -> Project:
    """The project once the services that other programs provide are there, with the variables that come of it, and with the
    API's socket where it is asked for."""
    project = _with_api(project)
    if not any(config.get("provider") for config in project.services.values()):
        return project
    if compose.given().dry_run:
        for name, config in project.services.items():
            if config.get("provider"):
                print(f" DRY-RUN MODE -  {plain(name)}  Providing", file=sys.stderr)
        return project
    from rootless.compose.converge import providers

    refuse(project)  # before anything is done
    return providers.up(project, told)


def _with_api(project: Project) -> Project:
    if not any(config.get("use_api_socket") for config in project.services.values()):
        return project
    from rootless.api.server.listener import found_path
    from rootless.compose.converge import api_socket

    return api_socket.given(project, found_path())


def unprovided(project: Project, verb: str, services: Sequence[str]) -> None:
    """Tell the providers of these services (none: of all) that they are stopped, or not wanted any more (`down`)."""
    chosen = {name: config for name, config in project.services.items() if not services or name in services}
    if any(config.get("provider") for config in chosen.values()):
        from rootless.compose.converge import providers

        providers.end(project._replace(model={**project.model, "services": chosen}), verb, told)


def orphan_words(names: list[str]) -> str:
    """Docker Compose's warning."""
    return (
        f"Found orphan containers ([{' '.join(names)}]) for this project. If you removed or renamed this service in your compose "
        "file, you can run this command with the --remove-orphans flag to clean it up."
    )


def converge(work: Work, observed: Observed, asked: planning.Asked, *, yes: bool = False) -> planning.Plan:
    """Make it so. Volumes whose configuration changed are made anew when the user says so: their data goes."""
    assert work.project is not None
    plan = planning.plan_up(work.project, observed, asked)
    ignored = is_true(work.project.environment.get("COMPOSE_IGNORE_ORPHANS"))
    if plan.orphans and not ignored:
        say(f"WARNING: {orphan_words(plan.orphans)}")
    for words in plan.others_volumes:
        say(f"WARNING: {words}")
    if plan.changed_volumes:
        agreed = [name for name in plan.changed_volumes if yes or _agrees(name)]
        if agreed:
            plan = planning.plan_up(work.project, observed, asked._replace(recreate_volumes=tuple(agreed)))
    work.run(plan.steps)
    return plan


def _agrees(name: str) -> bool:
    question = f"Volume {name!r} exists but doesn't match configuration in compose file. Recreate (data will be lost)?"
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or compose.given().dry_run:
        say(f"WARNING: {question.partition('. ')[0]}; it stays as it is", "rootless compose down -v removes it, with its data")
        return False
    sys.stderr.write(question + " [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def policies(args: Args) -> tuple[str, str]:
    """What is recreated: of the services named, and of those that they depend on. InvalidInput."""
    values = args.__dict__
    if values.get("force_recreate") and values.get("no_recreate"):
        raise InvalidInput("--force-recreate and --no-recreate are incompatible")
    if values.get("always_recreate_deps") and values.get("no_recreate"):
        raise InvalidInput("--always-recreate-deps and --no-recreate are incompatible")
    if values.get("build") and values.get("no_build"):
        raise InvalidInput("--build and --no-build are incompatible")
    if values.get("no_recreate"):
        return planning.NEVER, planning.NEVER
    own = planning.FORCE if values.get("force_recreate") else planning.DIVERGED
    return own, planning.FORCE if values.get("always_recreate_deps") else planning.DIVERGED


def removes_orphans(args: Args) -> bool:
    """Of --remove-orphans, else COMPOSE_REMOVE_ORPHANS."""
    if "remove_orphans" in args.given:
        return bool(args.remove_orphans)
    return is_true(os.environ.get("COMPOSE_REMOVE_ORPHANS"))


def image_choice(args: Args) -> ImageChoice:
    """What the options say of images."""
    pull = "" if args.pull == "policy" else {"if_not_present": "missing"}.get(args.pull, args.pull)
    return ImageChoice(bool(args.__dict__.get("build")), bool(args.__dict__.get("no_build")), pull)


def narrowed(project: Project, services: Sequence[str], *, dependencies: bool = True) -> Project:
    """The project with the services that are meant alone."""
    which = selection.DEPENDENCIES if dependencies else selection.NO_DEPENDENCIES
    if services:
        return selection.selected(project, services, which)
    selection.names_with(project, ())
    return project if compose.given().all_resources else project._replace(model=selection.used_resources(project.model))
