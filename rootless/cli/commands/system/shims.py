"""`rootless system shims`: other programs' names for us, for the tools that call those."""

from __future__ import annotations

import os
import shlex
import shutil
import stat

from rootless import __version__, atomic, inherited, paths
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.cli.output.messages import say
from rootless.errors import Conflict, InvalidInput, NotFound

WORDS: dict[str, tuple[str, ...]] = {"docker": (), "podman": (), "docker-compose": ("compose",)}
"""What each name is with us."""
_MARK = "# Made by `rootless system shims`."


def _shims(args: Args) -> int:
    unknown = [name for name in args.positional if name not in WORDS]
    if unknown or not args.positional:
        what = f"no shim is called '{unknown[0]}'" if unknown else "name the shims"
        raise InvalidInput(what, hint=f"one or more of: {' '.join(WORDS)}")
    os.umask(inherited.umask)  # what is made is the user's
    directory = os.path.abspath(args.dir or f"{paths.home()}/.local/bin")
    for name in args.positional:
        if args.remove:
            _remove(f"{directory}/{name}")
        else:
            _write(directory, name)
        print(f"{directory}/{name}")
    if not args.remove:
        _tell(directory, args.positional)
    return 0


def _write(directory: str, name: str) -> None:
    path = f"{directory}/{name}"
    if os.path.lexists(path) and not _is_ours(path):
        raise Conflict(f"{path} is there, and is none of ours", hint="move it away, or say --dir DIRECTORY")
    os.makedirs(directory, exist_ok=True)
    command = shlex.join([*paths.lasting_program(), *WORDS[name]])
    about = _dockers_version(command) if name == "docker" else ""
    atomic.write_bytes(path, f'#!/bin/sh\n{_MARK}\n{about}exec {command} "$@"\n'.encode(), mode=0o755)


def _dockers_version(command: str) -> str:
    """The lines of a shim that answer `docker -v`: kind looks for the first two words, others for a number such as Docker's."""
    from rootless.api.versions import SERVER_VERSION

    template = f"Docker version {SERVER_VERSION.removesuffix(__version__)}{{{{.Client.Version}}}}, build rootless"
    return f"case $#$1 in\n1-v | 1--version) exec {command} version --format '{template}' ;;\nesac\n"


def _remove(path: str) -> None:
    if not os.path.lexists(path):
        raise NotFound(f"No such shim: {path}")
    if not _is_ours(path):
        raise Conflict(f"{path} is none of ours")
    os.unlink(path)


def _is_ours(path: str) -> bool:
    """Whether we made it. Nothing but a regular file is opened: a fifo would be waited for."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    with open(path, "rb") as file:
        return _MARK.encode() in file.read(256)


def _tell(directory: str, names: list[str]) -> None:
    """Say where a name still means another program."""
    for name in names:
        found = shutil.which(name)
        if found is None:
            say(f"{directory} is not on your PATH", f'export PATH="{directory}:$PATH"')
            return
        if os.path.dirname(os.path.abspath(found)) != directory:
            say(f"{name} is {found}, which comes first on your PATH", f'export PATH="{directory}:$PATH"')


COMMAND = Command(
    name="system shims",
    summary="Make docker, podman or docker-compose mean rootless",
    usage="[OPTIONS] docker|podman|docker-compose...",
    options=(
        Option(("--dir",), "dir", VALUE, metavar="string", default="", complete="directory",
               help="Where they are (default ~/.local/bin)"),
        Option(("--remove",), "remove", FLAG, help="Remove the names again that were made so"),
    ),
    handler=_shims,
    description="Writes a small script of each name, for tools that call these programs. What is there and is none of ours stays.",
    examples=(
        ("rootless system shims docker docker-compose", "for VS Code, Nextflow, Makefiles"),
        ("rootless system shims --remove docker", "docker is another program again"),
    ),
)  # fmt: skip
