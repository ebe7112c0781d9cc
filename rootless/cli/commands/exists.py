"""`rootless container exists`, `image exists` and so on: the answer is the exit status. Podman's words."""

from __future__ import annotations

from rootless.cli.grammar.command import RUN, Args, Command
from rootless.errors import NotFound
from rootless.storage.store import Store


def container(args: Args) -> int:
    """0 if there is such a container, 1 if not."""
    from rootless.cli.flags import chosen

    return 0 if chosen.exists(Store.open(), args.positional[0]) else 1


def image(args: Args) -> int:
    """The same of images."""
    from rootless.engine.images import lookup

    try:
        lookup.find(Store.open(), args.positional[0])
    except NotFound:
        return 1
    return 0


def network(args: Args) -> int:
    """The same of networks."""
    from rootless.engine.networks import records

    try:
        records.find(Store.open(), args.positional[0])
    except NotFound:
        return 1
    return 0


def pod(args: Args) -> int:
    """The same of pods."""
    from rootless.storage import pods

    try:
        pods.find(Store.open(), args.positional[0])
    except NotFound:
        return 1
    return 0


def volume(args: Args) -> int:
    """The same of volumes."""
    from rootless.storage import volumes

    known = {found.name for found in volumes.list_volumes(Store.open())}
    return 0 if args.positional[0] in known else 1


_DESCRIPTION = "Prints nothing; the exit status is 0 if it exists, 1 if not, and 125 if that cannot be found out."

CONTAINER = Command(
    name="container exists",
    summary="Check if a container exists",
    usage="CONTAINER",
    options=(),
    handler=container,
    min_args=1,
    max_args=1,
    status=RUN,
    description=_DESCRIPTION,
    complete="container",
)

IMAGE = Command(
    name="image exists",
    summary="Check if an image exists",
    usage="IMAGE",
    options=(),
    handler=image,
    min_args=1,
    max_args=1,
    status=RUN,
    description=_DESCRIPTION,
    complete="image",
)

NETWORK = Command(
    name="network exists",
    summary="Check if a network exists",
    usage="NETWORK",
    options=(),
    handler=network,
    min_args=1,
    max_args=1,
    status=RUN,
    description=_DESCRIPTION,
    complete="network",
)

POD = Command(
    name="pod exists",
    summary="Check if a pod exists",
    usage="POD",
    options=(),
    handler=pod,
    min_args=1,
    max_args=1,
    status=RUN,
    description=_DESCRIPTION,
    complete="pod",
)

VOLUME = Command(
    name="volume exists",
    summary="Check if a volume exists",
    usage="VOLUME",
    options=(),
    handler=volume,
    min_args=1,
    max_args=1,
    status=RUN,
    description=_DESCRIPTION,
    complete="volume",
)
