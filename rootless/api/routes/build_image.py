"""POST /build, the builder of before BuildKit: a context as a tar, output as lines of JSON."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from rootless.api.request.fields import Fields
from rootless.api.request.registry import by_server
from rootless.api.routes.progress import ProgressStream
from rootless.api.routes.route import Call, Reply
from rootless.api.routes.tar_bodies import body
from rootless.build import build as building
from rootless.build.cache import prune as cache
from rootless.build.execute.run_config import Limits
from rootless.build.failure import BuildFailed
from rootless.build.output.requested import Output
from rootless.build.progress.plain import Plain
from rootless.build.progress.vertices import Progress
from rootless.build.request import BuildRequest
from rootless.engine.images.lookup import familiar
from rootless.engine.options import clock
from rootless.engine.options.resources import Resources
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.image import reference

_NETWORKS = ("", "default", "bridge", "none", "host")
_EMPTY = ("", "null", "[]", "{}")


class _Lines:
    """A file to write for the engine's plain progress: each line is one of the stream."""

    def __init__(self, progress: ProgressStream) -> None:
        self._progress = progress
        self._rest = b""

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def write(self, data: bytes) -> int:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._progress.line({"stream": line.decode("utf-8", "replace") + "\n"})
        return len(data)


def build(call: Call) -> None:
    """POST /build."""
    query = call.query
    request = _request(call)
    quiet = query.flag("q")
    progress = ProgressStream(call)
    shown = Progress() if quiet else Plain(cast(IO[bytes], _Lines(progress)))
    try:
        with _credentials(call.header("x-registry-config")):
            result = building.build(call.store, request, shown)
    except BuildFailed as error:
        if error.account and not quiet:
            progress.line({"stream": error.account})
        # The client's Dockerfile, or what it runs: where nothing has been said yet that is 400, not an error of ours.
        progress.fail(InvalidInput(error.message, hint=error.hint))
        return
    except RootlessError as error:
        progress.fail(error)
        return
    if result.id:
        progress.line({"aux": {"ID": result.id}})
        progress.line({"stream": f"{result.id}\n" if quiet else f"Successfully built {result.id.removeprefix('sha256:')[:12]}\n"})
    for name in request.tags:
        if not quiet:
            progress.line({"stream": f"Successfully tagged {familiar(reference.parse(name).canonical)}\n"})
    progress.end()


def _request(call: Call) -> BuildRequest:
    query = call.query
    if query.word("version") not in ("", "1"):
        raise NotSupported(
            "rootless builds without BuildKit's own protocol", hint="set DOCKER_BUILDKIT=0, or use `rootless build`"
        )
    if query.word("outputs") not in _EMPTY:
        raise NotSupported("outputs of a build are not sent by the API", hint="`rootless build -o` writes them")
    if query.flag("squash"):
        raise NotSupported("squash is not supported: the layers stay as they are", hint="leave it out")
    network = str(query.word("networkmode"))
    if network not in _NETWORKS:
        raise NotSupported(f"network mode {network} is not supported with build", hint="default, none or host")
    remote = str(query.word("remote"))
    if remote and not remote.startswith(("http://", "https://", "git://", "git@", "github.com/")):
        raise InvalidInput(f"invalid remote: {remote[:200]}", hint="an address, or the context as the body")
    arguments = _document(call, "buildargs")
    return BuildRequest(
        context=remote or "-",
        stdin=None if remote else body(call),
        file=_dockerfile(query.word("dockerfile")),
        tags=[str(word) for word in query.words("t")],
        # A null is an argument that the client does not have: not set, as on the command line.
        build_args={str(key): str(value) for key, value in arguments.pairs_of_all().items()},
        target=query.word("target"),
        labels={str(key): str(value) for key, value in _document(call, "labels").pairs_of_all().items()},
        no_cache=query.flag("nocache"),
        pull="always" if query.flag("pull") else "missing",
        network="" if network in ("default", "bridge") else network,
        platforms=[part for part in query.word("platform").split(",") if part],
        outputs=[Output("image")],
        allow=frozenset({"network.host"} if network == "host" else ()),
        limits=Limits(
            add_host=_hosts(query.words("extrahosts")),
            shm_size=query.number("shmsize") or 64 * 1024 * 1024,
            resources=_resources(call),
            cgroup_parent=query.word("cgroupparent"),
        ),
    )


def _dockerfile(word: str) -> str:
    """Its path in the context; the default one may have another of the default names."""
    return "" if word in ("", "Dockerfile") else word


def _hosts(words: list[Any]) -> list[str]:
    found = [part for word in words for part in str(word).split(",") if part]
    for word in found:
        if not word.isprintable():
            raise InvalidInput(f"invalid extrahosts: {word!r} has control characters")
    return found


def _document(call: Call, name: str) -> Fields:
    """A word of the query that is JSON: an object, null, or (from some clients) an empty list."""
    text = call.query.word(name)
    if text in _EMPTY:
        return Fields({}, name)
    try:
        return Fields.of(json.loads(text), name)
    except (ValueError, RecursionError):
        raise InvalidInput(f"invalid {name}: it is no JSON") from None


def _resources(call: Call) -> Resources:
    query = call.query
    found: dict[str, Any] = {}
    for name, key in (
        ("memory", "memory"), ("memswap", "memory_swap"), ("cpushares", "cpu_shares"), ("cpuperiod", "cpu_period"),
        ("cpuquota", "cpu_quota"),
    ):  # fmt: skip
        if number := query.number(name):
            if number < 0 and not (key == "memory_swap" and number == -1):
                raise InvalidInput(f"invalid {name}: {number} is below zero")
            found[key] = number
    for name, key in (("cpusetcpus", "cpuset_cpus"), ("cpusetmems", "cpuset_mems")):
        if word := query.word(name):
            found[key] = str(word)
    return found  # type: ignore[return-value]


@contextmanager
def _credentials(header: str) -> Iterator[None]:
    """X-Registry-Config in place of the user's own credentials, as long as this is entered: in memory, for this process
    and those that it starts."""
    known = by_server(header)
    if not known:
        yield
        return
    document = {
        "auths": {
            server: {"auth": base64.b64encode(f"{one.username}:{one.password}".encode()).decode()}
            if not one.identity_token
            else {"identitytoken": one.identity_token}
            for server, one in known.items()
        }
    }
    fd = os.memfd_create("registry-auth", os.MFD_CLOEXEC)
    os.write(fd, json.dumps(document).encode())
    os.environ["REGISTRY_AUTH_FILE"] = f"/proc/self/fd/{fd}"
    try:
        yield
    finally:
        del os.environ["REGISTRY_AUTH_FILE"]
        os.close(fd)


def prune(call: Call) -> Reply:
    """POST /build/prune."""
    query = call.query
    filters = query.filters(("until", "unused-for", "id", "type", "inuse", "shared", "private", "description", "parent"))
    for key in filters:
        if key not in ("until", "unused-for"):
            raise NotSupported(f"filter '{key}' of build/prune is not supported", hint="until, or `rootless builder prune --filter`")
    words = [*filters.get("until", ()), *filters.get("unused-for", ())]
    until = min((clock.parse_moment(word) / 1e9 for word in words), default=0.0)
    gone = cache.prune(call.store, cache.Filters(until=until, every=query.flag("all")))
    return Reply({"CachesDeleted": [entry.id for entry in gone], "SpaceReclaimed": sum(entry.size for entry in gone)})
