"""Which Dockerfile a build has, and where its context is: what docker build makes of PATH and -f."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from rootless.build.failure import BuildFailed
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.request import BuildRequest
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.storage import named_paths
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.context.fetch import FetchedContext

# docker's name and its lower-case fallback, then Podman's.
_NAMES = ("Dockerfile", "dockerfile", "Containerfile", "containerfile")
_LARGEST = 16 << 20


class Definition(NamedTuple):
    """`data` is the Dockerfile's text, `name` what errors call it, `path` where it is ("": it came from stdin).
    `time` is that of a context that was fetched, in seconds since 1970.

    `directory` is the build context's, "" where there is none; `ignore_files` may be missing, the first counts.
    """

    data: bytes
    name: str
    path: str
    directory: str
    ignore_files: list[str]
    time: int | None = None


def read(store: Store, request: BuildRequest, progress: Progress, stack: ExitStack) -> Definition:
    """Read the Dockerfile; what has to be fetched for that is kept until `stack` is closed. InvalidInput for words
    that cannot be, NotFound for a context that is not there, BuildFailed for a Dockerfile that is not."""
    if request.context == "-" and request.file == "-":
        raise InvalidInput("invalid argument: can't use stdin for both build context and dockerfile")
    given: bytes | None = None
    time: int | None = None
    fetched = request.context == "-" or is_remote(request.context)
    if fetched:
        directory, given, time, _ = _fetch(store, request, progress, stack)
    else:
        directory = _directory(request.context)
    exact = not request.file or fetched
    path = "" if given is not None else _path(request, directory, fetched=fetched)
    name = os.path.basename(path) if path else "Dockerfile"
    vertex = Vertex(f"[internal] load build definition from {name}")
    progress.start(vertex)
    try:
        data = _read(path, exact=exact) if given is None else given
    except InvalidInput as error:
        progress.failed(vertex, error.message)
        raise
    except OSError as error:
        message = f"failed to read dockerfile: open {name}: {str(error.strerror).lower()}"
        progress.failed(vertex, message)
        raise BuildFailed(message, hint=_hint(directory, error)) from None
    progress.status(vertex, Status("transferring dockerfile", len(data), done=True))
    progress.done(vertex)
    ignore_files = [] if fetched else _ignore_files(request, path, directory)
    return Definition(data, name, path, directory, ignore_files, time)


def is_remote(word: str) -> bool:
    """Whether a context is to be fetched. What fetches is only imported for what is no directory."""
    if os.path.isdir(word):
        return False
    from rootless.build.context import fetch

    return fetch.is_remote(word)


def _fetch(store: Store, request: BuildRequest, progress: Progress, stack: ExitStack) -> FetchedContext:
    """A context that is to be fetched, or comes on stdin."""
    from rootless.build.context import fetch

    if request.context == "-":
        found = stack.enter_context(fetch.from_stream(store, request.stdin or sys.stdin.buffer))
    else:
        from rootless.build.context import http

        vertex = Vertex(f"[internal] load remote build context {http.shown(request.context)}")
        progress.start(vertex)
        try:
            found = stack.enter_context(fetch.from_remote(store, request.context, ssh_socket=request.ssh.get("default", "")))
        except RootlessError as error:
            progress.failed(vertex, error.message)
            raise
        progress.done(vertex)
    given = found.dockerfile
    if given is not None and request.file and request.file != "-":
        raise InvalidInput(f"-f {request.file}: the context is a Dockerfile, and there is no other file in it")
    return found


def _directory(word: str) -> str:
    path = os.path.abspath(word)
    if not os.path.isdir(path):
        if os.path.exists(path):
            raise InvalidInput(f"unable to prepare context: path {word!r} is no directory", hint="-f names the Dockerfile")
        raise NotFound(f'unable to prepare context: path "{word}" not found')
    return path


def _path(request: BuildRequest, directory: str, *, fetched: bool) -> str:
    if request.file == "-":
        return ""
    if fetched:
        return _path_inside(directory, request.file)
    if request.file:
        # Relative to where we are, as in docker build; Podman's users mean one of the context.
        if not os.path.exists(request.file) and directory and os.path.exists(f"{directory}/{request.file}"):
            return f"{directory}/{request.file}"
        return os.path.abspath(request.file)
    # What was not named may be somebody else's work, as in a repository that was cloned: shown in an error's excerpt
    # a file of the caller's would be in the log of every build.
    return _path_inside(directory, "")


def _path_inside(directory: str, file: str) -> str:
    """The Dockerfile in a directory of which nothing is believed: a link leads nowhere else, and what is no file is not
    opened."""
    top = os.path.realpath(directory)
    for name in (file,) if file else _NAMES:
        path = os.path.realpath(f"{top}/{name}")
        if path.startswith(top + "/") and os.path.isfile(path):
            return path
        if os.path.lexists(f"{top}/{name}"):
            raise InvalidInput(f"{name} leads out of the context, or is no file", hint="-f names a file elsewhere")
    return f"{top}/{file or _NAMES[0]}"


def _read(path: str, *, exact: bool) -> bytes:
    """The file's text; where `path` is `exact` no link may have been put into it since it was resolved."""
    if not path:
        data = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        fd = named_paths.open_exact(path, flags=os.O_NONBLOCK) if exact else named_paths.open_file(path, "the Dockerfile")
        with open(fd, "rb") as file:
            data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise InvalidInput("the Dockerfile is larger than 16 MB")
    return data


def _hint(directory: str, error: OSError) -> str | None:
    if not isinstance(error, FileNotFoundError):
        return None
    return "-f names another file; one of these names is looked for in the context: " + ", ".join(_NAMES)


def _ignore_files(request: BuildRequest, path: str, directory: str) -> list[str]:
    if request.ignore_file:
        if not os.path.exists(request.ignore_file):
            raise NotFound(f"--ignorefile {request.ignore_file}: no such file")
        return [named_paths.follow(os.path.abspath(request.ignore_file), "--ignorefile") or request.ignore_file]
    beside = [f"{path}.dockerignore", f"{path}.containerignore"] if path else []
    return [*beside, *(f"{directory}/{name}" for name in (".containerignore", ".dockerignore") if directory)]


def open_inside(path: str, place: str) -> int:
    """A descriptor of an ignore file, the caller's. InvalidInput for one that is none, or leads out of its directory and
    of the context `place`: a bad pattern is shown in an error, and would show a line of the caller's file."""
    real = os.path.realpath(path)
    tops = (os.path.realpath(os.path.dirname(path)), os.path.realpath(place))
    if not os.path.isfile(real) or not any(real.startswith(top.rstrip("/") + "/") for top in tops):
        raise InvalidInput(f"{os.path.basename(path)} leads out of the context, or is no file")
    try:
        return named_paths.open_exact(real, flags=os.O_NONBLOCK)
    except OSError as error:
        raise named_paths.failure(path, error, "cannot read") from None
