"""The container's command: found in its PATH, checked, executed. Runs inside the container. Hot path."""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import CommandNotExecutable, CommandNotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.runtime.process.passwd import find_user
from rootless.runtime.rootfs_path import open_in_root

if TYPE_CHECKING:
    from typing import Any, NoReturn

# What exec(3) searches where the environment has no PATH.
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST_INTERPRETERS = 5


def read_environment(process: dict[str, Any], *, home: str, uid: int) -> dict[str, str]:
    """process.env as a mapping; HOME from the user's entry where it is not given, or empty. In the container's root."""
    environment = {}
    for word in process.get("env") or []:
        name, _, value = word.partition("=")
        environment[name] = value
    if not environment.get("HOME"):
        environment["HOME"] = home or find_user(str(uid)).home
    return environment


def find_command(name: str, environment: dict[str, str]) -> str:
    """The path that `name` means with the container's own PATH, checked to be a file of the
    container that may be executed; raises CommandNotFound or CommandNotExecutable.

    Called with the uid, groups and working directory that the command will have.
    """
    if not name:
        raise CommandNotFound('exec: "": executable file not found in $PATH')
    if "/" in name:
        _check(name, name)
        return name
    denied: RootlessError | None = None
    for directory in environment.get("PATH", _DEFAULT_PATH).split(":"):
        path = os.path.join(directory or ".", name)
        try:
            _check(path, name)
        except CommandNotFound:
            continue
        except CommandNotExecutable as error:
            denied = denied or error
            continue
        return path
    raise denied or CommandNotFound(
        f'exec: "{name}": executable file not found in $PATH',
        hint="options come before the image's or the container's name" if name.startswith("-") else None,
    )


def _check(path: str, name: str, *, depth: int = 0) -> None:
    absolute = path if path.startswith("/") else os.path.join(os.getcwd(), path)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A magic link such as /proc/self/exe would execute this very Python, whose file a
        # container's root could then overwrite on the host (CVE-2019-5736): such a link is an
        # error here, and so is one named by the "#!" of a script.
        fd = open_in_root(root, absolute)
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        if stat.S_ISDIR(status.st_mode):
            raise CommandNotExecutable(f'exec: "{name}": is a directory')
        if not stat.S_ISREG(status.st_mode) or not os.access(absolute, os.X_OK, effective_ids=True):
            raise CommandNotExecutable(f'exec: "{name}": permission denied')
        interpreter = _interpreter(root, absolute)
    except OSError as error:
        if error.errno == errno.ELOOP and not _is_loop(absolute):
            raise CommandNotExecutable(
                f'exec: "{name}": refusing to execute through a link of /proc'
            ) from None
        raise _translated(error, name) from None
    finally:
        os.close(root)
    if interpreter and depth < _MOST_INTERPRETERS:
        try:
            _check(interpreter, name, depth=depth + 1)
        except CommandNotFound:
            raise CommandNotFound(f'exec: "{name}": its interpreter {interpreter} does not exist') from None


def _is_loop(path: str) -> bool:
    """Whether the kernel itself finds too many links on the way, and not only a kind of link that we refuse. Opens nothing."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _interpreter(root: int, path: str) -> str:
    """What follows "#!" in the first line, execve(2)."""
    try:
        # O_NONBLOCK: should a FIFO have taken the file's place.
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return ""  # executable and not readable: no script
    try:
        start = os.read(fd, 256)
    finally:
        os.close(fd)
    if not start.startswith(b"#!"):
        return ""
    words = start[2:].split(b"\n")[0].split()
    return os.fsdecode(words[0]) if words else ""


def execute(path: str | int, arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """execve(2) of a path or a descriptor, with the error as Docker words it."""
    try:
        os.execve(path, arguments, environment)
    except OSError as error:
        raise _translated(error, arguments[0] if arguments else str(path)) from None


def refused(number: int, name: str) -> RootlessError:
    """The error `number` (errno) of an execve(2) of `name`, as Docker words it."""
    return _translated(OSError(number, os.strerror(number)), name)


def _translated(error: OSError, name: str) -> RootlessError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return CommandNotFound(
            f'exec: "{name}": {"no such file or directory" if "/" in name else "executable file not found in $PATH"}'
        )
    reason = {errno.ENOEXEC: "exec format error", errno.EACCES: "permission denied"}.get(
        error.errno or 0, os.strerror(error.errno or 0).lower()
    )
    hint = None
    if error.errno == errno.ENOEXEC:
        hint = "a program of another architecture, or a script without a #! line"
    return CommandNotExecutable(f'exec: "{name}": {reason}', hint=hint)
