"""The global options of `compose`, which stand before its command. Kept for this command line's process."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Option, choice, integer
from rootless.cli.grammar.parser import UsageError, parse_options

PROGRESS = ("auto", "tty", "plain", "json", "quiet")

OPTIONS = (
    Option(("--all-resources",), "all_resources", FLAG, help="Include all resources, even those not used by services"),
    Option(("--ansi",), "ansi", VALUE, metavar="string", default="", convert=choice("auto", "never", "always"),
           complete="auto|never|always", help='Control when to print ANSI control characters ("never"|"always"|"auto") (default "auto")'),
    Option(("--compatibility",), "compatibility", FLAG, help="Run compose in backward compatibility mode: names with _"),
    Option(("--dry-run",), "dry_run", FLAG, help="Print the steps that would be taken, and take none; may stand behind the command, too"),
    Option(("--env-file",), "env_file", LIST, metavar="file", complete="file", help="Specify an alternate environment file"),
    Option(("-f", "--file"), "file", LIST, metavar="file", complete="file", help="Compose configuration files"),
    Option(("--no-ansi",), "no_ansi", FLAG, hidden=True),
    Option(("--parallel",), "parallel", VALUE, metavar="int", convert=integer,
           help="Control max parallelism, -1 for unlimited (default -1)"),
    Option(("--profile",), "profile", LIST, metavar="string", help="Specify a profile to enable"),
    Option(("--progress",), "progress", VALUE, metavar="string", default="", convert=choice(*PROGRESS), complete="|".join(PROGRESS),
           help="Set type of progress output (auto, tty, plain, json, quiet)"),
    Option(("--project-directory", "--workdir"), "project_directory", VALUE, metavar="directory", default="", complete="directory",
           help="Specify an alternate working directory (default: the path of the, first specified, Compose file)"),
    Option(("-p", "--project-name"), "project_name", VALUE, metavar="string", default="", help="Project name"),
    Option(("--verbose",), "verbose", FLAG, hidden=True),
)  # fmt: skip

_given = parse_options(OPTIONS, [], interspersed=False)


def take(words: list[str]) -> list[str]:
    """Take the global options off the words after `compose`; the rest begins with the command. UsageError."""
    global _given
    _given = parse_options(OPTIONS, words, interspersed=False)
    if _given.parallel is not None and (_given.parallel == 0 or _given.parallel < -1):
        raise UsageError(f'invalid argument "{_given.parallel}" for "--parallel" flag: a positive number, or -1')
    rest = list(_given.positional)
    if rest and rest[0] not in ("exec", "run") and "--dry-run" in rest:  # whose words may be a container's
        rest.remove("--dry-run")
        _given.__dict__["dry_run"] = True
    return rest


def given() -> Args:
    """The global options of this command line."""
    return _given
