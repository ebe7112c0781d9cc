"""What a container changed in its image's files, without what the engine made for its mounts."""

from __future__ import annotations

from typing import NamedTuple

from rootless.engine.cdi import places
from rootless.engine.files import incoming
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import NotSupported
from rootless.session import session
from rootless.storage import owner_file
from rootless.storage.containers import containers
from rootless.storage.drivers import shifted
from rootless.storage.drivers.shifted import Owners
from rootless.storage.layers import diff, layers, write_tar
from rootless.storage.layers.diff import Change
from rootless.storage.layers.image_owners import ImageOwners
from rootless.storage.layers.write_tar import Sink
from rootless.storage.store import Store


class Changes(NamedTuple):
    """`kept` are the container's own, sorted by path; `engines` are the paths of all others.

    `shown`: the image's numbers of the owners, in a copy that was given to other ids.
    """

    record: ContainerConfig
    directory: str
    kept: list[Change]
    engines: set[str]
    shown: Owners | None


def of(store: Store, identifier: str) -> Changes:
    """The container's changes; it may run. Joins the session. NotSupported where it has no image."""
    record = read_config(store, identifier)
    if record["rootfs"]:
        made = "from an image file" if record.get("image_file") else "with --rootfs"
        raise NotSupported(f"a container made {made} has no image to compare with")
    session.join()
    if (store.shared or record.get("store_file")) and not all(layers.has(store, diff_id) for diff_id in record["diff_ids"]):
        from rootless.engine.images.repair import restore

        restore(store, record)  # it runs from the image's one file, and what is compared are layers
    directory = containers.directory(store, identifier)
    id_map = record.get("id_map") if shifted.is_copy(directory) else None
    shown = shifted.out_of(id_map["uid"], id_map["gid"]) if id_map else None
    found = diff.diff(store, directory, record["diff_ids"], shown, over_host=bool(record.get("over_host")))
    kept = without_mount_points(found, record, places.known(directory) if record.get("cdi") else [])
    if coming := incoming.left(directory):
        kept = [change for change in kept if change.path.split("/", 2)[1] != coming]
    engines = {change.path for change in found} - {change.path for change in kept}
    return Changes(record, directory, kept, engines, shown)


def write_layer(store: Store, changes: Changes, out: Sink) -> None:
    """The container's own changes as the tar of a layer. Wants the session joined."""
    owners = ImageOwners(store, changes.record["diff_ids"])
    links = owner_file.read(changes.directory)
    copied = changes.directory + "/rootfs"
    if not diff.is_copy(changes.directory):
        left_out = {path[1:] for path in changes.engines}
        shown = _of_the_machine if changes.record.get("over_host") else None
        write_tar.write_layer(changes.directory + "/upper", out, owners=owners, left_out=left_out, links=links, shown=shown)
        return
    gone: dict[str, list[str]] = {}
    changed: set[str] = set()
    for change in changes.kept:
        above, _, name = change.path[1:].rpartition("/")
        if change.kind == "D":
            gone.setdefault(above + "/" if above else "", []).append(name)
        else:
            changed.add(change.path[1:])
        while above:  # a directory that the engine changed, too, is not among those kept
            changed.add(above)
            above = above.rpartition("/")[0]
    write_tar.write_changes(copied, out, changed=changed, gone=gone, owners=owners, shown=changes.shown, links=links)


def _of_the_machine(uid: int, gid: int) -> tuple[int, int]:
    """A file of the machine's own that was changed has the number there that its owner, who has none here, was shown with."""
    return (0 if uid == shifted.NOBODY else uid), (0 if gid == shifted.NOBODY else gid)


def without_mount_points(found: list[Change], record: ContainerConfig, of_devices: list[str]) -> list[Change]:
    """The changes without the places that had to be made to mount something there, `of_devices` those of named devices; Docker's
    are in a layer of their own. A directory that only counts as changed because of them goes too, and an /etc that
    the image lacks."""
    ours = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys"}
    notes = ("/.dockerenv", "/run/.containerenv")  # which every start writes
    ours |= {mount["target"] for mount in record["mounts"]}
    ours |= {device["target"] for device in record["devices"]}
    ours.update(of_devices)
    kept = [
        c
        for c in found
        if c.path not in notes
        and not (c.kind == "A" and (c.path in ours or c.path.startswith(("/dev/", "/proc/", "/sys/"))))
    ]
    dropped = {c.path for c in found} - {c.path for c in kept}
    above: set[str] = set()
    for path in dropped:
        while path := path.rpartition("/")[0]:
            above.add(path)
    made = {"/etc", *(path.rpartition("/")[0] for path in of_devices)}
    wanted: list[Change] = []
    needed: set[str] = set()  # directories that hold a change that stays
    for change in reversed(kept):  # what is in a directory comes before it
        if change.path in above and change.path not in needed and (change.kind == "C" or change.path in made):
            continue
        wanted.append(change)
        needed.add(change.path.rpartition("/")[0])
    return wanted[::-1]
