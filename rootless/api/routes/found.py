"""What a word of the path means: the container, and what of it every handler wants."""

from __future__ import annotations

from rootless.api.routes.route import Call
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import InvalidInput, NotFound
from rootless.storage.containers import containers


def container(call: Call) -> str:
    """The id of the container that {id} names; NotFound, Conflict for an ambiguous beginning of one."""
    word = call.words["id"]
    try:
        return containers.find(call.store, word)
    except InvalidInput:
        raise NotFound(f"No such container: {word}") from None


def record(call: Call) -> ContainerConfig:
    """Its configuration."""
    return read_config(call.store, container(call))
