"""doctor: the store's file system, the storage driver it gives, and room in it."""

from __future__ import annotations

import os

from rootless import paths, sizes
from rootless.engine.doctor.result import ProbeResult, error, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.image.stores import lookup
from rootless.linux.filesystem import filesystem_type
from rootless.network.uplink.slirp4netns.diagnosis import module_fix, udev_fix
from rootless.storage import places, squashed
from rootless.storage.driver_probe import try_drivers
from rootless.storage.remove_tree import remove_tree

NETWORK_FILESYSTEMS = {"nfs", "smb2", "cifs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p"}
LITTLE_SPACE_BYTES = 2 << 30
FEW_INODES = 50_000
ELSEWHERE = "set ROOTLESS_ROOT to a directory of yours on a local disk (ext4, xfs, btrfs, tmpfs)"
FUSE_RULE = 'KERNEL=="fuse", MODE="0666", OPTIONS+="static_node=fuse"'


def driver(scene: Scene) -> ProbeResult:
    """Each driver of the ladder, tried where containers are or will be."""
    where = places.find(scene.root, paths.runtime_dir())
    here = places.nearest(where.local)
    scene.join()
    scratch = f"{here}/.rootless-doctor-{os.getpid()}"
    os.mkdir(scratch, 0o700)
    try:
        best, refused = try_drivers(scratch)
    finally:
        remove_tree(scratch)
    kind = filesystem_type(here)
    if where.local != where.root:
        shared = f"images are in {where.root}, containers in {where.local}, by {best} on {kind}: {where.why}"
        if best == "overlay" and squashed.can_be_made():
            return ok("storage", shared)
        return warning("storage", shared, "other machines and jobs unpack images anew", "",
                       "install squashfuse and squashfs-tools; a local disk for users")  # fmt: skip
    if best == "overlay":
        return ok("storage", f"native overlay works on {kind} ({here})")
    why = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
    if best == "fuse-overlayfs":
        return warning("storage", f"fuse-overlayfs is used on {kind} ({why})",
                       "reading and writing in containers is slower", ELSEWHERE,
                       "Linux 5.13 or newer, or a local file system for users")  # fmt: skip
    return warning("storage", f"every container gets a full copy of its image on {kind} ({why})",
                   "starting a container takes time and space", ELSEWHERE,
                   "install fuse-overlayfs, and give users /dev/fuse (0666)")  # fmt: skip


def filesystem(scene: Scene) -> list[ProbeResult]:
    """Where the store is, how it is mounted, how full it is."""
    here = scene.store_place()
    found = []
    kind = filesystem_type(here)
    flags = os.statvfs(here)
    if kind in NETWORK_FILESYSTEMS:
        found.append(warning("store", f"{here} is on a network file system ({kind})",
                             "images are kept there as one file each, containers in a local place", ELSEWHERE,
                             "a directory for each user on a local disk"))  # fmt: skip
    if flags.f_flag & os.ST_RDONLY or not os.access(here, os.W_OK | os.X_OK):
        found.append(error("store", f"{here} cannot be written", "nothing can be stored", ELSEWHERE))
    for flag, word, grade, effect in (
        (os.ST_NOEXEC, "noexec", error, "programs of images cannot run"),
        (os.ST_NOSUID, "nosuid", warning, "sudo, su and ping inside containers do not gain rights"),
    ):
        if flags.f_flag & flag:
            found.append(grade("store", f"{here} is on a file system mounted {word}", effect, ELSEWHERE,
                               f"mount it without {word}"))  # fmt: skip
    found += _room(here, flags)
    return found or [ok("store", f"{sizes.decimal(flags.f_bavail * flags.f_frsize)} free in {here} ({kind})")]


def _room(here: str, flags: os.statvfs_result) -> list[ProbeResult]:
    found = []
    free = flags.f_bavail * flags.f_frsize
    freeing = "`rootless system prune` removes what is unused; or " + ELSEWHERE
    if free < LITTLE_SPACE_BYTES:
        full = error if free < 1 << 20 else warning
        found.append(full("store", f"{sizes.decimal(free)} are free in {here}", "images may not fit", freeing))
    # btrfs and some network file systems count no inodes and say 0 of 0.
    if flags.f_files and flags.f_favail < FEW_INODES:
        found.append(warning("store", f"{flags.f_favail} files can still be made in {here}",
                             "an image has tens of thousands of files", freeing,
                             "a larger inode quota"))  # fmt: skip
    return found


def fuse(_: Scene) -> ProbeResult:
    """/dev/fuse, opened."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        missing = isinstance(problem, FileNotFoundError)
        admin = module_fix("fuse") if missing else udev_fix(FUSE_RULE)
        return not_available("/dev/fuse", f"/dev/fuse: {problem.strerror}",
                             "no fuse-overlayfs where native overlay does not work", "", admin)  # fmt: skip
    return ok("/dev/fuse", "can be opened")


def others(_: Scene) -> list[ProbeResult]:
    """The stores of others that the user has listed."""
    found = []
    for path, wrong, how in lookup.described():
        if wrong:
            found.append(warning("stores", wrong, "its images, or some of them, are not found", how or f"tell whoever keeps {path}"))
        else:
            found.append(ok("stores", f"{path}: {how}"))
    return found


PROBES = (
    Probe("storage", driver, essential=True, needs="user namespace"),
    Probe("store", filesystem),
    Probe("/dev/fuse", fuse),
    Probe("stores", others),
)
