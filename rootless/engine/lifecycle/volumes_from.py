"""--volumes-from: what other containers mount."""

from __future__ import annotations

from rootless.engine.options.mount_config import Mount
from rootless.engine.state.config import read_config
from rootless.errors import InvalidInput
from rootless.storage.containers import containers
from rootless.storage.store import Store


def mounts(store: Store, own: list[Mount], words: list[str]) -> list[Mount]:
    """The container's `own` mounts, and of the containers that --volumes-from's `words` name those at other places."""
    found = list(own)
    for word in words:
        name, _, access = word.partition(":")
        if access not in ("", "rw", "ro"):
            raise InvalidInput(f"invalid mode in --volumes-from: {word}", hint="write CONTAINER[:ro]")
        other = read_config(store, containers.find(store, name))
        taken = {mount["target"] for mount in found}
        for mount in other["mounts"]:
            if mount["type"] != "tmpfs" and mount["target"] not in taken:
                # Its anonymous volumes stay that container's: they are not removed with this one.
                options = [word for word in mount["options"] if word != "anonymous"]
                read_only = mount["read_only"] or access == "ro"
                found.append({**mount, "options": options, "read_only": read_only})
    return found
