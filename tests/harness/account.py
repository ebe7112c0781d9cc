"""The ordinary account that tests run under: made and switched to when pytest starts as root.

Knows nothing of rootless itself.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness import cgroups
from tests.need import without_range

DEFAULT_NAME = "rootless-user"
LOCK = Path("/run/lock/rootless-test-account")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# A command as root of a user namespace with all ids that the user has; who was given no range has one.
ALL_IDS = ("unshare", "--user", "--map-root-user", *(() if without_range() else ("--map-auto",)))


class User(NamedTuple):
    """The ordinary user that the tests run as."""

    name: str
    uid: int
    home: Path

    def run(self, argv: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """subprocess.run as this user: output captured as text, 60 s at most, unless told otherwise."""
        options.setdefault("timeout", 60)
        options.setdefault("text", True)
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if options["stdin"] is None:
            del options["stdin"]
        if not {"stdout", "stderr"} & options.keys():
            options.setdefault("capture_output", True)
        return subprocess.run(argv, **options)


def current() -> User:
    """The user this process runs as."""
    entry = pwd.getpwuid(os.getuid())
    return User(entry.pw_name, entry.pw_uid, Path(entry.pw_dir))


def is_host_root() -> bool:
    """Whether this process is root in the initial user namespace."""
    if os.geteuid() != 0:
        return False
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


def become_ordinary(config: pytest.Config) -> None:
    """Started as root: run the same pytest again as the ordinary account, and never return.

    The account is $ROOTLESS_TEST_USER or `rootless-user`, made when it is missing.
    """
    name = os.environ.get("ROOTLESS_TEST_USER", DEFAULT_NAME)
    account = _ensure(name)
    _demand_access(account, [Path(sys.executable), Path(str(config.rootpath)) / "pyproject.toml"])
    environment = {
        **os.environ,
        "HOME": account.pw_dir,
        "USER": name,
        "LOGNAME": name,
        "SHELL": "/bin/sh",
        "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for of_root in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"):
        environment.pop(of_root, None)
    environment |= cgroups.give(account)
    _release_output(config)
    argv = [
        *_as(name),
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
        *config.invocation_params.args,
    ]  # fmt: skip
    os.execvpe(argv[0], argv, environment)


def _as(name: str) -> list[str]:
    return ["setpriv", "--reuid", name, "--regid", name, "--init-groups"]


def _ensure(name: str) -> pwd.struct_passwd:
    """The account, made with a home directory and subordinate ids where it is missing."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return pwd.getpwnam(name)
        except KeyError:
            subprocess.run(["/usr/sbin/useradd", "-m", "-s", "/bin/bash", name], check=True)
            return pwd.getpwnam(name)


def _demand_access(account: pwd.struct_passwd, paths: list[Path]) -> None:
    for path in paths:
        probe = [*_as(account.pw_name), "test", "-r", str(path)]
        if subprocess.run(probe, check=False).returncode != 0:
            raise pytest.UsageError(
                f"{account.pw_name} cannot read {path}; use `./test`, which works on a copy of its own"
            )


def _release_output(config: pytest.Config) -> None:
    """Give descriptors 1 and 2 back: pytest captures them while it loads this file."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    sys.stdout.flush()
    sys.stderr.flush()


def has_subordinate_ids(user: User) -> bool:
    """Whether /etc/subuid and /etc/subgid give this user a range, and newuidmap is there to use it."""
    if not shutil.which("newuidmap", path=SYSTEM_PATH):
        return False
    keys = {user.name, str(user.uid)}
    for table in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(table).read_text().splitlines()
        except OSError:
            return False
        if not any(line.split(":")[0] in keys for line in lines):
            return False
    return True
