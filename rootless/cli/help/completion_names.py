"""Names that a word of the command line may be, for completion.

"container:STATE,..." are those in one of these states: who types `stop` means one that runs. "filter:LISTING" are
the keys of its --filter, "mount" what may stand at the front of -v.
"""

from __future__ import annotations

import os
import sys

from rootless.errors import RootlessError

_FILTERS = {
    "container": "rootless.engine.views.container_filters",
    "event": "rootless.engine.state.events.event_log",
    "image": "rootless.engine.images.listing",
    "network": "rootless.engine.networks.listing",
    "pod": "rootless.engine.views.pod_filters",
    "volume": "rootless.engine.files.volumes.volumes",
}
"""Where the FILTERS of a listing are."""


def names(subject: str) -> list[str]:
    """What a word may be: names from the store, or the words that `subject` lists."""
    if "|" in subject:
        return subject.split("|")
    try:
        return _stored(subject)
    except (RootlessError, OSError) as error:
        if os.environ.get("ROOTLESS_DEBUG"):
            print(error, file=sys.stderr)
        return []


def _stored(subject: str) -> list[str]:
    from rootless.storage.store import Store

    kind, _, wanted = subject.partition(":")
    if kind == "filter":
        from importlib import import_module

        return [f"{key}=" for key in import_module(_FILTERS[wanted]).FILTERS if not key.endswith("!")]
    store = Store.open()
    if kind == "container":
        from rootless.storage.names import all_names as container_names

        found = {one: name for one, name in container_names(store).items() if not os.path.isdir(f"{store.root}/pods/{one}")}
        if wanted:
            from rootless.storage.containers.containers import status

            states = wanted.split(",")
            return sorted(name for identifier, name in found.items() if status(store, identifier).state in states)
        return sorted(found.values())
    if subject == "image":
        from rootless.engine.images.listing import all_names

        return all_names(store)
    if subject == "network":
        from rootless.engine.networks import records

        return [*(network["name"] for network in records.every(store)), "slirp4netns", "pasta", "container:"]
    if subject == "pod":
        from rootless.storage import names, pods

        known = names.all_names(store)
        return sorted(known[identifier] for identifier in pods.ids(store) if identifier in known)
    if subject == "volume":
        from rootless.storage import volumes

        return sorted(volume.name for volume in volumes.list_volumes(store))
    return []
