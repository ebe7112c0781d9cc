"""FROM's words: the image and the platform, expanded, and what the rules say of them."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import Expansion, expand
from rootless.build.dockerfile.instructions import Dockerfile, From
from rootless.build.dockerfile.lint.linter import Linter
from rootless.build.dockerfile.suggest import did_you_mean, nearest
from rootless.build.plan import scope
from rootless.build.plan.names import may_be_image
from rootless.build.plan.request import PlanRequest


def check_defaults(dockerfile: Dockerfile, request: PlanRequest, linter: Linter) -> None:
    """Whether FROM still means something when no --build-arg is given."""
    try:
        arguments = scope.global_arguments(dockerfile, request, defaults_only=True)
        words = [
            expand(stage.base.image, arguments, escape=dockerfile.directives.escape)
            for stage in dockerfile.stages
        ]
    except DockerfileError:
        return  # the same error comes with the arguments that are given
    for stage, word in zip(dockerfile.stages, words, strict=True):
        if not may_be_image(word.text):
            linter.report(
                "InvalidDefaultArgInFrom", stage.base.origin.first, stage.base.origin.last, stage.base.image
            )


def words_of(
    base: From, dockerfile: Dockerfile, arguments: dict[str, str], linter: Linter
) -> tuple[str, str]:
    """The name of what the stage starts from, and the platform, "" where none is given."""
    place = base.origin
    known = {name for argument in dockerfile.globals for name, _ in argument.arguments} | set(arguments)
    try:
        image = expand(base.image, arguments, escape=dockerfile.directives.escape)
        _undeclared(image, base, known, linter)
        if not image.text:
            raise DockerfileError(f"base name ({base.image}) should not be blank")
        if not base.platform:
            return image.text, ""
        platform = expand(base.platform, arguments, escape=dockerfile.directives.escape)
        _undeclared(platform, base, known, linter)
        _platform_rules(platform, base, arguments, linter)
        if not platform.text:
            raise DockerfileError(
                f"empty platform value from expression {base.platform}{_suggest(platform, arguments)}"
            )
        _check_platform(platform.text, base.platform)
        return image.text, platform.text
    except DockerfileError as error:
        raise DockerfileError(error.message, first=place.first, last=place.last) from None


def _undeclared(word: Expansion, base: From, known: set[str], linter: Linter) -> None:
    for name in sorted(word.unset - known) if not linter.is_full else ():
        suggestion = did_you_mean(name, sorted(known))
        linter.report("UndefinedArgInFrom", base.origin.first, base.origin.last, name, suggestion)


def _suggest(word: Expansion, arguments: dict[str, str]) -> str:
    found = [near for name in sorted(word.unset) if (near := nearest(name, sorted(arguments)))]
    return f" (did you mean {found[0]}?)" if found else ""


def _platform_rules(word: Expansion, base: From, arguments: dict[str, str], linter: Linter) -> None:
    place = base.origin.first, base.origin.last
    if word.used == {"TARGETPLATFORM"} and not word.unset and word.text == arguments.get("TARGETPLATFORM"):
        linter.report("RedundantTargetPlatform", *place, base.platform)
    if not word.used and not word.unset:
        system, architecture, *_ = scope.split_platform(word.text)
        architecture = architecture or system
        # A stage that is named for its platform means it.
        if not any(part and part in base.name for part in (system, architecture)):
            linter.report("FromPlatformFlagConstDisallowed", *place, word.text)


def _check_platform(platform: str, expression: str) -> None:
    parts = platform.split("/")
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-()+"
    if len(parts) > 3 or not all(part and not set(part) - set(allowed) for part in parts):
        raise DockerfileError(
            f'failed to parse platform {expression}: "{platform}": invalid: platform specifier component must match'
            " letters, digits, dots, dashes and underscores"
        )
