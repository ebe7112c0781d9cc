"""Manual pages from the command tables: `python -m rootless.cli.help.man DIRECTORY`. setup.py makes those of the wheel.

One page a command, rootless-run(1), and rootless(1), rootless-oci(1). man(7)'s own macros, and nothing of a terminal's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rootless import __version__
from rootless.cli.command_table import COMMANDS, GLOBAL_OPTIONS, CommandEntry, load
from rootless.cli.grammar.command import COUNT, FLAG, LIST, Command, Option
from rootless.cli.help import help as page
from rootless.cli.help.examples import examples
from rootless.oci import arguments as oci

_ENVIRONMENT = (
    ("ROOTLESS_ROOT", "where images, containers and volumes are kept; --root goes before it"),
    ("ROOTLESS_STORAGE_DRIVER", "overlay, fuse-overlayfs or directory; the best that works here if it is not set"),
    ("ROOTLESS_BUILD_CACHE", "how much the build cache may hold, as 50g"),
    ("ROOTLESS_CGROUP_ROOT", "a subtree of control groups that an administrator has made for you"),
    ("XDG_RUNTIME_DIR", "where sockets are, if it is yours alone; else /tmp/rootless-UID"),
    ("DOCKER_CONFIG", "the directory of Docker's config.json"),
    ("http_proxy, https_proxy, no_proxy", "the proxy for registries and mirrors"),
)
_STATUS = "125 if rootless failed, 126 if the command cannot be executed, 127 if it is not there, else the command's own."


_AS_TYPED = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    found = {"rootless.1": _program()}
    found["rootless-oci.1"] = _oci()
    for entry in COMMANDS:
        found[_name(entry) + ".1"] = _command(entry, load(entry))
    return found


def _name(entry: CommandEntry) -> str:
    return "rootless-" + entry.name.replace(" ", "-")


def _heading(name: str, summary: str) -> list[str]:
    return [f'.TH "{name.upper()}" 1 "" "rootless {__version__}" "User Commands"', ".SH NAME", f"{_text(name)} \\- {_text(summary)}"]


def _program() -> str:
    lines = [*_heading("rootless", "containers for ordinary users: no root, no daemon"), ".SH SYNOPSIS", ".B rootless"]
    lines += ["[OPTIONS] COMMAND [ARG...]", ".SH DESCRIPTION"]
    lines += ["The words, options and exit statuses are docker's. Each command has a page of its own.", ".SH COMMANDS"]
    for entry in COMMANDS:
        lines += [".TP", f".BR {_text(_name(entry))} (1)", _text(entry.summary)]
    lines += [".SH OPTIONS", *_options(GLOBAL_OPTIONS), ".SH ENVIRONMENT"]
    for name, meaning in _ENVIRONMENT:
        lines += [".TP", f".B {_text(name)}", _text(meaning)]
    return "\n".join([*lines, ".SH EXIT STATUS", _text("Of run and exec: " + _STATUS), ".SH SEE ALSO", ".BR rootless\\-oci (1)"]) + "\n"


def _oci() -> str:
    lines = [*_heading("rootless-oci", "an OCI runtime for ordinary users, and for root"), ".SH SYNOPSIS", ".B rootless\\-oci"]
    lines += ["[OPTIONS] COMMAND [OPTIONS] [ARG...]", ".SH DESCRIPTION"]
    lines += ["Called by container engines, Slurm and Kubernetes in the place of runc or crun, whose words it takes.", ".SH COMMANDS"]
    for name, command in oci.COMMANDS.items():
        lines += [".TP", f"\\fB{_text(name)}\\fR [OPTIONS] {_text(command.words)}".rstrip(), _text(command.help)]
        short = {long: letter for letter, long in command.short.items()}
        for option, kind in command.options.items():
            names = ", ".join(f"\\fB{_text(word)}\\fR" for word in (short.get(option), option) if word)
            lines += [".br", names + ("" if kind == oci.FLAG else " \\fIvalue\\fR")]
    lines += [".SH OPTIONS", "Before or after the command."]
    for option, kind in oci.GLOBAL.items():
        lines += [".br", f"\\fB{_text(option)}\\fR" + ("" if kind == oci.FLAG else " \\fIvalue\\fR")]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR rootless (1)"]) + "\n"


def _command(entry: CommandEntry, command: Command) -> str:
    lines = [*_heading(_name(entry), entry.summary), ".SH SYNOPSIS", ".nf"]
    lines += [_text(line.strip()) for line in page.usage(entry.name, command).splitlines()]
    lines += [".fi", ".SH DESCRIPTION", _text(f"{entry.summary}.")]
    if command.description:
        lines += [".PP", *(_text(line) for line in command.description.splitlines() if line.strip())]
    if len(entry.paths) > 1:
        lines += [".PP", _text("Also: " + ", ".join(f"rootless {path}" for path in entry.paths[1:]) + ".")]
    if command.options:
        lines += [".SH OPTIONS", *_options(command.options)]
    lines.append(".SH EXAMPLES")
    for number, (line, meaning) in enumerate(examples(entry.name, command)):
        lines += [*([".PP"] if number else []), *([_text(f"{meaning[:1].upper()}{meaning[1:]}:")] if meaning else [])]
        lines += [".RS 4", ".nf", _text(line), ".fi", ".RE"]
    if entry.name in ("run", "exec"):
        lines += [".SH EXIT STATUS", _text(_STATUS)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR rootless (1)"]) + "\n"


def _options(options: tuple[Option, ...]) -> list[str]:
    lines = []
    for option in sorted(options, key=lambda option: option.names[-1].lstrip("-")):
        if option.hidden or option.deprecated:
            continue
        word = option.metavar or {FLAG: "", COUNT: "", LIST: "list"}.get(option.kind, "string")
        names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
        lines += [".TP", names + (f" \\fI{_text(word)}\\fR" if word else ""), _text(page.meaning(option))]
    return lines


def _text(text: str) -> str:
    """`text` as man(7) shows it unchanged: no escape, no request at the start, and hyphens that can be copied."""
    shown = text.translate(_AS_TYPED)
    return ("\\&" if shown.startswith((".", "'")) else "") + shown


def main(arguments: list[str]) -> int:
    """Write the pages into the directory named."""
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
