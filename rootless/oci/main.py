"""The program `rootless-oci`: parse, dispatch, and the one place where errors become lines.

Callers read what runc writes: errors as a line on stderr and, with --log, as a line of the
log file (--log-format=json: {"level","msg","time"}), which Podman and containerd show. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless import inherited
from rootless.errors import CommandNotExecutable, CommandNotFound, InvalidInput, NotSupported, RootlessError
from rootless.oci.arguments import parse
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootless.oci.arguments import Arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command line; for the process's own it does not return."""
    import gc

    gc.disable()
    status = run(sys.argv[1:] if argv is None else argv)
    if argv is None:
        os._exit(status)
    return status


def run(words: list[str]) -> int:
    """Run the command line `words`; every error is reported. Returns the exit status."""
    args: Arguments | None = None
    inherited.normalise()
    os.umask(inherited.umask)  # as with runc, --pid-file, state and hooks have the caller's
    try:
        args = parse(words)
        _check_globals(args)
        if os.getuid() == 0:
            from rootless.oci import other_users

            other_users.become_owner(args)  # before anything is opened, the log too
        LOG.open(args)
        LOG.debug("called with: " + " ".join(words))
        status = _dispatch(args)
        sys.stdout.flush()
        return status
    except RootlessError as error:
        if args is None:
            _log_unread(words)
        _report(error, args)
        return _status(error, args)
    except BrokenPipeError:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        place = f": {error.filename}" if isinstance(error.filename, str) else ""
        _report(RootlessError(f"{(error.strerror or str(error)).lower()}{place}"), args)
        return 1
    except Exception as error:  # the end of the ladder: never a traceback on a user's screen
        if _debugging(args):
            raise
        text = " ".join(str(error).split())
        hint = "this is a defect of rootless, please report it with the output of --debug"
        _report(RootlessError(f"internal error: {type(error).__name__}: {text}", hint=hint), args)
        return 1


def _check_globals(args: Arguments) -> None:
    """Checks options accepted for runc's callers, and refuses what is not supported."""
    for name, words in (
        ("--rootless", ("auto", "true", "false")),
        ("--log-format", ("text", "json")),
        ("--log-level", ("error", "warning", "info", "debug")),
    ):
        if args.value(name) not in (None, *words):
            raise InvalidInput(f"{name}: {args.value(name)!r} is not one of {', '.join(words)}")
    if args.value("--criu") is not None:
        raise NotSupported("--criu: this runtime makes no checkpoints")


def _dispatch(args: Arguments) -> int:
    if args.flag("--version"):
        from rootless import __version__
        from rootless.oci.config.bundle import VERSION_MAX

        print(f"rootless-oci version {__version__}\nspec: {VERSION_MAX}")
        return 0
    if not args.command or args.flag("--help"):
        from rootless.oci.arguments import command_usage, usage

        print(command_usage(args.command) if args.command else usage())
        return 0 if args.flag("--help") else 1
    return _load(args.command)(args)


def _load(name: str) -> Callable[[Arguments], int]:
    """The function of a command; only its own module is imported."""
    module = __import__(f"rootless.oci.commands.{name}", fromlist=("command",))
    found: Callable[[Arguments], int] = module.command
    return found


def _status(error: RootlessError, args: Arguments | None) -> int:
    if args is not None and args.command in ("run", "exec"):
        if isinstance(error, (CommandNotFound, CommandNotExecutable)):
            return error.exit_code
        if args.command == "exec":
            return 255  # not to be taken for the command's own, as runc
    return 1


def _log_unread(words: list[str]) -> None:
    """Open the --log of a command line that could not be parsed: its caller reads the reason there."""
    if "--log" in words[:-1]:
        LOG.path = words[words.index("--log") + 1].removeprefix("file:")
        LOG.json = "--log-format=json" in words or "json" in words


def _debugging(args: Arguments | None) -> bool:
    return args is not None and (args.flag("--debug") or args.value("--log-level") == "debug")


def _report(error: RootlessError, args: Arguments | None) -> None:
    from rootless.words import plain

    if isinstance(error, CommandNotExecutable) and "permission denied" not in error.message:
        error.message += ": permission denied"  # the words by which Podman's `exec` knows that its status is 126
    if _debugging(args):
        import traceback

        traceback.print_exception(error)
    text = f"rootless-oci: {plain(error.message)}\n"
    if error.hint:
        text += "hint: " + "\n      ".join(plain(line) for line in error.hint.split("\n")) + "\n"
    try:
        sys.stdout.flush()
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass
    LOG.error(error)


if __name__ == "__main__":
    main()
