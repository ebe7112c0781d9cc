"""What variables a Dockerfile sees before its first FROM, and those that nobody declares."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.instructions import Dockerfile
from rootless.build.plan.request import PlanRequest

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
NOT_IN_ENVIRONMENT = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")
"""Declared by ARG, for the builder alone."""


def automatic(dockerfile: Dockerfile, request: PlanRequest) -> dict[str, str]:
    """BUILDPLATFORM, TARGETARCH and their like: usable in FROM, in a stage after `ARG TARGETARCH`."""
    found: dict[str, str] = {}
    for word, platform in (("BUILD", request.build_platform), ("TARGET", request.platform)):
        system, architecture, variant, version = split_platform(platform)
        found |= {
            f"{word}PLATFORM": platform,
            f"{word}OS": system,
            f"{word}OSVERSION": version,
            f"{word}ARCH": architecture,
            f"{word}VARIANT": variant,
        }
    found["TARGETSTAGE"] = request.target or dockerfile.stages[-1].base.name or "default"
    return {name: request.build_args.get(name, value) for name, value in found.items()}


def split_platform(platform: str) -> tuple[str, str, str, str]:
    """Operating system, architecture, variant, version of the system: `os(version)/arch/variant`."""
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    system, _, version = system.partition("(")
    return system, architecture, variant, version.rstrip(")")


def global_arguments(
    dockerfile: Dockerfile, request: PlanRequest, *, defaults_only: bool = False
) -> dict[str, str]:
    """The automatic ones and the ARGs before the first FROM; `defaults_only` as if no --build-arg were given."""
    found = automatic(dockerfile, request)
    given = {} if defaults_only else request.build_args
    for argument in dockerfile.globals:
        for name, default in argument.arguments:
            value = given.get(name)
            if value is None and default is not None:
                try:
                    value = expand(default, found, escape=dockerfile.directives.escape).text
                except DockerfileError as error:
                    place = argument.origin
                    raise DockerfileError(error.message, first=place.first, last=place.last) from None
            if value is not None:
                found[name] = value
    return found


def proxies(build_args: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxies' variables for a RUN, in both cases: they are neither in its key nor in the history."""
    found: list[tuple[str, str]] = []
    for name in _PROXIES:
        given = [value for key, value in build_args.items() if key.upper() == name]
        if given:
            found += ((name, given[-1]), (name.lower(), given[-1]))
    return tuple(found)
