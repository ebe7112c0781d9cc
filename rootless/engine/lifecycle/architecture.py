"""What an image's programs are for this machine's processor. Hot path."""

from __future__ import annotations

import os

from rootless.engine.state.config import ContainerConfig
from rootless.storage.images import Image

# What the commonest processors execute, by uname(2)'s names: all others take a longer look.
_EXECUTED = {"x86_64": ("amd64", "386"), "aarch64": ("arm64", "arm")}


def note(record: ContainerConfig, image: Image) -> None:
    """Into the record of a new container of the image: what its starts have to know."""
    if found := foreign(image):
        record["emulate"] = found
    if unanswered(os.uname().machine, image.config.get("architecture")):
        record["narrow"] = True


def foreign(image: Image) -> str:
    """The architecture of the image's programs where this machine's processor does not execute them, else ""."""
    if image.config.get("architecture") in _EXECUTED.get(os.uname().machine, ()):
        return ""
    from rootless.engine.emulation import architectures

    return architectures.foreign(image.config)


def unanswered(machine: str, architecture: object) -> bool:
    """Whether a machine's processor (uname(2)) executes the architecture's programs, and emulated ids (helpers/ids) do not answer
    what they call. Pure."""
    return (machine, architecture) == ("aarch64", "arm")
