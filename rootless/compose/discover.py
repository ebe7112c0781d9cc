"""Which files make the project, from which directory, with which variables: docker compose's rules.

-f, else COMPOSE_FILE, else compose.yaml and its like, searched for upwards; `.env` is the project directory's, and the shell
wins over it. COMPOSE_FILE may itself stand in the `.env` of the directory one is in.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rootless import paths
from rootless.compose import disk
from rootless.compose.load import dotenv
from rootless.compose.load.files import Source
from rootless.compose.load.load import Request
from rootless.compose.load.project import COMPATIBILITY, is_true
from rootless.errors import InvalidInput, NotFound

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")
_UNMAPPED = 65534


class Asked(NamedTuple):
    """The global options of `compose`, as they were given."""

    files: Sequence[str] = ()
    name: str = ""
    profiles: Sequence[str] = ()
    env_files: Sequence[str] = ()
    directory: str = ""
    compatibility: bool = False


def request(asked: Asked, warn: Callable[[str], None]) -> Request:
    """What to load. NotFound where there is no compose file, InvalidInput for a `.env` that is none."""
    reader = disk.Disk()
    environment = dict(os.environ)
    environment.setdefault("PWD", os.getcwd())
    if asked.compatibility:
        environment[COMPATIBILITY] = "true"
    here = os.path.abspath(asked.directory or ".")
    given = list(asked.env_files) or [word for word in os.environ.get("COMPOSE_ENV_FILES", "").split(",") if word]
    env_files = [os.path.abspath(os.path.expanduser(path)) for path in given]
    environment, used = _with_env_files(reader, environment, env_files, here)
    names = [name for name in asked.files if name] or _from_variable(environment)
    names = [name if name == "-" else os.path.abspath(os.path.expanduser(name)) for name in names]
    if not names:
        names = _default(here, warn)
    directory = here if asked.directory or names[0] == "-" else os.path.dirname(names[0])
    if directory != here and not env_files:
        environment, used = _with_env_files(reader, environment, [], directory)
    sources = [Source(name, disk.stdin_text() if name == "-" else None) for name in names]
    return Request(
        sources,
        directory,
        environment,
        os.path.expanduser("~"),
        disk.schema(),
        name=asked.name or environment.get("COMPOSE_PROJECT_NAME", ""),
        profiles=tuple(word for one in asked.profiles for word in one.split(",") if word),
        env_files=tuple(used),
    )


def _with_env_files(
    reader: disk.Disk, environment: dict[str, str], files: list[str], directory: str
) -> tuple[dict[str, str], list[str]]:
    """The environment with what the files say and it does not; and the files that there are."""
    chosen = files
    if not chosen and not is_true(environment.get("COMPOSE_DISABLE_ENV_FILE")):
        path = os.path.join(directory, ".env")
        chosen = [path] if os.path.isfile(path) else []
        if chosen:
            _refuse_strangers(path, "--env-file names one", found_above=False)
    found: dict[str, str] = {}
    for path in chosen:
        if not os.path.exists(path):
            raise NotFound(f"couldn't find env file: {path}")
        found.update(dotenv.parse(reader.read(path), path, {**found, **environment}))
    return {**found, **environment}, chosen


def _from_variable(environment: dict[str, str]) -> list[str]:
    separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return [name for name in environment.get("COMPOSE_FILE", "").split(separator) if name]


def _default(start: str, warn: Callable[[str], None]) -> list[str]:
    directory = start
    while True:
        found = [name for name in FILES if os.path.isfile(os.path.join(directory, name))]
        if found:
            if len(found) > 1:
                warn(f"Found multiple config files with supported names: {', '.join(found)}; using {found[0]}")
            overrides = [name for name in OVERRIDES if os.path.isfile(os.path.join(directory, name))]
            if len(overrides) > 1:
                warn(f"Found multiple override files with supported names: {', '.join(overrides)}; using {overrides[0]}")
            taken = [os.path.join(directory, name) for name in (found[0], *overrides[:1])]
            for path in taken:
                _refuse_strangers(path, f"-f {path} takes it", found_above=directory != start)
            return taken
        if directory == "/":
            raise InvalidInput("no configuration file provided: not found",
                               hint=f"make a {FILES[0]} here, or name one: rootless compose -f FILE ...")  # fmt: skip
        directory = os.path.dirname(directory)


def _refuse_strangers(path: str, hint: str, *, found_above: bool) -> None:
    """InvalidInput for a file that nobody named and another account may have put in our way: in a directory that all may write to (/tmp),
    and in one above where we are. What it says is mounted and run with all that is the caller's."""
    directory = os.stat(os.path.dirname(path))
    everybodys = bool(directory.st_mode & stat.S_IWOTH)
    if not (everybodys or found_above):
        return
    # The directory's owner could have another file there by the time it is read, and a link's owner it lead elsewhere.
    owners = {directory.st_uid, os.lstat(path).st_uid, os.stat(path).st_uid} - {0, os.geteuid()}
    if paths.user_namespace() not in (0, paths.INITIAL_USER_NAMESPACE) and not (everybodys and os.lstat(path).st_uid == _UNMAPPED):
        owners.discard(_UNMAPPED)  # root has no number there, nor has anybody else
    if owners:
        where = "in a directory that all may write to" if everybodys else "and is in a directory above this one"
        raise InvalidInput(f"{path} belongs to another user, {where}", hint=f"if you know what it does: {hint}")
