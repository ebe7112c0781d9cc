"""`--build-context name=value`: a named context stands for a stage, an image, or is one of its own."""

from __future__ import annotations

from rootless.build.plan.names import familiar_name
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ContextSource, ImageSource, Scratch, Source

_NEVER = ("scratch", "context")
LAYOUT = "oci-layout://"
_IMAGE = ("docker-image://", "container-image://")


def named_source(name: str, platform: str, request: PlanRequest) -> Source | None:
    """The context of that name for that platform; None where there is none."""
    if not request.contexts or name.lower() in _NEVER:
        return None
    wanted = familiar_name(name)
    value = found = ""
    for key, given in request.contexts.items():
        word, double, only = key.partition("::")
        if familiar_name(word) != wanted or (double and only != platform):
            continue
        if double or not value:
            value, found = given, word
        if double:
            break
    if not value:
        return None
    for prefix in _IMAGE:
        if value.startswith(prefix):
            return ImageSource(value.removeprefix(prefix), platform)
    # A layout is an image like any other: whoever resolves it sees by the prefix where it is.
    return ImageSource(value, platform) if value.startswith(LAYOUT) else ContextSource(found, value)


def source_of_name(name: str, platform: str, request: PlanRequest) -> Source:
    """What a name means that is no stage's: nothing, a named context, an image."""
    if name == "scratch":
        return Scratch()
    return named_source(name, platform, request) or ImageSource(name, platform)
