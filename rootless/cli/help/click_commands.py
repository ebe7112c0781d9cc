"""The command table as click's objects, made on demand for help, completion and docs/cli.

click renders and completes; it never parses: `parse_args` is ours. Not for the hot path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from rootless.cli.command_table import (
    BY_PATH,
    GLOBAL_OPTIONS,
    NOUN_OPTIONS,
    NOUNS,
    CommandEntry,
    load,
    options_of,
)
from rootless.cli.grammar.command import COUNT, FLAG, LIST, Command, Option
from rootless.cli.grammar.parser import HelpWanted, UsageError, parse_options

PROGRAM = "rootless"


if TYPE_CHECKING:
    _Word = click.ParamType[str]
else:
    _Word = click.ParamType  # Debian 12's and 13's click has no generic one


class ClickWord(_Word):
    """What an option or argument names, for completion only."""

    name = "word"

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names from the store, the fixed words, or the shell's own file completion."""
        if self.subject in ("file", "directory"):
            return [CompletionItem(incomplete, type="dir" if self.subject == "directory" else "file")]
        from rootless.cli.help.completion_names import names

        if self.subject == "mount":  # a path or a volume: the shell's own completion goes on where no volume fits
            volumes = [] if incomplete.startswith((".", "/", "~")) else names("volume")
            return [CompletionItem(incomplete, type="file"), *_fitting(volumes, incomplete)]
        return _fitting(names(self.subject), incomplete)


def _fitting(names: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class ClickCommand(click.Command):
    """A Command of ours in click's clothes."""

    def __init__(self, entry: CommandEntry, command: Command, path: str) -> None:
        self.entry, self.command = entry, command
        parameters: list[click.Parameter] = [_option(option) for option in command.options]
        many = command.max_args is None or command.max_args > 1
        if command.max_args != 0:
            parameters.append(
                click.Argument(
                    ["arguments"], nargs=-1 if many else 1, required=False, type=ClickWord(command.complete)
                )
            )
        super().__init__(path, params=parameters, help=command.summary, add_help_option=False)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Ours; click only asks while it completes, so an unfinished line is no error."""
        words: list[str] = []
        try:
            words = parse_options(
                self.command.options, args, interspersed=self.command.interspersed
            ).positional
        except (UsageError, HelpWanted):
            pass
        ctx._opt_prefixes.update(("-", "--"))
        ctx.params["arguments"] = tuple(words) if words else None
        ctx.args = []
        return []


class OurGroup(click.Group):
    """A noun, or the program itself (path "")."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path or PROGRAM, help=NOUNS.get(path), add_help_option=False)
        if not path:
            self.params = [_option(option) for option in GLOBAL_OPTIONS]
        elif path in NOUN_OPTIONS:
            self.params = [_option(option) for option in options_of(path).OPTIONS]

    def entries(self) -> dict[str, CommandEntry]:
        """Names below this one and their entries; a noun's names without the noun."""
        if not self.path:
            return {path: entry for path, entry in BY_PATH.items() if " " not in path}
        prefix = self.path + " "
        below = {path.removeprefix(prefix): entry for path, entry in BY_PATH.items() if path.startswith(prefix)}
        return {name: entry for name, entry in below.items() if " " not in name}

    def nouns(self) -> dict[str, str]:
        """The nouns below this one, and what they are for."""
        prefix = self.path + " " if self.path else ""
        below = {path.removeprefix(prefix): text for path, text in NOUNS.items() if path.startswith(prefix)}
        return {name: text for name, text in below.items() if " " not in name}

    def list_commands(self, ctx: click.Context) -> list[str]:
        names: dict[str, str] = {}
        for name, entry in self.entries().items():  # one name for each command: its first here
            names.setdefault(entry.module, name)
        return sorted([*names.values(), *self.nouns()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.nouns():
            return OurGroup(f"{self.path} {cmd_name}".strip())
        entry = self.entries().get(cmd_name)
        return None if entry is None else command_of(entry, f"{self.path} {cmd_name}".strip())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table, where click would import every command."""
        if incomplete.startswith("-"):
            return [
                CompletionItem(name)
                for option in self.params
                if not getattr(option, "hidden", False)
                for name in option.opts
                if name.startswith(incomplete)
            ]
        shown = {name: entry.summary for name, entry in self.entries().items()}
        shown.update(self.nouns())
        listed = self.list_commands(ctx)
        return [CompletionItem(name, help=shown[name]) for name in listed if name.startswith(incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        try:
            words = parse_options(
                _options_of(self.path), args, interspersed=False
            ).positional
        except (UsageError, HelpWanted):
            pass
        ctx._opt_prefixes.update(("-", "--"))
        ctx._protected_args, ctx.args = words[:1], words[1:]
        return ctx.args


def _options_of(path: str) -> tuple[Option, ...]:
    if not path:
        return tuple(GLOBAL_OPTIONS)
    return tuple(options_of(path).OPTIONS) if path in NOUN_OPTIONS else ()


def command_of(entry: CommandEntry, path: str) -> click.Command | None:
    """click's view of a command; None where its module is not part of this installation."""
    try:
        return ClickCommand(entry, load(entry), path)
    except ModuleNotFoundError:
        return None


def _option(option: Option) -> click.Option:
    extra: dict[str, Any] = {}
    if option.kind == COUNT:
        extra["count"] = True
    elif option.kind == FLAG:
        extra["is_flag"] = True
    else:
        extra = {"type": ClickWord(option.complete), "multiple": option.kind == LIST, "metavar": option.metavar}
    return click.Option(
        [*option.names, option.dest.lower()],
        help=option.help,
        hidden=option.hidden or bool(option.deprecated),
        **extra,
    )
