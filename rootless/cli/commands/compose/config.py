"""`rootless compose config`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rootless.cli.commands.compose import project as projects
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option, choice
from rootless.cli.output.columns import print_table
from rootless.compose.load import selection
from rootless.compose.load.interpolate import named
from rootless.compose.load.project import Project
from rootless.compose.load.render import model_text, to_json, to_yaml
from rootless.compose.load.template import Variable
from rootless.compose.plan.names import image_name
from rootless.compose.plan.service_hash import service_hash
from rootless.errors import InvalidInput
from rootless.storage import named_paths
from rootless.words import plain


def run(args: Args) -> int:
    """Print the project in canonical form, or one part of it, a line each."""
    if args.lock_image_digests:
        args.__dict__["resolve_image_digests"] = True
    if args.variables:
        return _variables(args)
    if args.no_interpolate:
        return _not_interpolated(args)
    part = args.services or args.volumes or args.networks or args.models or args.images or args.profiles or args.hash
    project = projects.load(
        args.positional, environments=not (args.no_env_resolution or part), normalise=not args.no_normalize,
        resolve_paths=not args.no_path_resolution, consistency=not args.no_consistency,
    )  # fmt: skip
    if args.environment:
        lines = [f"{key}={project.environment[key]}" for key in sorted(project.environment)]
        return _write_lines(args, lines)
    if args.hash:
        return _hashes(args, project)
    if args.positional and not args.no_consistency:
        project = selection.selected(project, args.positional)
    for wanted, kind in ((args.services, "services"), (args.volumes, "volumes"), (args.networks, "networks"), (args.models, "models")):
        if wanted:
            names = project.services if kind == "services" else project.resources(kind)
            return _write_lines(args, names)
    if args.profiles:
        every = [*project.services.values(), *project.disabled.values()]
        return _write_lines(args, sorted({one for service in every for one in service.get("profiles") or ()}))
    if args.images:
        return _write_lines(args, [image_name(project, name) for name in project.services])
    if args.resolve_image_digests:
        project = _with_digests(project)
    if args.lock_image_digests:
        services = {name: {"image": service["image"]} for name, service in project.services.items() if service.get("image")}
        project = project._replace(model={"services": services})
    elif not projects.given().all_resources and not args.no_normalize:
        project = project._replace(model=selection.used_resources(project.model))
    return _write(args, to_json(project) + "\n" if args.format == "json" else to_yaml(project))


def _write_lines(args: Args, lines: Iterable[str]) -> int:
    """A line each; what a file says is cleaned, since YAML's formats escape it, and these do not."""
    return _write(args, "".join(f"{plain(line)}\n" for line in lines))


def _write(args: Args, text: str) -> int:
    if args.quiet:
        return 0
    if args.format == "json":
        from rootless.cli.output.format import visible

        text = visible(text)
    if args.output:
        try:
            with open(named_paths.open_new_content(args.output, "the file"), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise InvalidInput(f"open {args.output}: {error.strerror}") from None
        return 0
    sys.stdout.write(text)
    return 0


def _hashes(args: Args, project: Project) -> int:
    names = sorted(project.services) if args.hash == "*" else args.hash.split(",")
    lines = [f"{name} {service_hash(project, project.service(name))}\n" for name in names]
    return _write(args, "".join(lines))


def _not_interpolated(args: Args) -> int:
    project = projects.load(
        args.positional, environments=False, interpolate=False, normalise=False,
        resolve_paths=not args.no_path_resolution, consistency=False,
    )  # fmt: skip
    project = _whole(project)
    if args.services:
        return _write_lines(args, project.services)
    if args.resolve_image_digests:
        project = _with_digests(project)
    return _write(args, model_text(project.model, args.format or "yaml"))


def _whole(project: Project) -> Project:
    """With the services whose profiles are not active: the model, not what would run."""
    services = {**project.services, **project.disabled}
    return project._replace(model={**project.model, "services": services}, disabled={})


def _variables(args: Args) -> int:
    project = projects.load(args.positional, environments=False, interpolate=False, normalise=False, consistency=False)
    found: dict[str, Variable] = {}
    named(_whole(project).model, found)
    if args.format in ("json", "yaml"):
        model: dict[str, Any] = {
            key: {"Name": one.name, "DefaultValue": one.default, "PresenceValue": one.alternate, "Required": one.required}
            for key, one in sorted(found.items())
        }
        return _write(args, model_text(model, args.format))
    if not args.quiet:
        rows = [[one.name, "true" if one.required else "false", one.default, one.alternate] for _, one in sorted(found.items())]
        print_table(["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"], rows)
    return 0


def _with_digests(project: Project) -> Project:
    """Every image by the digest that its registry has for it now."""
    from rootless.engine.images import remote
    from rootless.image import reference

    services = {}
    for name, service in project.services.items():
        image = service.get("image")
        if image and "@" not in image:
            parsed = reference.parse(image)
            digest = remote.fetch(image).fetched.digest
            service = {**service, "image": f"{parsed.familiar()}@{digest}"}
        services[name] = service
    return project._replace(model={**project.model, "services": services})


COMMAND = Command(
    name="compose config",
    summary="Parse, resolve and render compose file in canonical format",
    usage="[OPTIONS] [SERVICE...]",
    options=(
        Option(("--environment",), "environment", FLAG, help="Print environment used for interpolation"),
        Option(("--format",), "format", VALUE, metavar="string", default="", convert=choice("", "yaml", "json"), complete="yaml|json",
               help="Format the output. Values: [yaml | json]"),
        Option(("--hash",), "hash", VALUE, metavar="string", default="", help="Print the service config hash, one per line"),
        Option(("--images",), "images", FLAG, help="Print the image names, one per line"),
        Option(("--lock-image-digests",), "lock_image_digests", FLAG, help="Produces an override file with image digests"),
        Option(("--models",), "models", FLAG, help="Print the model names, one per line"),
        Option(("--networks",), "networks", FLAG, help="Print the network names, one per line"),
        Option(("--no-consistency",), "no_consistency", FLAG,
               help="Don't check model consistency - warning: may produce invalid Compose output"),
        Option(("--no-env-resolution",), "no_env_resolution", FLAG, help="Don't resolve service env files"),
        Option(("--no-interpolate",), "no_interpolate", FLAG, help="Don't interpolate environment variables"),
        Option(("--no-normalize",), "no_normalize", FLAG, help="Don't normalize compose model"),
        Option(("--no-path-resolution",), "no_path_resolution", FLAG, help="Don't resolve file paths"),
        Option(("-o", "--output"), "output", VALUE, metavar="file", default="", complete="file", help="Save to file (default to stdout)"),
        Option(("--profiles",), "profiles", FLAG, help="Print the profile names, one per line"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only validate the configuration, don't print anything"),
        Option(("--resolve-image-digests",), "resolve_image_digests", FLAG, help="Pin image tags to digests"),
        Option(("--services",), "services", FLAG, help="Print the service names, one per line"),
        Option(("--variables",), "variables", FLAG, help="Print model variables and default values"),
        Option(("--volumes",), "volumes", FLAG, help="Print the volume names, one per line"),
    ),
    handler=run,
)  # fmt: skip
