"""Images of services: pulled, built, pushed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from rootless.build import build as building
from rootless.build.execute.run_config import Limits
from rootless.build.output.requested import Output
from rootless.build.progress.vertices import Progress
from rootless.build.remotecache import places
from rootless.build.request import BuildRequest
from rootless.build.secrets import Secret
from rootless.build.ssh import sources as agents
from rootless.compose.converge.service_request import ulimits
from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.errors import InvalidInput, NotFound
from rootless.storage import staging
from rootless.storage.store import Store


class BuildChoice(NamedTuple):
    """What the command line says of all builds."""

    no_cache: bool = False
    pull: bool = False
    args: Sequence[str] = ()
    memory: str = ""
    ssh: Sequence[str] = ()
    push: bool = False


def build(
    store: Store, project: Project, service: str, progress: Progress, choice: BuildChoice,
    proxies: Callable[[Iterable[str]], list[str]] = lambda given: [],
) -> str:  # fmt: skip
    """Build the service's image, with the client's proxies as arguments; its id. Errors as building.build."""
    with ExitStack() as stack:
        request = build_request(store, project, service, choice, stack)
        ours = dict(word.partition("=")[::2] for word in proxies(request.build_args))
        return building.build(store, request._replace(build_args={**ours, **request.build_args}), progress).id


def build_request(store: Store, project: Project, service: str, choice: BuildChoice, stack: ExitStack) -> BuildRequest:
    """The build that the service's `build` asks for; files that are made for it are there until `stack` is left."""
    config = project.services[service]
    asked: dict[str, Any] = config["build"]
    image = names.image_name(project, service)
    args = {key: str(value) for key, value in (asked.get("args") or {}).items() if value is not None}
    for word in choice.args:
        key, equals, value = word.partition("=")
        if equals or key in os.environ:
            args[key] = value if equals else os.environ[key]
    file = str(asked.get("dockerfile") or "")
    if asked.get("dockerfile_inline"):
        directory = stack.enter_context(staging.directory(store, "dockerfile"))
        file = f"{directory}/Dockerfile"
        with open(file, "w", encoding="utf-8") as written:
            written.write(str(asked["dockerfile_inline"]))
    elif file and not file.startswith("/") and "://" not in str(asked["context"]):
        file = os.path.join(str(asked["context"]), file)
    labels = {names.PROJECT: project.name, names.SERVICE: service, names.VERSION_LABEL: names.VERSION}
    platforms = list(asked.get("platforms") or ()) or ([str(config["platform"])] if config.get("platform") else [])
    return BuildRequest(
        context=str(asked["context"]),
        file=file,
        tags=[image, *(asked.get("tags") or ())],
        build_args=args,
        contexts={key: _context(project, word) for key, word in (asked.get("additional_contexts") or {}).items()},
        target=str(asked.get("target") or ""),
        labels={**(asked.get("labels") or {}), **labels},
        no_cache=choice.no_cache or asked.get("no_cache") in (True, "true"),
        pull="always" if choice.pull or asked.get("pull") in (True, "true") else "missing",
        network="" if asked.get("network") in (None, "default") else str(asked["network"]),
        platforms=platforms,
        secrets=_secrets(project, asked),
        agents=agents.parse_all([*(asked.get("ssh") or ()), *choice.ssh]),
        outputs=[Output("image")],
        limits=Limits(
            add_host=[word.replace("=", ":", 1) for word in asked.get("extra_hosts") or ()],
            shm_size=int(asked.get("shm_size") or 64 * 1024 * 1024),
            ulimits=ulimits(asked.get("ulimits") or {}),
        ),
        allow=frozenset(asked.get("entitlements") or ())
        | ({"security.insecure"} if asked.get("privileged") in (True, "true") else set())
        | ({"network.host"} if asked.get("network") == "host" else set()),
        cache_from=_places("cache_from", asked.get("cache_from") or ()),
        cache_to=_places("cache_to", asked.get("cache_to") or ()),
    )


def _context(project: Project, word: str) -> str:
    if not word.startswith("service:"):
        return word
    other = word.removeprefix("service:")
    if other not in project.services:
        raise InvalidInput(f"additional_contexts: there is no service {other}")
    return f"docker-image://{names.image_name(project, other)}"


def _places(key: str, words: Sequence[str]) -> list[places.Place]:
    found = []
    for word in words:
        place = places.parse("--" + key.replace("_", "-"), word)
        if place is None:
            raise InvalidInput(f"build.{key}: {word}: that service is reached by other builders alone", hint="type=registry or type=local")
        found.append(place)
    return found


def _secrets(project: Project, asked: dict[str, Any]) -> dict[str, Secret]:
    found = {}
    for entry in asked.get("secrets") or ():
        source = project.resources("secrets")[entry["source"]]
        name = str(entry.get("target") or entry["source"]).rpartition("/")[2]
        if source.get("environment"):
            variable = str(source["environment"])
            if variable not in project.environment:
                raise NotFound(f'secrets.{entry["source"]}: environment variable "{variable}" required by secret is not set')
            # A secret of a build is read from our own environment: that of this process, which builds.
            os.environ[variable] = project.environment[variable]
            found[name] = Secret(name, env=variable)
        elif source.get("content") is not None:
            raise InvalidInput(f"secrets.{entry['source']}: content is for containers, not for builds", hint="file: or environment:")
        else:
            found[name] = Secret(name, path=str(source["file"]))
    return found


def pull(store: Store, image: str, platform: str) -> None:
    """Pull an image, saying nothing."""
    from rootless.engine.images import lookup

    lookup.pull(store, image, platform=platform or None, quiet=True)


def push(store: Store, image: str) -> None:
    """Push an image by its name."""
    from rootless.engine.images import pushing
    from rootless.image import progress

    for target in pushing.choose(store, image):
        pushing.push(store, target, progress=progress.silent)
