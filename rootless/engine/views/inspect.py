"""`inspect NAME`: whatever has the name, in Docker's shape."""

from __future__ import annotations

from collections.abc import Callable

from rootless.engine.views.types.gotypes import Object
from rootless.errors import InvalidInput, NotFound
from rootless.storage.store import Store

KINDS = ("container", "image", "network", "volume")


def inspect_any(
    store: Store, reference: str, *, kind: str = "", size: bool = False, platform: str = ""
) -> Object:
    """A container, else an image, else a network, else a volume; `kind` names one of them. NotFound in Docker's words."""
    finders: dict[str, Callable[[], Object]] = {
        "container": lambda: _container(store, reference, size=size),
        "image": lambda: _image(store, reference, platform=platform),
        "network": lambda: _network(store, reference),
        "volume": lambda: _volume(store, reference),
    }
    if kind:
        return finders[kind]()
    for finder in finders.values():
        try:
            return finder()
        except NotFound:
            continue
    raise NotFound(f"No such object: {reference}")


def _container(store: Store, reference: str, *, size: bool) -> Object:
    from rootless.engine.views import container

    try:
        return container.inspect(store, reference, size=size)
    except InvalidInput:
        raise NotFound(f"No such container: {reference}") from None


def _image(store: Store, reference: str, *, platform: str) -> Object:
    from rootless.engine.views import image

    return image.inspect(store, reference, platform=platform)


def _network(store: Store, reference: str) -> Object:
    from rootless.engine.views import network

    return network.inspect(store, reference)


def _volume(store: Store, reference: str) -> Object:
    from rootless.engine.views import volume

    return volume.inspect(store, reference)
