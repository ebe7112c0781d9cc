"""Which storage driver this host and file system can do: a ladder, tried from the top by doing it.

    overlay         native overlayfs with userxattr: mounted, written to, whiteout, opaque, rename
    fuse-overlayfs  the same tests through /dev/fuse
    directory       a full copy per container: slow, works wherever files can be owned

`probed` is; everything else runs once per kernel and file system.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

DRIVERS = ("overlay", "fuse-overlayfs", "directory")


def probed(store: Store) -> str:
    """The driver to use: ROOTLESS_STORAGE_DRIVER, else the cached or fresh outcome of the ladder.

    NotSupported when not even a copy can be made here (with why and what to do), or when the
    driver asked for does not work. Wants the session joined when it has to probe.
    """
    return str(report(store)["driver"])


def report(store: Store) -> dict[str, Any]:
    """driver.json: {"driver", "kernel", "filesystem", "refused": {driver: why}, "told": bool}."""
    asked = os.environ.get("ROOTLESS_STORAGE_DRIVER", "")
    if asked and asked not in DRIVERS:
        raise InvalidInput(f"unknown storage driver {asked!r}", hint="one of: " + ", ".join(DRIVERS))
    kernel = os.uname().release
    try:
        here = f"{os.stat(store.root).st_dev:x}-{os.statvfs(store.root).f_fsid:x}"
    except FileNotFoundError:
        here = ""
    try:
        known = atomic.read_json(store.root + "/driver.json")
        if (known["kernel"], known["filesystem"], known["asked"]) == (kernel, here, asked):
            return known  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from rootless.storage.driver_probe import try_drivers

    driver, refused = try_drivers(store.root, asked)
    here = f"{os.stat(store.root).st_dev:x}-{os.statvfs(store.root).f_fsid:x}"
    found = {
        "driver": driver,
        "kernel": kernel,
        "filesystem": here,
        "asked": asked,
        "refused": refused,
        "told": driver == "overlay" or bool(asked),
    }
    try:
        atomic.write_json(store.root + "/driver.json", found, durable=False)
    except OSError:
        pass  # a full or read-only store: probe again next time
    return found


def remembered(store: Store) -> str:
    """The driver asked for or found before; where nothing was tried yet, the first that will be. Probes nothing."""
    try:
        found = atomic.read_json(store.root + "/driver.json").get("driver")
    except (OSError, ValueError, AttributeError):
        found = None
    asked = os.environ.get("ROOTLESS_STORAGE_DRIVER", "")
    return asked if asked in DRIVERS else found if found in DRIVERS else DRIVERS[0]


def take_warning(store: Store) -> str | None:
    """What the user should hear, once per probe, about a driver that is not the best; else None."""
    found = report(store)
    if found["told"]:
        return None
    try:
        atomic.write_json(store.root + "/driver.json", {**found, "told": True}, durable=False)
    except OSError:
        pass
    why = found["refused"].get("overlay", "")
    if found["driver"] == "directory":
        return (
            f"storage driver: every container gets a full copy of its image (overlay: {why}; "
            f"fuse-overlayfs: {found['refused'].get('fuse-overlayfs', '')})"
        )
    return f"storage driver: fuse-overlayfs, slower than the kernel's overlay ({why})"


def check(store: Store, driver: str) -> str:
    """`driver` if it works here, for --storage-driver; NotSupported with the cause otherwise."""
    if driver not in DRIVERS:
        raise InvalidInput(f"unknown storage driver {driver!r}", hint="one of: " + ", ".join(DRIVERS))
    found = report(store)
    if found["driver"] == driver:
        return driver
    from rootless.storage.driver_probe import try_drivers

    return try_drivers(store.root, driver)[0]
