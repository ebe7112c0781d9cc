"""Where a container's named devices were mounted: their places are left in its files, and are no change of the container's own. What
a device brings is looked up at each start, so the record of the container does not say it.

    containers/<id>/device-places.json      a list of paths in the container, of all starts

An empty libcuda.so.1 in a committed image would be an error in each of its containers.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootless import atomic
from rootless.errors import Corrupt

_NAME = "/device-places.json"


def known(directory: str) -> list[str]:
    """Those of the container in `directory`, sorted. Corrupt for a file that says something else."""
    found: object = None
    try:
        found = atomic.read_json(directory + _NAME)
    except FileNotFoundError:
        return []
    except ValueError:
        pass
    if not isinstance(found, list) or not all(isinstance(path, str) for path in found):
        raise Corrupt(f"{directory}{_NAME} is no list of paths", hint="remove it: the places of its devices then count as changes")
    return found


def add(directory: str, paths: Iterable[str], *, durable: bool) -> None:
    """Remember these too, before something is mounted there. The caller holds the container's lock."""
    before = known(directory)
    if missing := set(paths) - set(before):
        atomic.write_json(directory + _NAME, sorted(missing | set(before)), durable=durable)
