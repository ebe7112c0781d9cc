"""fuse-overlayfs, started for a container's root. Imported where one is."""

from __future__ import annotations

import os

from rootless import inherited, paths
from rootless.errors import NotSupported
from rootless.linux.signals import ignore_sent_to_jobs
from rootless.runtime.mounts.host_lower import mount_host

# MAX_ARG_STRLEN, the longest word that a program can be given.
_ARGUMENT_BYTES = 1 << 17


def run_daemon(
    path: str, layers: tuple[str, ...], *, upper: str, work: str, maps: tuple[str, str], host: tuple[str, ...] | None
) -> None:
    """Mount `layers`, topmost first, at `path`; returns when the mount stands and its daemon runs.

    `upper` is "" for a read-only one. `maps` are for uids and gids, "from:to:count" and so on, "" for none. `host`: the machine's
    "/" is below all layers, less these directories. Namespaces below ours use it, too.
    """
    if host is not None:
        layers = (*layers, mount_host(os.path.dirname(path) + "/host", host))
    # By names relative to where they all are: hundreds of absolute ones would not fit into a word.
    common = os.path.commonpath(layers) if len(layers) > 1 else "/"
    lower = [os.path.relpath(path, common) if common != "/" else path for path in layers]
    words = ["lowerdir=" + ":".join(path.replace("\\", "\\\\").replace(":", "\\:") for path in lower)]
    if upper:
        words += [f"upperdir={upper}", f"workdir={work}"]
    if host is not None and not maps[0]:
        words.append("squash_to_root")
    elif maps[0]:
        words += [f"uidmapping={maps[0]}", f"gidmapping={maps[1]}"]
    words.append("allow_other")
    options = ",".join(words)
    if len(options) >= _ARGUMENT_BYTES:
        raise NotSupported(
            f"an image of {len(layers)} layers is more than fuse-overlayfs can be told of",
            hint="squash the image, or give each container a copy: ROOTLESS_STORAGE_DRIVER=directory",
        )
    program = paths.find_program("fuse-overlayfs")
    if program is None:
        hint = "`rootless helpers install fuse-overlayfs`, the administrator's package of that name, or a local file system"
        raise NotSupported("fuse-overlayfs is not installed", hint=hint)
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(common)
            inherited.leave_streams()
            ignore_sent_to_jobs()  # it ends when nothing has its mount any more
            os.execv(program, ["fuse-overlayfs", "-o", options, path])
        except OSError:
            os._exit(126)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise NotSupported(
            f"fuse-overlayfs could not mount the container's root (exit status {status})",
            hint="run `rootless doctor`: it says whether /dev/fuse can be used here",
        )
