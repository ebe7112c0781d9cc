"""The program `rootless`: global options, dispatch, and the one place where errors become lines.

Nothing is imported here that `run` does not need; help, suggestions and tracebacks are
imported when they are wanted. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless import inherited
from rootless.cli.command_table import (
    BY_PATH,
    GLOBAL_OPTIONS,
    HIDDEN,
    LOG_LEVELS,
    NOUN_OPTIONS,
    NOUNS,
    CommandEntry,
    load,
    options_of,
)
from rootless.cli.grammar.command import PLAIN, Args
from rootless.cli.grammar.parser import HelpWanted, UsageError, parse, parse_options
from rootless.cli.output.messages import complain, debugging, exit_status, make_output_safe, say, say_debug
from rootless.errors import RootlessError
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.cli.grammar.command import Command

def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv`, or the process's own, and return the exit status.

    For the process's own it does not return: what an interpreter does at its end takes longer than
    `rootless version` itself, and there is nothing for it to do once the output is flushed.
    """
    import gc

    gc.disable()  # a command's objects live as long as the command; long ones enable it themselves
    status = run(sys.argv[1:] if argv is None else argv)
    if argv is None:
        os._exit(status)
    return status


def run(words: list[str]) -> int:
    """`words` as a command line: every error rendered on stderr, output flushed, the exit status returned."""
    inherited.normalise()
    make_output_safe()
    try:
        status = _dispatch(words)
        sys.stdout.flush()
    except BrokenPipeError:
        status = _output_gone()
    except OSError as error:  # the flush: the disk behind our output is full, or its reader has gone
        status = _failed_flush(error)
    try:
        sys.stderr.flush()
    except OSError:
        pass
    return status


def _dispatch(words: list[str]) -> int:
    entry: CommandEntry | None = None
    command: Command | None = None
    path = ""
    try:
        if "_ROOTLESS_COMPLETE" in os.environ:
            from rootless.cli.help.completion import respond

            return respond(os.environ["_ROOTLESS_COMPLETE"])
        settings = parse_options(GLOBAL_OPTIONS, words, interspersed=False)
        _apply(settings)
        rest = settings.positional
        if settings.version:
            return _print_version()
        if not rest:
            return _help("")
        path, rest = rest[0], rest[1:]
        while path in NOUNS:
            if not rest or rest[0] in ("--help", "-h"):
                return _help(path)
            if path in NOUN_OPTIONS:
                rest = options_of(path).take(rest)
                if not rest:
                    return _help(path)
            path, rest = f"{path} {rest[0]}", rest[1:]
        if path == "help":
            return _help(" ".join(rest))
        entry = BY_PATH.get(path) or HIDDEN.get(path)
        if entry is None:
            return _unknown(path)
        command = load(entry)
        args = parse(command, rest, name=path)
        return _told(command, args, path) if debugging() else command.handler(args)
    except HelpWanted:
        return _help(path)
    except UsageError as error:
        return _usage(error, path)
    except RootlessError as error:
        return _report(error, command)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # behind the terminal's ^C
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        return _report_os(error, command)
    except Exception as error:  # noqa: BLE001 - the end of the ladder: never a traceback on a user's screen
        return _report_defect(error, words)


def _told(command: Command, args: Args, path: str) -> int:
    """The command between two lines that say what it works on and how it ended; what it does itself is said in between."""
    import time

    from rootless import __version__, paths

    began = time.monotonic()
    say_debug(f"rootless {__version__}, {path}: data in {paths.data_root()}, sockets in {paths.runtime_dir()}")
    status = command.handler(args)
    say_debug(f"{path}: status {status} after {time.monotonic() - began:.3f} s")
    return status


def _apply(settings: Args) -> None:
    """Global options travel in the environment, so that processes started for us see them too."""
    if settings.root is not None:
        if not settings.root:
            raise UsageError('invalid argument "" for "--root" flag: not a directory')
        os.environ["ROOTLESS_ROOT"] = os.path.abspath(settings.root)
    if settings.config:
        os.environ["DOCKER_CONFIG"] = os.path.abspath(settings.config)
    if settings.context not in (None, "", "default"):
        from rootless.cli.grammar import refused

        raise refused.value("--context", settings.context)
    if settings.log_level is not None and settings.log_level not in LOG_LEVELS:
        raise UsageError(f'unable to parse logging level: "{settings.log_level}"')
    if settings.debug or settings.log_level == "debug":
        os.environ["ROOTLESS_DEBUG"] = "1"


def _print_version() -> int:
    from rootless import __version__

    print(f"rootless version {__version__}")
    return 0


def _help(path: str) -> int:
    from rootless.cli.help.help import show

    if path and path not in BY_PATH and path not in NOUNS:
        return _unknown(path)
    show(path)
    return 0


def _unknown(path: str) -> int:
    from rootless.cli.grammar import refused

    reason = refused.command(path)
    if reason is not None:
        return _report(reason, None)
    from rootless.cli.help.help import unknown

    print(unknown(path), file=sys.stderr)
    return 1


def _usage(error: UsageError, path: str) -> int:
    from rootless.cli.help.help import usage_error

    print(usage_error(error, path), file=sys.stderr)
    return error.exit_code


def _report(error: RootlessError, command: Command | None) -> int:
    complain(error)
    return exit_status(error, command.status if command else PLAIN)


def _report_os(error: OSError, command: Command | None) -> int:
    from rootless.cli.output.errors import translate

    if error.filename is None:
        try:
            sys.stdout.flush()
        except OSError as refused:  # it was our output that could not be written
            return _failed_flush(refused)
    if debugging():
        import traceback

        traceback.print_exception(error)
    return _report(translate(error), command)


def _report_defect(error: Exception, words: list[str]) -> int:
    from rootless.cli.output.errors import defect

    if debugging():
        import traceback

        traceback.print_exception(error)
    say(*defect(error, words))
    return 125


def _output_gone() -> int:
    """The reader of our output has gone: what is buffered goes nowhere, and the status says SIGPIPE."""
    _discard(1)
    return 141


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, descriptor)
    os.close(null)


def _failed_flush(error: OSError) -> int:
    _discard(1)
    say(f"cannot write the output: {error.strerror}")
    return 1


if __name__ == "__main__":
    main()
