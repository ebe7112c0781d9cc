"""A Dockerfile's text as instructions of stages."""

from __future__ import annotations

from rootless.build.dockerfile import directives, parse_config, parse_files, parse_run
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import (
    Arg,
    Dockerfile,
    From,
    Instruction,
    Origin,
    Stage,
)
from rootless.build.dockerfile.lexer import Statement, decode, lex, lines_of
from rootless.build.dockerfile.lint import casing
from rootless.build.dockerfile.lint.linter import Linter
from rootless.build.dockerfile.parsing import Parsing
from rootless.build.dockerfile.suggest import did_you_mean
from rootless.build.dockerfile.words import split_blanks, split_instruction

_PARSERS = {**parse_config.PARSERS, **parse_files.PARSERS, **parse_run.PARSERS}
_NAMES = sorted(name.upper() for name in (*_PARSERS, "from"))


def parse(
    data: bytes | str, *, file: str = "Dockerfile", syntax: str = "", check: str | None = None
) -> Dockerfile:
    """Read a whole file; `syntax` is BUILDKIT_SYNTAX and `check` BUILDKIT_DOCKERFILE_CHECK, which win over the directives.

    Raises DockerfileError, located. Findings of the rules that need no plan are in `warnings`, as `# check=` asks.
    """
    lines: tuple[str, ...] = ()
    try:
        text = decode(data)
        lines = lines_of(text)
        if not text.strip():
            raise DockerfileError("file with no instructions")
        return _parse(text, lines, file, syntax, check)
    except DockerfileError as error:
        raise error.locate(file, lines) from None


def _parse(text: str, lines: tuple[str, ...], file: str, syntax: str, check: str | None) -> Dockerfile:
    found, _ = directives.parse(lines)
    _refuse_other_frontends(syntax or found.syntax, lines)
    lexed = lex(text, lines)
    linter = Linter(lexed.directives, options=check)
    if not lexed.statements:
        raise DockerfileError("file with no instructions")
    globals_: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    for statement in lexed.statements:
        if statement.empty_continuation:
            linter.report("NoEmptyContinuation", statement.first, statement.last)
        instruction = _instruction(statement, lexed.directives.escape)
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            globals_.append(instruction)
        else:
            raise DockerfileError(
                "no build stage in current context", first=statement.first, last=statement.last
            )
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    whole = tuple(Stage(base, tuple(instructions)) for base, instructions in stages)
    casing.check(whole, tuple(globals_), linter)
    return Dockerfile(file, lines, lexed.directives, tuple(globals_), whole, tuple(linter.warnings))


def _refuse_other_frontends(syntax: str, lines: tuple[str, ...]) -> None:
    if not directives.is_dockerfile_frontend(syntax):
        number = next((at for at, line in enumerate(lines, 1) if "syntax" in line.lower()), 0)
        raise DockerfileError(
            f"the frontend {syntax} cannot be run: only docker/dockerfile is built in",
            first=number,
            hint="write the file in the Dockerfile language, without this `syntax` line",
        )


def _instruction(statement: Statement, escape: str) -> Instruction | From:
    try:
        parsing = begin(statement, escape)
    except DockerfileError as error:
        raise DockerfileError(error.message, first=statement.first, last=statement.last) from None
    try:
        return parse_statement(parsing)
    except DockerfileError as error:
        message = error.message
        if not error.first:
            message = f"dockerfile parse error on line {statement.first}: {message}"
        raise DockerfileError(message, first=statement.first, last=statement.last, hint=error.hint) from None


def begin(statement: Statement, escape: str) -> Parsing:
    """The parts that all instructions have."""
    keyword, flags, rest = split_instruction(statement.text)
    origin = Origin(keyword, statement.text, statement.first, statement.last, statement.comment)
    return Parsing(origin, tuple(flags), rest, statement.heredocs, escape)


def parse_statement(parsing: Parsing) -> Instruction | From:
    """One instruction of its parts; errors do not say yet where."""
    keyword = parsing.origin.keyword
    name = keyword.lower()
    if name == "from":
        return _from(parsing)
    if name not in _PARSERS:
        shown = keyword if len(keyword) <= 100 else keyword[:100] + "..."
        raise DockerfileError(f"unknown instruction: {shown}{did_you_mean(keyword, _NAMES, any_case=True)}")
    return _PARSERS[name](parsing)


def parse_trigger(text: str, origin: Origin) -> Instruction:
    """An ONBUILD trigger of a base image, which has come from outside, as the instruction that it is.

    Its place is that of the FROM that brought it. Its escape is the backslash: the image does not say another.
    """
    first, last = origin.first, origin.last
    try:
        lexed = lex(text, lines_of(text))
    except DockerfileError as error:
        raise DockerfileError(error.message, first=first, last=last) from None
    if len(lexed.statements) != 1:
        raise DockerfileError("onbuild trigger should be a single expression", first=first, last=last)
    statement = lexed.statements[0]._replace(first=first, last=last, comment=())
    instruction = _instruction(statement, "\\")
    if isinstance(instruction, From):
        raise DockerfileError(
            "FROM isn't allowed as an ONBUILD trigger", first=origin.first, last=origin.last
        )
    replaced = instruction.origin._replace(trigger=text)
    return instruction._replace(origin=replaced)


_NAME = "abcdefghijklmnopqrstuvwxyz0123456789-_."


def _from(parsing: Parsing) -> From:
    words = split_blanks(parsing.rest)
    name = ""
    if len(words) == 3 and words[1].lower() == "as":
        name = words[2].lower()
        if not ("a" <= name[0] <= "z") or any(character not in _NAME for character in name):
            raise DockerfileError(
                f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols'
            )
    elif len(words) != 1:
        raise DockerfileError("FROM requires either one or three arguments")
    flags = parsing.flags_of(text=("platform",))
    return From(
        parsing.origin,
        words[0],
        name,
        words[2] if name else "",
        flags.text("platform"),
        words[1] if name else "",
    )
