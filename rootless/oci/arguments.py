"""The command line: runc's and crun's words, global options before or after the subcommand. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAG, VALUE, REPEATED = "flag", "value", "repeated"

GLOBAL = {
    "--root": VALUE,
    "--log": VALUE,
    "--log-format": VALUE,
    "--log-level": VALUE,
    "--rootless": VALUE,
    "--cgroup-manager": VALUE,
    "--criu": VALUE,
    "--systemd-cgroup": FLAG,
    "--debug": FLAG,
    "--version": FLAG,
    "--help": FLAG,
}
_SHORT = {"-v": "--version", "-h": "--help", "--usage": "--help"}

_START = {
    "--bundle": VALUE,
    "--config": VALUE,
    "--console-socket": VALUE,
    "--pid-file": VALUE,
    "--preserve-fds": VALUE,
    "--no-pivot": FLAG,
    "--no-new-keyring": FLAG,
    "--no-subreaper": FLAG,
}
_BUNDLE = {"-b": "--bundle", "-f": "--config"}


class OciCommand(Record):
    """A subcommand: its options, their short forms, and its positional words (least, most; -1: any).
    `stops`: options end at the first positional word."""

    options: dict[str, str]
    short: dict[str, str]
    least: int
    most: int
    words: str
    help: str
    stops: bool = False


COMMANDS = {
    "create": OciCommand(_START, _BUNDLE, 1, 1, "ID", "create a container; its process waits for `start`"),
    "start": OciCommand({}, {}, 1, 1, "ID", "start a created container"),
    "state": OciCommand({}, {}, 1, 1, "ID", "print a container's state"),
    "kill": OciCommand(
        {"--all": FLAG, "--signal": VALUE, "--regex": FLAG},
        {"-a": "--all", "-s": "--signal"},
        1,
        2,
        "ID [SIGNAL]",
        "send a signal (default SIGTERM) to a container's init, or to all of its processes",
    ),
    "delete": OciCommand(
        {"--force": FLAG, "--regex": FLAG}, {"-f": "--force"}, 1, 1, "ID", "delete a stopped container"
    ),
    "run": OciCommand(
        {**_START, "--detach": FLAG, "--keep": FLAG},
        {**_BUNDLE, "-d": "--detach"},
        1,
        1,
        "ID",
        "create and start a container, and wait for it",
    ),
    "exec": OciCommand(
        {
            "--process": VALUE,
            "--console-socket": VALUE,
            "--cwd": VALUE,
            "--env": REPEATED,
            "--tty": FLAG,
            "--user": VALUE,
            "--additional-gids": REPEATED,
            "--detach": FLAG,
            "--pid-file": VALUE,
            "--process-label": VALUE,
            "--apparmor": VALUE,
            "--no-new-privs": FLAG,
            "--cap": REPEATED,
            "--preserve-fds": VALUE,
            "--ignore-paused": FLAG,
            "--no-subreaper": FLAG,
            "--cgroup": VALUE,
        },
        {
            "-p": "--process",
            "-e": "--env",
            "-t": "--tty",
            "-u": "--user",
            "-g": "--additional-gids",
            "-d": "--detach",
            "-c": "--cap",
        },
        1,
        -1,
        "ID [COMMAND [ARG...]]",
        "run a process in a container",
        True,
    ),
    "list": OciCommand(
        {"--format": VALUE, "--quiet": FLAG}, {"-f": "--format", "-q": "--quiet"}, 0, 0, "", "list containers"
    ),
    "ps": OciCommand(
        {"--format": VALUE},
        {"-f": "--format"},
        1,
        -1,
        "ID [PS OPTION...]",
        "list a container's processes",
        True,
    ),
    "pause": OciCommand({}, {}, 1, 1, "ID", "halt all processes of a container"),
    "resume": OciCommand({}, {}, 1, 1, "ID", "let a paused container go on"),
    "update": OciCommand(
        {
            "--resources": VALUE,
            "--blkio-weight": VALUE,
            "--cpu-period": VALUE,
            "--cpu-quota": VALUE,
            "--cpu-burst": VALUE,
            "--cpu-share": VALUE,
            "--cpu-rt-period": VALUE,
            "--cpu-rt-runtime": VALUE,
            "--cpu-idle": VALUE,
            "--cpuset-cpus": VALUE,
            "--cpuset-mems": VALUE,
            "--memory": VALUE,
            "--memory-reservation": VALUE,
            "--memory-swap": VALUE,
            "--pids-limit": VALUE,
        },
        {"-r": "--resources"},
        1,
        1,
        "ID",
        "change a container's limits",
    ),
    "events": OciCommand(
        {"--stats": FLAG, "--interval": VALUE}, {}, 1, 1, "ID", "print a container's statistics and OOM kills"
    ),
    "features": OciCommand({}, {}, 0, 0, "", "print what this runtime can do"),
    "spec": OciCommand(
        {"--bundle": VALUE, "--config": VALUE, "--file": VALUE, "--rootless": FLAG},
        {"-b": "--bundle", "-f": "--config"},
        0,
        0,
        "",
        "write a config.json to begin with",
    ),
}


class Arguments:
    """A parsed command line."""

    def __init__(self) -> None:
        self.command = ""
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.words: list[str] = []

    def flag(self, name: str) -> bool:
        return name in self.flags

    def value(self, name: str) -> str | None:
        return self.values.get(name)

    def number(self, name: str, default: int = 0) -> int:
        """A number of 0 or more."""
        text = self.values.get(name)
        if text is None:
            return default
        if not text.isdecimal():
            raise InvalidInput(f"{name}: {text!r} is not a number")
        return int(text)


def parse(words: list[str]) -> Arguments:
    """The command line without the program's name; InvalidInput for what it cannot mean."""
    found = Arguments()
    rest = iter(words)
    command: OciCommand | None = None
    only_words = False
    for word in rest:
        if only_words or not word.startswith("-") or word == "-":
            if command is None:
                if word in ("checkpoint", "restore"):
                    raise NotSupported(f"{word}: this runtime makes no checkpoints", hint="`rootless-oci pause` keeps processes in memory")
                if word not in COMMANDS:
                    raise InvalidInput(f"unknown command {word!r}", hint="`rootless-oci --help` lists them")
                found.command = word
                command = COMMANDS[word]
                continue
            found.words.append(word)
            only_words = only_words or command.stops
        elif word == "--":
            only_words = True
        else:
            _option(word, command, found, rest)
    if command is not None and not found.flag("--help"):
        count = len(found.words)
        if count < command.least or (command.most >= 0 and count > command.most):
            raise InvalidInput(f"usage: rootless-oci {found.command} [OPTIONS] {command.words}".rstrip())
    return found


def _option(word: str, command: OciCommand | None, found: Arguments, rest: Iterator[str]) -> None:
    name, equals, value = word.partition("=")
    if command is not None and name in command.short:
        name = command.short[name]
    elif name in _SHORT:
        name = _SHORT[name]
    elif not name.startswith("--"):
        if command is not None and name[:2] in command.short and len(name) > 2:
            name, equals, value = command.short[name[:2]], "=", word[2:]
        elif len(name) > 2:
            name = "-" + name  # Go's flags take one dash
    kind = (command.options.get(name) if command is not None else None) or GLOBAL.get(name)
    if name == "--rootless" and kind == VALUE and not equals:
        equals, value = "=", next(rest, "")
    if kind is None:
        where = f" for {found.command}" if command is not None else ""
        raise InvalidInput(f"unknown option {word.partition('=')[0]}{where}")
    if kind == FLAG:
        if not equals or value.lower() in ("true", "1"):
            found.flags.add(name)
        elif value.lower() not in ("false", "0"):
            raise InvalidInput(f"{name} takes no value")
        return
    if not equals:
        try:
            value = next(rest)
        except StopIteration:
            raise InvalidInput(f"option {name} needs a value") from None
    if kind == REPEATED:
        found.lists.setdefault(name, []).append(value)
    else:
        found.values[name] = value


def usage() -> str:
    """The text of --help."""
    lines = [
        "Usage: rootless-oci [OPTIONS] COMMAND [OPTIONS] [ARG...]",
        "",
        "An OCI runtime (specification 1.0 to 1.3) for ordinary users, in user namespaces, and for root.",
        "",
        "Commands:",
    ]
    lines += [f"  {name:<9} {command.help}" for name, command in COMMANDS.items()]
    lines += ["", "Options, before or after the command:"]
    lines += [f"  {name}{'' if kind == FLAG else ' VALUE'}" for name, kind in GLOBAL.items()]
    return "\n".join(lines)


def command_usage(name: str) -> str:
    """The text of COMMAND --help."""
    command = COMMANDS[name]
    short = {long: letter for letter, long in command.short.items()}
    lines = [f"Usage: rootless-oci {name} [OPTIONS] {command.words}".rstrip(), "", command.help, ""]
    for option, kind in command.options.items():
        letter = f"{short[option]}, " if option in short else "    "
        lines.append(f"  {letter}{option}{'' if kind == FLAG else ' VALUE'}")
    return "\n".join(lines).rstrip()
