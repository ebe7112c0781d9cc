"""Which images are pulled and built before anything is taken down: by `pull_policy`, --pull, --build."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rootless.compose.load.project import Project
from rootless.compose.load.values import nanoseconds
from rootless.compose.plan import names
from rootless.compose.plan.observed import Observed
from rootless.compose.plan.steps import Step
from rootless.errors import InvalidInput, NotFound

_PERIODS = {"daily": 86400.0, "weekly": 7 * 86400.0}


class ImageChoice(NamedTuple):
    """What the command line says of images. `pull`: a policy for all ("": each service's own); `build`: build what can be built."""

    build: bool = False
    no_build: bool = False
    pull: str = ""


def image_steps(project: Project, observed: Observed, choice: ImageChoice, now: float) -> list[Step]:
    """Pulls, and builds in the order of their contexts. NotFound where an image is neither there nor to be had."""
    steps: list[Step] = []
    pulled: set[str] = set()
    for service, config in project.services.items():
        if "provider" in config:
            continue
        image = names.image_name(project, service)
        policy = choice.pull or str(config.get("pull_policy") or "")
        if _is_built(config, image, policy, observed, choice):
            steps.append(_build(project, service, config))
        elif _is_pulled(config, image, policy, observed, now):
            if image in pulled:
                continue
            pulled.add(image)
            steps.append(Step(f"pull {service}", "pull", service, data={"image": image, "platform": config.get("platform", "")}))
        elif image not in observed.images:
            if config.get("build"):
                raise NotFound(f"No such image: {image}", hint="it would have to be built: leave --no-build out")
            raise NotFound(f"No such image: {image}", hint="pull_policy: never keeps it from being pulled")
        for image in hook_images(config):
            if image not in observed.images and image not in pulled and policy != "never":
                pulled.add(image)
                steps.append(Step(f"pull {image}", "pull", image, data={"image": image, "platform": config.get("platform", "")}))
    return steps


def hook_images(config: dict[str, Any]) -> list[str]:
    """The images of init containers that are not the service's."""
    return [str(hook["image"]) for hook in config.get("pre_start") or () if hook.get("image")]


def _is_built(config: dict[str, Any], image: str, policy: str, observed: Observed, choice: ImageChoice) -> bool:
    if not config.get("build") or choice.no_build:
        return False
    return choice.build or policy == "build" or (image not in observed.images and policy not in ("never", "always"))


def _is_pulled(config: dict[str, Any], image: str, policy: str, observed: Observed, now: float) -> bool:
    if policy == "always":
        return True
    if policy in ("never", "build"):
        return False
    if image not in observed.images:
        return not config.get("build")
    period = refresh_period(policy, config)
    return period is not None and now - observed.tagged.get(image, 0.0) > period


def refresh_period(policy: str, config: dict[str, Any]) -> float | None:
    """Seconds after which an image is pulled again: daily, weekly, every_3d, or refresh with pull_refresh_after."""
    if policy in _PERIODS:
        return _PERIODS[policy]
    if policy.startswith("every_"):
        return nanoseconds(policy.removeprefix("every_"), "pull_policy") / 1e9
    if policy == "refresh":
        return nanoseconds(config.get("pull_refresh_after") or "24h", "pull_refresh_after") / 1e9
    return None


def _build(project: Project, service: str, config: dict[str, Any]) -> Step:
    return Step(f"build {service}", "build", service, tuple(f"build {other}" for other in base_services(project, config)),
                {"service": service})  # fmt: skip


def base_services(project: Project, config: dict[str, Any]) -> list[str]:
    """The services whose images are contexts of this one's build."""
    contexts = (config.get("build") or {}).get("additional_contexts") or {}
    return [word.removeprefix("service:") for word in contexts.values() if word.startswith("service:")]


def build_steps(project: Project, services: list[str]) -> list[Step]:
    """The builds of `compose build`, those that they are made of first. InvalidInput for a cycle, or a base that is none."""
    wanted: dict[str, None] = {}

    def add(name: str, chain: tuple[str, ...]) -> None:
        if name in chain:
            raise InvalidInput(f"build cycle detected: {' -> '.join((*chain, name))}")
        config = project.service(name)
        if not config.get("build"):
            if chain:
                raise InvalidInput(f"service {chain[-1]!r} needs the image of {name!r}, which is not built")
            return
        for other in base_services(project, config):
            add(other, (*chain, name))
        wanted[name] = None

    for name in services:
        add(name, ())
    return [_build(project, name, project.services[name]) for name in wanted]


def is_policy(word: str) -> bool:
    """Whether there is such a pull_policy."""
    return word in ("", "always", "never", "missing", "if_not_present", "build", "daily", "weekly", "refresh") or \
        re.fullmatch(r"every_([0-9]+[wdhms])+", word) is not None  # fmt: skip
