"""Where things live: the data root, the runtime directory, our helper programs.

Knows environment variables and nothing of what is stored. Hot path.
"""

from __future__ import annotations

import os
import stat
import sys

from rootless.errors import NotSupported


def data_root() -> str:
    """Absolute path of ROOT (see docs/development/architecture.md, Files); not created here."""
    explicit = os.environ.get("ROOTLESS_ROOT")
    if explicit:
        return os.path.abspath(explicit)
    return os.path.join(_xdg("XDG_DATA_HOME") or os.path.join(home(), ".local/share"), "rootless")


def config_home() -> str:
    """$XDG_CONFIG_HOME, or ~/.config."""
    return _xdg("XDG_CONFIG_HOME") or os.path.join(home(), ".config")


def session_directory() -> str:
    """$XDG_RUNTIME_DIR, which may be missing; "" where it is not set, is another account's (`su` and `sudo` leave that), or anybody may
    write to it: credentials and state are looked for there."""
    path = _xdg("XDG_RUNTIME_DIR")
    try:
        status = os.stat(path) if path else None
    except OSError:
        return path
    return path if status is not None and status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH else ""


def _xdg(name: str) -> str:
    """A directory as the XDG Base Directory Specification has it: a relative path there is no path."""
    path = os.environ.get(name, "")
    return path if path.startswith("/") else ""


def home() -> str:
    """The user's home directory: $HOME, or the password database's where HOME is unset."""
    named = os.environ.get("HOME")
    if named and named.startswith("/"):
        return named
    import pwd

    return pwd.getpwuid(host_uid()).pw_dir


# Set by session.join() to "UID:INODE:HOME" for the programs started from there: the user, the session's
# user namespace and the one it was joined from.
SESSION_VARIABLE = "ROOTLESS_SESSION"
# The machine's own user namespace, PROC_USER_INIT_INO in include/linux/proc_ns.h.
INITIAL_USER_NAMESPACE = 0xEFFFFFFD

_host_uid: int | None = None


def host_uid() -> int:
    """The caller's uid as the host knows it, also inside the session, where os.getuid() is 0.

    Exact in the process that joined only if it was asked once before: session.join() does.
    """
    global _host_uid
    if _host_uid is None:
        owner = _session_owner()
        _host_uid = os.getuid() if owner is None else owner
    return _host_uid


def in_session() -> bool:
    """Whether a process above us joined the session and we live in it."""
    return _session_owner() is not None


def _session_owner() -> int | None:
    """The uid in $ROOTLESS_SESSION, if that speaks of the user namespace we are in."""
    uid, inode, _ = (os.environ.get(SESSION_VARIABLE, "") + "::").split(":")[:3]
    if not uid.isdecimal() or not inode.isdecimal():
        return None
    # A container, or a shell that only inherited the variable, has another namespace.
    return int(uid) if user_namespace() == int(inode) else None


def user_namespace() -> int:
    """The inode of the user namespace we are in; 0 where there is no /proc."""
    try:
        return os.stat("/proc/self/ns/user").st_ino
    except OSError:
        return 0


def home_namespace() -> int:
    """The user namespace that the session is below: the one we are in, or joined from."""
    if in_session():
        home = os.environ[SESSION_VARIABLE].rpartition(":")[2]
        return int(home) if home.isdecimal() else 0
    return user_namespace()


def is_of_machine() -> bool:
    """Whether that is the machine's own user namespace, in which every id has its number."""
    return home_namespace() in (0, INITIAL_USER_NAMESPACE)


# What batch systems call a job in its processes' environment. Grid Engine's word is everybody's, but for its SGE_ROOT.
_JOBS = (
    ("slurm", "SLURM_JOB_ID"), ("pbs", "PBS_JOBID"), ("lsf", "LSB_JOBID"), ("flux", "FLUX_JOB_ID"), ("sge", "JOB_ID"),
)  # fmt: skip
JOB = "-job-"
"""What stands before a job's name in that of its RUNTIME."""


def job(environment: dict[str, str] | None = None) -> str:
    """The batch job that we are in, or a process with that environment, as slurm-1234; "" outside of one.

    A cluster ends a job with all its processes: a session of one job must not be another's, or a login's.
    """
    words = os.environ if environment is None else environment
    for system, variable in _JOBS:
        word = words.get(variable, "")
        if word and (system != "sge" or "SGE_ROOT" in words):
            return f"{system}-" + "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in word[:40])
    return ""


_runtime_dir: str | None = None


def runtime_dir() -> str:
    """Absolute path of RUNTIME, existing, ours and private (0700).

    $XDG_RUNTIME_DIR is verified, never trusted: `su`, `sudo` and batch systems leave it
    missing or pointing at somebody else's. In a user namespace that shares such a directory with
    its host (a toolbox, `unshare -U`) it has a name of its own: the host's session is not ours to join. So has each batch job.
    """
    global _runtime_dir
    if _runtime_dir is None:
        _runtime_dir = _find_runtime_dir()
    return _runtime_dir


def forget_runtime_dir() -> None:
    """Have it looked for anew: the environment has another one."""
    global _runtime_dir
    _runtime_dir = None


def _find_runtime_dir() -> str:
    candidates = []
    name = _name()
    of_job = JOB + work if (work := job()) else ""
    session_dir = session_directory()
    if session_dir and _is_private(session_dir):
        candidates.append(os.path.join(session_dir, name) + of_job)
    fallback = _fallback(name)
    candidates.append(f"{fallback}/{name}-{host_uid()}{of_job}" if of_job else fallback)
    candidates.append(os.path.join(data_root(), "run" + name.removeprefix("rootless")) + of_job)
    for candidate in candidates:
        try:
            if candidate.startswith(data_root()):
                os.makedirs(data_root(), mode=0o700, exist_ok=True)
            if candidate.startswith(fallback + "/") and not make_private(fallback):
                continue
            os.mkdir(candidate, 0o700)
        except FileExistsError:
            pass
        except OSError:
            continue
        if _is_private(candidate):
            return candidate
    raise NotSupported(
        "no private directory for sockets and locks",
        hint="set XDG_RUNTIME_DIR to a directory of yours with mode 0700; tried " + ", ".join(candidates),
    )


def _name() -> str:
    return "rootless" if is_of_machine() else f"rootless-in-{home_namespace()}"


def _fallback(name: str) -> str:
    """Of all jobs as well: a container that has /tmp mounted is to be kept from what another job will take for its RUNTIME."""
    return f"/tmp/{name}-{host_uid()}"


def fallback_directory() -> str:
    """RUNTIME, or what that of a batch job is in, where $XDG_RUNTIME_DIR is none; it may not be there."""
    return _fallback(_name())


def make_private(path: str) -> bool:
    """Make the directory where it is missing; whether it is ours and private. In /tmp somebody else may have made it."""
    try:
        os.mkdir(path, 0o700)
    except OSError:
        pass  # it is there, or cannot be
    return _is_private(path)


def _is_private(path: str) -> bool:
    """Whether `path` is a real directory, ours, that nobody else can enter."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    # os.getuid(), not host_uid(): inside the session what is ours shows as root's, as we do.
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


# Where distributions hide programs that no user's PATH has.
_PROGRAM_PLACES = ("/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/usr/libexec/podman", "/usr/lib/podman")


def helpers_directory() -> str:
    """Where `rootless helpers install` puts programs: the user's and this machine's, whichever store is used."""
    base = _xdg("XDG_DATA_HOME") or os.path.join(home(), ".local/share")
    return os.path.join(base, "rootless-helpers", os.uname().machine)


def find_program(name: str) -> str | None:
    """Absolute path of a program that we start: on $PATH or in the system's places; else one of `rootless helpers install`.
    None without one. The administrator's goes first: he keeps it up to date."""
    for directory in (*os.environ.get("PATH", "").split(":"), *_PROGRAM_PLACES):
        path = f"{directory}/{name}"
        if directory.startswith("/") and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    path = f"{helpers_directory()}/{name}/bin/{name}"
    return path if os.access(path, os.X_OK) else None


def own_program() -> tuple[str, ...]:
    """The command line that runs `rootless` again, the same one, whatever is in the environment then."""
    return (sys.executable, "-EPS", f"{os.path.dirname(os.path.abspath(__file__))}/cli/__main__.py")


def launcher() -> str | None:
    """Absolute path of the command `rootless` (helpers/launcher.c) that starts this very package in this interpreter. None in a
    development tree, and where an installer put the package or wrote the interpreter in another way."""
    site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    libraries = os.path.dirname(os.path.dirname(site))
    if os.path.basename(site) not in ("site-packages", "dist-packages") or os.path.basename(libraries) not in ("lib", "lib64"):
        return None
    commands = f"{os.path.dirname(libraries)}/bin"
    try:
        with open(commands + "/rootless-python", "rb") as file:
            first = file.readline(4096)
        python = first[2:].strip(b" \t\n")  # after a blank: Debian's dh_python3
        same = first.startswith(b"#!") and python.startswith(b"/") and os.path.samefile(python, sys.executable)
    except (OSError, ValueError):
        return None
    return commands + "/rootless" if same and os.access(commands + "/rootless", os.X_OK) else None


def installed_program() -> tuple[str, ...]:
    """As own_program(), for what starts us without any command of ours before it (units, crontabs): by the launcher where there is
    one, since a profile of AppArmor's names that and not the interpreter."""
    command = launcher()
    return own_program() if command is None else (command,)


def lasting_program() -> tuple[str, ...]:
    """As installed_program(), for what names us in a file. NotSupported where `uvx` or `pipx run` has put us into a cache, which may be
    emptied at any time."""
    place = os.path.dirname(os.path.abspath(__file__))
    caches = [os.environ.get(name, "") for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR")]
    if {".cache", "archive-v0"} & set(place.split("/")) or any(cache and place.startswith(cache.rstrip("/") + "/") for cache in caches):
        raise NotSupported(
            f"this rootless is in a cache ({place}), and would be gone when that is emptied",
            hint="install it to stay: uv tool install rootless, or pipx install rootless (or the wheel's path), and use that one",
        )
    return installed_program()


def helper(name: str) -> str:
    """Absolute path of one of our C programs: "init", "monitor" or "holder"."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_helpers", f"rootless-{name}")
    if not os.access(path, os.X_OK):
        raise NotSupported(
            f"the helper program {path} is missing",
            hint="reinstall with `pip install --force-reinstall rootless` where a C compiler is installed",
        )
    return path
