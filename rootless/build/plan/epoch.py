"""SOURCE_DATE_EPOCH: seconds, or the name of what has a time of its own."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.instructions import Arg, Copy, Dockerfile, Stage
from rootless.build.plan.contexts import named_source
from rootless.build.plan.remote import remote_source
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import CONTEXT, Source
from rootless.build.plan.steps import GitSource, HttpSource
from rootless.record import Record

NAME = "SOURCE_DATE_EPOCH"
_LARGEST = 1 << 62


class Epoch(Record):
    """`seconds` where they are known. Else `of` says whose time is meant: a context, or what an ADD fetches.

    `arguments` are the global ones, with the seconds in the place of the name; without them where nothing is known yet:
    the caller who finds the time out asks again with it as the build argument.
    """

    arguments: dict[str, str]
    seconds: int | None = None
    of: Source | HttpSource | GitSource | None = None


def resolve(dockerfile: Dockerfile, request: PlanRequest, arguments: dict[str, str]) -> Epoch:
    """Raises DockerfileError for what is neither a number nor such a name."""
    value = request.build_args.get(NAME, arguments.get(NAME, ""))
    if not value:
        return Epoch(arguments)
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) < _LARGEST:
        return Epoch(arguments, int(value))
    without = {name: text for name, text in arguments.items() if name != NAME}
    if value == "context":
        return Epoch(without, of=CONTEXT)
    named = named_source(value, request.platform, request)
    if named:
        return Epoch(without, of=named)
    for stage in dockerfile.stages:
        if stage.base.name and stage.base.name == value.lower():
            return Epoch(without, of=_fetched(stage, dockerfile, request, without))
    raise DockerfileError(f"invalid {NAME}: {value[:100]}")


def _fetched(
    stage: Stage, dockerfile: Dockerfile, request: PlanRequest, arguments: dict[str, str]
) -> HttpSource | GitSource:
    """What the stage's only ADD gets, which its time is taken from."""
    origin = stage.base.origin
    escape = dockerfile.directives.escape
    try:
        if expand(stage.base.image, arguments, escape=escape).text != "scratch":
            raise DockerfileError(f"{NAME} stage must use FROM scratch")
        variables = dict(arguments)
        found: HttpSource | GitSource | None = None
        for instruction in stage.instructions:
            if isinstance(instruction, Arg):
                for name, default in instruction.arguments:
                    if name in request.build_args:
                        variables[name] = request.build_args[name]
                    elif default is not None:
                        variables[name] = expand(default, variables, escape=escape).text
            elif isinstance(instruction, Copy) and instruction.add:
                if found or instruction.heredocs or len(instruction.sources) != 1:
                    raise DockerfileError(f"{NAME} stage must contain exactly one remote ADD")
                word = expand(instruction.sources[0], variables, escape=escape).text
                checksum = expand(instruction.checksum, variables, escape=escape).text
                found = remote_source(word, instruction, checksum)
                if not found:
                    raise DockerfileError(f"{NAME} stage source must be a single HTTP(S) or Git ADD")
            else:
                keyword = instruction.origin.keyword
                message = (
                    f"{NAME} stage does not meet source-only requirements: unsupported {keyword} instruction"
                )
                raise DockerfileError(message)
    except DockerfileError as error:
        raise DockerfileError(error.message, first=origin.first, last=origin.last) from None
    if not found:
        raise DockerfileError(
            f"{NAME} stage must contain exactly one remote ADD", first=origin.first, last=origin.last
        )
    return found
