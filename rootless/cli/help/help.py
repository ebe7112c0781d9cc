"""Help and usage errors, laid out as Docker's. Imported only when one of them is shown."""

from __future__ import annotations

import shutil
import sys

import click

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
from rootless.cli.grammar.parser import UsageError
from rootless.cli.grammar.suggest import closest
from rootless.cli.help.click_commands import PROGRAM, ClickCommand, OurGroup, command_of
from rootless.cli.help.examples import examples
from rootless.words import plain


def show(path: str) -> None:
    """Print the help of the program (""), a noun or a command, for the terminal's width."""
    sys.stdout.write(text(path, width=shutil.get_terminal_size().columns))


def text(path: str, *, width: int = 80) -> str:
    """The help as text."""
    if not path or path in NOUNS:
        return _group(OurGroup(path), width)
    command = command_of(BY_PATH[path], path)
    if command is None:
        return f"Usage:  {PROGRAM} {path}\n\n{BY_PATH[path].summary}\n"
    assert isinstance(command, ClickCommand)
    return _command(command, path, width)


def _group(group: OurGroup, width: int) -> str:
    page = click.HelpFormatter(width=width, max_width=width, indent_increment=2)
    entries = group.entries()
    if group.path:
        options = options_of(group.path).OPTIONS if group.path in NOUN_OPTIONS else ()
        page.write(f"Usage:  {PROGRAM} {group.path} {'[OPTIONS] ' if options else ''}COMMAND\n\n{NOUNS[group.path]}\n")
        if options:
            _options(page, options, "Options")
        if group.nouns():
            _list(page, "Management Commands", sorted(group.nouns().items()))
        _list(page, "Commands", [(name, entries[name].summary) for name in _shown(entries)])
    else:
        page.write(
            f"Usage:  {PROGRAM} [OPTIONS] COMMAND\n\nContainers for ordinary users: no root, no daemon\n"
        )
        common = [(entry.name, entry.summary) for entry in BY_PATH.values() if entry.common]
        _list(page, "Common Commands", list(dict.fromkeys(common)))
        _list(page, "Management Commands", sorted(group.nouns().items()))
        other = [(name, entries[name].summary) for name in _shown(entries) if not entries[name].common]
        _list(page, "Commands", other)
        _options(page, GLOBAL_OPTIONS, "Global Options")
    name = f"{PROGRAM} {group.path}".strip()
    page.write(f"\nRun '{name} COMMAND --help' for more information on a command.\n")
    return page.getvalue()


def _shown(entries: dict[str, CommandEntry]) -> list[str]:
    """One name for each command, sorted; further names are aliases, which the command's own help lists."""
    seen: dict[str, str] = {}
    for name, entry in entries.items():
        seen.setdefault(entry.module, name)
    return sorted(seen.values())


def _list(page: click.HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
    page.write(f"\n{title}:\n")
    page.indent()
    page.write_dl(rows, col_max=max(len(name) for name, _ in rows), col_spacing=3)
    page.dedent()


def _command(shown: ClickCommand, path: str, width: int) -> str:
    command = shown.command
    page = click.HelpFormatter(width=width, max_width=width, indent_increment=2)
    page.write(f"Usage:  {usage(path, command)}\n\n")
    page.write_text(command.summary)
    if command.description:
        page.write("\n")
        page.write_text(command.description)
    if len(shown.entry.paths) > 1:
        page.write("\nAliases:\n  " + ", ".join(f"{PROGRAM} {alias}" for alias in shown.entry.paths) + "\n")
    _options(page, command.options, "Options")
    if shown_examples := examples(shown.entry.name, command):
        page.write("\nExamples:\n")
        for line, meaning in shown_examples:
            page.write(f"  {line}\n")
            if meaning:
                page.write(f"      {meaning}\n")
    return page.getvalue()


def _options(page: click.HelpFormatter, options: tuple[Option, ...], title: str) -> None:
    rows = [
        (_names(option), meaning(option)) for option in options if not option.hidden and not option.deprecated
    ]
    if not rows:
        return
    page.write(f"\n{title}:\n")
    page.indent()
    page.write_dl(
        sorted(rows, key=lambda row: row[0].lstrip(" -").split("--")[-1]), col_max=min(36, page.width // 3), col_spacing=3
    )
    page.dedent()


def _names(option: Option) -> str:
    short = [name for name in option.names if not name.startswith("--")]
    long = [name for name in option.names if name.startswith("--")]
    names = ", ".join([*short, *long])
    if not short:
        names = "    " + names
    word = option.metavar or {FLAG: "", COUNT: "", LIST: "list"}.get(option.kind, "string")
    return f"{names} {word}".rstrip()


def meaning(option: Option) -> str:
    """The option's help with its default."""
    default = option.default
    if default in (None, False, (), "") or "(default" in option.help:
        return option.help
    shown = f'"{default}"' if isinstance(default, str) else str(default).lower()
    return f"{option.help} (default {shown})"


def usage(path: str, command: Command) -> str:
    """`rootless run [OPTIONS] IMAGE [COMMAND] [ARG...]`."""
    return f"{PROGRAM} {path} {command.usage}".rstrip()


def usage_error(error: UsageError, path: str) -> str:
    """The error, how the command is meant, where to read more."""
    name = f"{PROGRAM} {path}".strip()
    lines = [f"{PROGRAM}: {plain(error.message)}"]
    if error.hint:
        lines.append(f"hint: {plain(error.hint)}")
    entry = BY_PATH.get(path)
    if entry is not None:
        command = load(entry)
        assert isinstance(command, Command)
        lines += ["", f"Usage:  {usage(path, command)}"]
    else:
        lines += ["", f"Usage:  {PROGRAM} [OPTIONS] COMMAND [ARG...]"]
    return "\n".join([*lines, "", f"See '{name} --help'."])


def unknown(path: str) -> str:
    """`path` names no command: what may have been meant."""
    noun, _, word = path.rpartition(" ")
    group = OurGroup(noun) if noun in NOUNS else OurGroup("")
    known = [*group.entries(), *group.nouns()]
    name = f"{PROGRAM} {noun}".strip()
    lines = [f"{PROGRAM}: unknown command: {PROGRAM} {plain(path)}"]
    names = closest(word, known)
    if names:
        lines += ["", "Did you mean this?", *(f"\t{candidate}" for candidate in names)]
    return "\n".join([*lines, "", f"Run '{name} --help' for more information"])
