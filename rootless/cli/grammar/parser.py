"""The command line's grammar: pflag's, as Docker users' fingers know it.

`-it`, `-p8080:80`, `-p=8080:80`, `--name x`, `--name=x`, `--rm=false`, `--`. One parser for every
command; docs/development/decisions/ says why it is not click's. No regular expressions. Hot path.
"""

from __future__ import annotations

from rootless.cli.grammar.command import COUNT, FLAG, LIST, Args, Command, Option
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class UsageError(InvalidInput):
    """A command line that does not parse: exit status 125 for options, 1 for the number of arguments."""

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 125) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class HelpWanted(Exception):
    """`--help` was given where it counts."""


def parse(command: Command, words: list[str], *, name: str | None = None) -> Args:
    """The words after the command's name, parsed; `name` is the name the user typed, for messages.

    Raises UsageError or HelpWanted.
    """
    if command.verbatim and words[:1] not in (["--help"], ["-h"]):
        words = ["--", *words]
    args = parse_options(command.options, words, interspersed=command.interspersed, command=command.name)
    count = len(args.positional)
    # --latest stands for a name, --all for any number (cli/flags/chosen.py).
    count += bool(args.__dict__.get("newest"))
    if args.__dict__.get("every"):
        count = max(count, command.min_args)
    check_count(command, count, name=name or command.name)
    return args


def parse_options(
    options: tuple[Option, ...], words: list[str], *, interspersed: bool, command: str = ""
) -> Args:
    """Options and positional words, their number unchecked; `command` is whose they are, "" the program."""
    by_name: dict[str, Option] = {}
    args = Args()
    values = args.__dict__
    for option in options:
        values[option.dest] = option.initial()
        for option_name in option.names:
            by_name[option_name] = option
    index, end = 0, len(words)
    while index < end:
        word = words[index]
        index += 1
        if len(word) < 2 or word[0] != "-":
            args.positional.append(word)
            if not interspersed:
                break
        elif word == "--":
            break
        elif word[1] == "-":
            index = _long(by_name, word, words, index, args, command)
        else:
            index = _short(by_name, word, words, index, args, command)
    args.positional.extend(words[index:])
    return args


def _long(
    by_name: dict[str, Option], word: str, words: list[str], index: int, args: Args, command: str
) -> int:
    name, equals, value = word.partition("=")
    if len(name) == 2 or name[2] == "-":
        raise UsageError(f"bad flag syntax: {word}")
    option = by_name.get(name)
    if option is None:
        if name == "--help":
            raise HelpWanted
        _refuse(command, name)
        raise UsageError(f"unknown flag: {name}", hint=_likely(command, name, by_name))
    if equals:
        _set(option, value, args)
    elif option.kind in (FLAG, COUNT):
        _set(option, None, args)
    elif option.implied is not None:
        _set(option, option.implied, args)
    elif index < len(words):
        _set(option, words[index], args)
        index += 1
    else:
        raise UsageError(f"flag needs an argument: {name}")
    return index


def _short(
    by_name: dict[str, Option], word: str, words: list[str], index: int, args: Args, command: str
) -> int:
    letters = word[1:]
    while letters:
        letter, rest = letters[0], letters[1:]
        option = by_name.get("-" + letter)
        if option is None:
            if letter == "h":
                raise HelpWanted
            _refuse(command, "-" + letter)
            raise UsageError(f"unknown shorthand flag: '{letter}' in {word}", hint=_likely(command, "-" + letter, {}))
        if len(rest) > 1 and rest[0] == "=":
            _set(option, rest[1:], args)
            break
        if option.kind in (FLAG, COUNT):
            _set(option, None, args)
            letters = rest
            continue
        if option.implied is not None:
            _set(option, option.implied, args)
            letters = rest
            continue
        if rest:
            _set(option, rest, args)
        elif index < len(words):
            _set(option, words[index], args)
            index += 1
        else:
            raise UsageError(f"flag needs an argument: '{letter}' in {word}")
        break
    return index


def _set(option: Option, text: str | None, args: Args) -> None:
    """Record one occurrence; `text` None is a flag without a value."""
    values = args.__dict__
    value: Any = text
    if option.kind == FLAG:
        if text is None or text in _TRUE:
            value = True
        elif text in _FALSE:
            value = False
        else:
            raise _invalid(option, text, f'strconv.ParseBool: parsing "{text}": invalid syntax')
    elif option.kind == COUNT:
        try:
            value = values[option.dest] + 1 if text is None else int(text)
        except ValueError:
            raise _invalid(option, str(text), "not a number") from None
    elif option.convert is not None:
        try:
            value = option.convert(text or "")
        except InvalidInput as error:
            raise _invalid(option, text or "", error.message, hint=error.hint) from None
        except ValueError as error:
            raise _invalid(option, text or "", str(error)) from None
    if option.kind == LIST:
        values[option.dest].append(value)
    else:
        values[option.dest] = value
    args.given.add(option.dest)
    if option.deprecated:
        import sys

        print(f"Flag {option.names[-1]} has been deprecated, {option.deprecated}", file=sys.stderr)


def _invalid(option: Option, text: str, reason: str, *, hint: str | None = None) -> UsageError:
    return UsageError(f'invalid argument "{text}" for "{option.shown}" flag: {reason}', hint=hint)


def _refuse(command: str, name: str) -> None:
    """Raise NotSupported with the reason where Docker's command has the option `name`."""
    from rootless.cli.grammar import refused

    reason = refused.flag(command, name)
    if reason is not None:
        raise reason


def _likely(command: str, name: str, by_name: dict[str, Option]) -> str | None:
    """A hint for a mistyped long option, or for one of another program's, or None."""
    from rootless.cli.grammar.suggest import closest, of_apptainer

    if hint := of_apptainer(command, name):
        return hint
    names = closest(name, [known for known, option in by_name.items() if not option.hidden])
    return f"did you mean {' or '.join(names)}?" if names else None


def check_count(command: Command, count: int, *, name: str) -> None:
    """Raise UsageError in Docker's words where `count` arguments are not what `command` takes."""
    low, high = command.min_args, command.max_args
    if count >= low and (high is None or count <= high):
        return
    if high == 0:
        text = "accepts no arguments"
    elif low == high:
        text = f"requires {low} {_arguments(low)}"
    elif high is None:
        text = f"requires at least {low} {_arguments(low)}"
    elif count > high and low == 0:
        text = f"requires at most {high} {_arguments(high)}"
    else:
        text = f"requires at least {low} and at most {high} {_arguments(high)}"
    raise UsageError(f"'rootless {name}' {text}", exit_code=1)


def _arguments(count: int) -> str:
    return "argument" if count == 1 else "arguments"
