"""For which platforms a build is, and whether its result is an index of images."""

from __future__ import annotations

import os

from rootless.build.plan.controls import controls
from rootless.build.request import BuildRequest
from rootless.errors import InvalidInput
from rootless.image import platforms

ASKED = "BUILDKIT_MULTI_PLATFORM"


def platforms_of(request: BuildRequest) -> list[str]:
    """The platforms that are built for, each once; this machine's where none was named."""
    asked = request.platforms or [os.environ.get("DOCKER_DEFAULT_PLATFORM", "") or str(platforms.host())]
    return list(dict.fromkeys(str(platforms.parse(word)) for word in asked))


def has_index(request: BuildRequest) -> bool:
    """Whether the images get an index, and vertices say which platform they are of: for several platforms, and for one
    where BUILDKIT_MULTI_PLATFORM says so. InvalidInput where it says no of several, or what is no boolean."""
    several = len(platforms_of(request)) > 1
    text = request.build_args.get(ASKED, "")
    if not text:
        return several
    asked = controls(request.build_args).multi_platform
    if asked is None:
        raise InvalidInput(f"invalid boolean value {text}", hint=f"--build-arg {ASKED}=1")
    if several and not asked:
        raise InvalidInput(
            "conflicting config: returning multiple target platforms is not allowed",
            hint=f"name one --platform, or leave {ASKED} out",
        )
    return asked
