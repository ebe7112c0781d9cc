"""Where things live: the data root, the runtime directory, our helper programs.

Knows environment variables and nothing of what is stored. Imported on the hot path.
"""

from __future__ import annotations

import os
import stat

from rootless.errors import NotSupported


def data_root() -> str:
    """Absolute path of ROOT (see docs/architecture.md, Files); not created here."""
    explicit = os.environ.get("ROOTLESS_ROOT")
    if explicit:
        return os.path.abspath(explicit)
    base = os.environ.get("XDG_DATA_HOME")
    if not base or not base.startswith("/"):
        base = os.path.join(home(), ".local/share")
    return os.path.join(base, "rootless")


def home() -> str:
    """The user's home directory: $HOME, or the password database's where HOME is unset."""
    named = os.environ.get("HOME")
    if named and named.startswith("/"):
        return named
    import pwd

    return pwd.getpwuid(host_uid()).pw_dir


_host_uid: int | None = None


def host_uid() -> int:
    """The caller's uid as the host knows it, also after the process joined the session."""
    global _host_uid
    if _host_uid is None:
        _host_uid = os.getuid()
    return _host_uid


_runtime_dir: str | None = None


def runtime_dir() -> str:
    """Absolute path of RUNTIME, existing, ours and private (0700).

    $XDG_RUNTIME_DIR is verified, never trusted: `su`, `sudo` and batch systems leave it
    missing or pointing at somebody else's.
    """
    global _runtime_dir
    if _runtime_dir is None:
        _runtime_dir = _find_runtime_dir()
    return _runtime_dir


def _find_runtime_dir() -> str:
    candidates = []
    session_dir = os.environ.get("XDG_RUNTIME_DIR")
    if session_dir and session_dir.startswith("/") and _is_private(session_dir):
        candidates.append(os.path.join(session_dir, "rootless"))
    candidates.append(f"/tmp/rootless-{host_uid()}")
    candidates.append(os.path.join(data_root(), "run"))
    for candidate in candidates:
        try:
            if candidate.startswith(data_root()):
                os.makedirs(data_root(), mode=0o700, exist_ok=True)
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


def _is_private(path: str) -> bool:
    """Whether `path` is a real directory, ours, that nobody else can enter."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == host_uid() and not status.st_mode & 0o077


def helper(name: str) -> str:
    """Absolute path of one of our C programs: "init", "monitor" or "holder"."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_helpers", f"rootless-{name}")
    if not os.access(path, os.X_OK):
        raise NotSupported(
            f"the helper program {path} is missing",
            hint="reinstall with `pip install --force-reinstall rootless` where a C compiler is installed",
        )
    return path
