"""What real root does to an ordinary user's container: as that user.

A batch system (Slurm's --container) runs `run` as the user, and afterwards `state`, `kill` and `delete` as root. A state directory of a
user's is that user's word about processes, files and hooks: root must not act on it, and need not. A user's word is also whatever lies
in a directory of his: he can put another one in its place between any two looks.
"""

from __future__ import annotations

import os
import stat

from rootless.errors import NotSupported
from rootless.oci import state
from rootless.oci.arguments import Arguments
from rootless.paths import INITIAL_USER_NAMESPACE, user_namespace

_AS_OWNER = ("state", "kill", "delete", "list", "ps", "pause", "resume", "events")
_MAKING = ("create", "run")
_WITHOUT_STATE = ("", "spec", "features")
_KEPT = ("PATH", "LANG", "LC_ALL", "ROOTLESS_DEBUG")
_MOST_LINKS = 40
_UNMAPPED = 65534
_NOWHERE = "/proc/none"  # in which nobody can make anything


def become_owner(args: Arguments) -> None:
    """Where we are root, and --root is another user's to say: become that user, for good. Else it is root's alone afterwards, now and
    for as long as root leaves it so. NotSupported for what is neither, and for a link of another user's."""
    if os.getuid() != 0 or args.command in _WITHOUT_STATE or args.flag("--help"):
        return
    given = args.value("--root")
    root = os.path.abspath(given or state.default_root())
    exact, stranger = _walk(root, make=args.command in _MAKING)
    if stranger is None:
        args.values["--root"] = exact
        return
    if not given or args.command not in _AS_OWNER:
        raise state.belongs_to_others(root)
    _become(stranger)


def _walk(path: str, *, make: bool) -> tuple[str, os.stat_result | None]:
    """The directory `path` without links, made with `make` where it is missing, else one that is nowhere; and the first on the way
    to it that is not root's."""
    found, left, links = "/", path.split("/"), 0
    around = os.lstat("/")
    while left:
        name = left.pop(0)
        if not name:
            continue
        below = os.path.join(found, name)
        try:
            about = os.lstat(below)
        except FileNotFoundError:
            if not make:
                return _NOWHERE, None
            try:
                os.mkdir(below, 0o700)
            except FileExistsError:
                pass  # somebody was faster, and is looked at
            except OSError as error:
                raise state.cannot_make(path, error) from None
            about = os.lstat(below)
        is_link = stat.S_ISLNK(about.st_mode)
        if not _is_roots(about, around):
            if is_link:  # it may be another one in an instant
                raise NotSupported(f"{below} is a link of another user's", hint="--root names a directory")
            return path, about
        if is_link:
            links += 1
            if links > _MOST_LINKS:
                raise NotSupported(f"{path}: too many levels of symbolic links", hint="--root names a directory")
            target = os.readlink(below)
            whole = os.path.normpath(target if target.startswith("/") else f"{found}/{target}")
            found, left, around = "/", [*whole.split("/"), *left], os.lstat("/")
            continue
        if about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX:
            raise NotSupported(f"others may write to {below}, on the way to the state directory", hint="--root names another one")
        found, around = below, about
    return found, None


def _is_roots(about: os.stat_result, around: os.stat_result) -> bool:
    """In a user namespace the machine's root has no number, nor has any other user there: what is nobody's is root's, but in directories
    like /tmp."""
    if about.st_uid == _UNMAPPED and user_namespace() != INITIAL_USER_NAMESPACE:
        return not around.st_mode & 0o022
    return about.st_uid == 0


def _become(about: os.stat_result) -> None:
    import pwd

    try:
        account = pwd.getpwuid(about.st_uid)
        os.initgroups(account.pw_name, account.pw_gid)
        gid = account.pw_gid
    except KeyError:
        # An account that this node does not know; as Slurm itself, which then goes by the numbers.
        gid = about.st_gid
        os.setgroups([gid])
    _leave_terminal()
    os.setresgid(gid, gid, gid)
    os.setresuid(about.st_uid, about.st_uid, about.st_uid)
    for name in [*os.environ]:
        if name not in _KEPT:
            del os.environ[name]


def _leave_terminal() -> None:
    """Hooks of the user's would read what root types by /dev/tty, and type for him (TIOCSTI)."""
    import fcntl
    import termios

    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return  # there is none
    # The first process of a session cannot leave it alone: it would take it from all others.
    if os.getpid() == os.getsid(0):
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    fcntl.ioctl(terminal, termios.TIOCNOTTY)
    os.close(terminal)
