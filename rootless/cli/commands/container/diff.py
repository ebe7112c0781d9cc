"""`rootless diff`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.cli.output.columns import plain
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import NotSupported
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.drivers import shifted
from rootless.storage.layers import diff
from rootless.storage.layers.diff import Change
from rootless.storage.store import Store


def run(args: Args) -> int:
    """List what the container added (A), changed (C) and deleted (D)."""
    store = Store.open()
    chosen.name_first(store, args)
    identifier = containers.find(store, args.positional[0])
    record = read_config(store, identifier)
    if record["rootfs"]:
        raise NotSupported("a container made with --rootfs has no image to compare with")
    session.join()
    directory = containers.directory(store, identifier)
    id_map = record.get("id_map") if shifted.is_copy(directory) else None
    shown = shifted.out_of(id_map["uid"], id_map["gid"]) if id_map else None
    found = diff.diff(store, directory, record["diff_ids"], shown)
    for change in without_mount_points(found, record):
        print(f"{change.kind} {plain(change.path)}")
    return 0


def without_mount_points(found: list[Change], record: ContainerConfig) -> list[Change]:
    """The changes without the places that had to be made to mount something there; Docker's are in a
    layer of their own. A directory that only counts as changed because of them goes too, and an /etc that
    the image lacks."""
    ours = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys"}
    notes = ("/.dockerenv", "/run/.containerenv")  # which every start writes
    ours |= {mount["target"] for mount in record["mounts"]}
    ours |= {device["target"] for device in record["devices"]}
    kept = [
        c
        for c in found
        if c.path not in notes
        and not (c.kind == "A" and (c.path in ours or c.path.startswith(("/dev/", "/proc/", "/sys/"))))
    ]
    dropped = {c.path for c in found} - {c.path for c in kept}
    above = {path.rpartition("/")[0] for path in dropped}
    return [
        c
        for c in kept
        if c.path not in above or (c.kind != "C" and c.path != "/etc") or any(o.path.startswith(c.path + "/") for o in kept)
    ]


COMMAND = Command(
    name="diff",
    summary="Inspect changes to files or directories on a container's filesystem",
    usage="[OPTIONS] CONTAINER",
    options=(chosen.LATEST,),
    handler=run,
    min_args=1,
    max_args=1,
    complete="container",
)
