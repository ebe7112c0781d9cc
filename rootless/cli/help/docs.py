"""docs/cli from the command tables: `python -m rootless.cli.help.docs docs/cli [--check]`.

One page a command, one index. With --check nothing is written and a difference is status 1: a
test runs that, so that the pages cannot fall behind.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rootless.cli.command_table import (
    COMMANDS,
    GLOBAL_OPTIONS,
    NOUN_OPTIONS,
    NOUNS,
    CommandEntry,
    load,
    options_of,
)
from rootless.cli.grammar.command import COUNT, FLAG, LIST, Command, Option
from rootless.cli.help import help as page
from rootless.cli.help.examples import examples


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    found = {"README.md": _index()}
    for entry in COMMANDS:
        found[_file(entry)] = _page(entry, load(entry))
    return found


def _file(entry: CommandEntry) -> str:
    return entry.name.replace(" ", "-") + ".md"


def _index() -> str:
    lines = [
        "# The commands",
        "",
        "Written from the command tables by `python -m rootless.cli.help.docs docs/cli`.",
        "",
    ]
    for title, shown in (("Common commands", True), ("Commands", False)):
        lines += [f"## {title}", "", "| Command | |", "| --- | --- |"]
        lines += [
            f"| [{entry.name}]({_file(entry)}) | {entry.summary} |"
            for entry in COMMANDS
            if entry.common is shown
        ]
        lines.append("")
    lines += [
        "## Nouns",
        "",
        "Every command stands below its noun, too: `rootless image ls` is `rootless images`.",
        "",
    ]
    lines += [f"- `rootless {noun}`: {summary.lower()}" for noun, summary in NOUNS.items()]
    lines += ["", "## Global options", "", *_options(GLOBAL_OPTIONS)]
    for noun in NOUN_OPTIONS:
        lines += [f"## Options of `rootless {noun}`, before its command", "", *_options(options_of(noun).OPTIONS)]
    return "\n".join(lines) + "\n"


def _page(entry: CommandEntry, command: Command) -> str:
    lines = [
        f"# rootless {entry.name}",
        "",
        f"{entry.summary}.",
        "",
        *(f"    {line.strip()}" for line in page.usage(entry.name, command).splitlines()),
        "",
    ]
    if command.description:
        lines += [command.description, ""]
    if len(entry.paths) > 1:
        lines += ["Also: " + ", ".join(f"`rootless {path}`" for path in entry.paths[1:]), ""]
    if command.options:
        lines += ["## Options", "", *_options(command.options)]
    if shown := examples(entry.name, command):
        lines += ["## Examples", ""]
        for line, meaning in shown:
            lines += [*([f"{meaning[:1].upper()}{meaning[1:]}:", ""] if meaning else []), f"    {line}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _options(options: tuple[Option, ...]) -> list[str]:
    rows = ["| Option | Meaning |", "| --- | --- |"]
    for option in sorted(options, key=lambda option: option.names[-1].lstrip("-")):
        if option.hidden or option.deprecated:
            continue
        word = option.metavar or {FLAG: "", COUNT: "", LIST: "list"}.get(option.kind, "string")
        names = ", ".join(f"`{name}`" for name in option.names) + (f" *{word}*" if word else "")
        rows.append(f"| {names} | {page.meaning(option).replace('|', chr(92) + '|')} |")
    return [*rows, ""]


def main(arguments: list[str]) -> int:
    """Write the pages into the directory named, or compare them with what is there."""
    check = "--check" in arguments
    directory = Path(next(word for word in arguments if not word.startswith("-")))
    wanted = pages()
    present = (
        {path.name: path.read_text("utf-8") for path in directory.glob("*.md")} if directory.is_dir() else {}
    )
    if present == wanted:
        return 0
    if check:
        stale = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
        print("docs/cli is not what the commands say: " + ", ".join(stale), file=sys.stderr)
        return 1
    directory.mkdir(parents=True, exist_ok=True)
    for name in present.keys() - wanted.keys():
        (directory / name).unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
