"""`rootless run --shared --save`: the container saved at the end, or kept where that fails."""

from __future__ import annotations

import os
from shlex import quote

from rootless.engine.files import squash
from rootless.engine.lifecycle import shared
from rootless.engine.state.config import ContainerConfig
from rootless.errors import RootlessError
from rootless.storage.store import Store


def save(store: Store, member: shared.Member, record: ContainerConfig, target: str, place: int) -> None:
    """Save the container as squash.save does. Where that fails what it has, which may be hours of work, stays in the store, and the
    error says what to type."""
    try:
        squash.save(store, member.id, target, place)
    except RootlessError as error:
        shared.keep(store, member)
        name = member.id[:12]
        image = f"rootless export {name} | rootless import - kept" if record["rootfs"] else f"rootless commit {name} kept"
        hint = (
            f"the container is kept, on {os.uname().nodename}; save it again: {image} && rootless run --shared --save {quote(target)} "
            f"kept true\nthen remove it: rootless rm {name}"
        )
        raise type(error)(error.message, hint=f"{error.hint}\n{hint}" if error.hint else hint) from None
