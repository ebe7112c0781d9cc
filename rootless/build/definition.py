"""Which Dockerfile a build has, and where its context is: what docker build makes of PATH and -f."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from rootless.build.failure import BuildFailed
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.request import BuildRequest
from rootless.errors import InvalidInput, NotFound

# docker's name and its lower-case fallback, then Podman's.
_NAMES = ("Dockerfile", "dockerfile", "Containerfile", "containerfile")
_LARGEST = 16 << 20


class Definition(NamedTuple):
    """`data` is the Dockerfile's text, `name` what errors call it, `path` where it is ("": it came from stdin).

    `directory` is the build context's, "" where there is none; `ignore_files` may be missing, the first counts.
    """

    data: bytes
    name: str
    path: str
    directory: str
    ignore_files: list[str]


def read(request: BuildRequest, progress: Progress) -> Definition:
    """Read the Dockerfile; InvalidInput for words that cannot be, NotFound for a context that is not there,
    BuildFailed for a Dockerfile that is not."""
    if request.context == "-" and request.file == "-":
        raise InvalidInput("invalid argument: can't use stdin for both build context and dockerfile")
    directory = "" if request.context == "-" else _directory(request.context)
    path = _path(request, directory)
    name = os.path.basename(path) if path else "Dockerfile"
    vertex = Vertex(f"[internal] load build definition from {name}")
    progress.start(vertex)
    try:
        data = _read(path)
    except OSError as error:
        message = f"failed to read dockerfile: open {name}: {str(error.strerror).lower()}"
        progress.failed(vertex, message)
        raise BuildFailed(message, hint=_hint(directory, error)) from None
    progress.status(vertex, Status("transferring dockerfile", len(data), done=True))
    progress.done(vertex)
    return Definition(data, name, path, directory, _ignore_files(request, path, directory))


def _directory(word: str) -> str:
    path = os.path.abspath(word)
    if not os.path.isdir(path):
        if os.path.exists(path):
            raise InvalidInput(f"unable to prepare context: path {word!r} is no directory", hint="-f names the Dockerfile")
        raise NotFound(f'unable to prepare context: path "{word}" not found')
    return path


def _path(request: BuildRequest, directory: str) -> str:
    if request.file == "-" or (request.context == "-" and not request.file):
        return ""
    if request.file:
        # Relative to where we are, as in docker build; Podman's users mean one of the context.
        if not os.path.exists(request.file) and directory and os.path.exists(f"{directory}/{request.file}"):
            return f"{directory}/{request.file}"
        return os.path.abspath(request.file)
    for name in _NAMES:
        if os.path.exists(f"{directory}/{name}"):
            return f"{directory}/{name}"
    return f"{directory}/Dockerfile"


def _read(path: str) -> bytes:
    if not path:
        data = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        with open(path, "rb") as file:
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
        return [os.path.abspath(request.ignore_file)]
    beside = [f"{path}.dockerignore", f"{path}.containerignore"] if path else []
    return [*beside, *(f"{directory}/{name}" for name in (".containerignore", ".dockerignore") if directory)]


