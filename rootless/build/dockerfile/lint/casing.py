"""The rules that need no plan: names, letters' cases, old forms, descriptions, secrets."""

from __future__ import annotations

from rootless.build.dockerfile.instructions import Arg, Env, Instruction, Label, Maintainer, Origin, Stage
from rootless.build.dockerfile.lint.linter import Linter

_RESERVED = ("context", "scratch")
_SECRET = frozenset(
    ("apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token")
)
_PUBLIC = frozenset(("public", "file", "version"))


def check(stages: tuple[Stage, ...], globals_: tuple[Arg, ...], linter: Linter) -> None:
    """Report what is to be said of a file by itself."""
    _stage_names(stages, linter)
    _keywords(stages, linter)
    for argument in globals_:
        _description(argument.origin, argument, linter)
    for stage in stages:
        _as_casing(stage, linter)
        _described(stage.base.origin, "FROM", (stage.base.name,), linter)
        for instruction in stage.instructions:
            _old_forms(instruction, linter)


def _stage_names(stages: tuple[Stage, ...], linter: Linter) -> None:
    seen: set[str] = set()
    for base, _ in stages:
        place = base.origin.first, base.origin.last
        if base.written_name != base.name:
            linter.report("StageNameCasing", *place, base.written_name)
        if base.name in _RESERVED:
            linter.report("ReservedStageName", *place, base.name)
        if base.name and base.name in seen:
            linter.report("DuplicateStageName", *place, base.name)
        seen.add(base.name)


def _as_casing(stage: Stage, linter: Linter) -> None:
    """`FROM x as y`: one of them shouts."""
    word, keyword = stage.base.as_word, stage.base.origin.keyword
    if word and not ((word.isupper() and keyword.isupper()) or (word.islower() and keyword.islower())):
        linter.report("FromAsCasing", stage.base.origin.first, stage.base.origin.last, word, keyword)


def _keywords(stages: tuple[Stage, ...], linter: Linter) -> None:
    origins = [origin for base, body in stages for origin in (base.origin, *(item.origin for item in body))]
    lower = sum(origin.keyword.islower() for origin in origins)
    upper = sum(origin.keyword.isupper() for origin in origins)
    wanted = "lowercase" if lower > upper else "uppercase"
    for origin in origins:
        if not (origin.keyword.islower() if lower > upper else origin.keyword.isupper()):
            linter.report("ConsistentInstructionCasing", origin.first, origin.last, origin.keyword, wanted)


def _old_forms(instruction: Instruction, linter: Linter) -> None:
    origin = instruction.origin
    if isinstance(instruction, Maintainer):
        linter.report("MaintainerDeprecated", origin.first, origin.last)
    elif isinstance(instruction, Env | Label) and instruction.legacy:
        linter.report("LegacyKeyValueFormat", origin.first, origin.last, origin.keyword)
    elif isinstance(instruction, Arg):
        _description(origin, instruction, linter)


def _description(origin: Origin, argument: Arg, linter: Linter) -> None:
    _described(origin, "ARG", tuple(name for name, _ in argument.arguments), linter)


def _described(origin: Origin, keyword: str, names: tuple[str, ...], linter: Linter) -> None:
    """A comment right above says what the stage or argument is for, beginning with its name."""
    if origin.comment and any(names) and not any(description(origin.comment, name) for name in names):
        linter.report("InvalidDefinitionDescription", origin.first, origin.last, keyword, names[0])


def description(comment: tuple[str, ...], name: str) -> str:
    """What the comment says of `name`: the rest of the line that begins with it."""
    for line in comment if name else ():
        first, _, rest = line.partition(" ")
        if first == name:
            return rest.strip()
    return ""


def is_secret(name: str) -> bool:
    """Whether a variable's name, by its words between underscores, says that its value is nobody's business."""
    words = set(name.lower().split("_"))
    return bool(words & _SECRET) and not words & _PUBLIC
