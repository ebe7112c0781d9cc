"""Trying out where a store's containers and layers can be (places.py), by doing what they need there.

    ROOT              unless its file system is known to lose an overlay's files after a while
    $ROOTLESS_LOCAL   alone, where it is set
    else              $SLURM_TMPDIR, $TMPDIR, /local*, /scratch/local, /tmp, /dev/shm: the first with the kernel's overlay,
                      else the first in which anything works
"""

from __future__ import annotations

import glob
import os
import sys

from rootless import paths
from rootless.errors import NotSupported, RootlessError
from rootless.linux.filesystem import filesystem_type
from rootless.runtime.sync import pair
from rootless.session import session
from rootless.storage import served_mounts
from rootless.storage.directories import VARIABLE, Places, is_private, nearest
from rootless.storage.driver_probe import try_drivers
from rootless.words import plain

# An overlay mounts on some of them, and then loses its files (ESTALE).
_FORBIDDEN = {"nfs", "smb2", "cifs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "0xaad7aaea"}  # the last is PanFS
_BEST = "overlay"


def choose(root: str, asked: str) -> Places:
    """The places for the store at `root`. NotSupported where `asked` ($ROOTLESS_LOCAL) cannot be one.

    Starts the session. Where nothing works it is `root`, whose errors say the rest.
    """
    if asked:
        found = _asked(root, asked)
    else:
        kind = filesystem_type(nearest(root))
        found = Places(root, root, "nothing better was found", {})
        found = _best(root, kind, found.refused)
    if found.local != root and not asked:
        sys.stderr.write(
            f"rootless: images are kept in {plain(root)}, containers and unpacked layers in {plain(found.local)}: {plain(found.why)}\n"
        )
    return found


def _asked(root: str, asked: str) -> Places:
    served_mounts.wait(os.path.abspath(asked))
    if os.path.abspath(asked) == root:
        return Places(root, root, f"{VARIABLE} says so", {})
    local = _below(os.path.abspath(asked), root)
    why = _make(local)
    driver, refused = ("", why) if why else _try(local)
    if not driver:
        raise NotSupported(
            f"{VARIABLE}={asked} cannot hold containers: {refused}",
            hint=f"name a directory of yours on a local disk, or unset {VARIABLE} to have one found",
        )
    return Places(root, local, f"{VARIABLE} says so", {})


def _best(root: str, kind: str, refused: dict[str, str]) -> Places:
    second: tuple[str, str] | None = None
    if kind in _FORBIDDEN:
        refused[root] = f"{kind} holds no containers"
    else:
        driver, why = _try(root)
        if driver == _BEST:
            return Places(root, root, f"the kernel's overlay works on {kind}", refused)
        refused[root] = why
        if driver:
            second = (root, f"{driver} works on {kind}")
    for place in candidates():
        local = _below(place, root)
        why = _make(local)
        driver, why = ("", why) if why else _try(local)
        if driver == _BEST:
            return Places(root, local, refused[root], refused)
        refused[local] = why
        if driver and second is None:
            second = (local, refused[root])
    return Places(root, *(second or (root, "no place was found that can hold containers")), refused)


def candidates() -> list[str]:
    """Directories that may be local, in the order of their being tried."""
    named = [os.environ.get(name, "") for name in ("SLURM_TMPDIR", "TMPDIR")]
    found = [*named, *sorted(glob.glob("/local*")), "/scratch/local", "/tmp", "/dev/shm"]
    return [path for path in dict.fromkeys(found) if path.startswith("/") and _is_directory(path)]


def _is_directory(path: str) -> bool:
    served_mounts.wait(path)
    return os.path.isdir(path)


def _below(place: str, root: str) -> str:
    """Our directory in `place`: another one for each user and ROOT, the same one each time."""
    import hashlib

    return f"{place.rstrip('/')}/rootless-{paths.host_uid()}-{hashlib.sha256(root.encode()).hexdigest()[:12]}"


def _make(local: str) -> str:
    """Make the directory; why that cannot be, or "". What somebody else has put there is not used."""
    try:
        os.mkdir(local, 0o700)
    except FileExistsError:
        return "" if is_private(local) else "somebody else's directory has its name"
    except OSError as error:
        return str(error.strerror)
    return ""


def _try(place: str) -> tuple[str, str]:
    """The driver that works in `place`, and why a better one does not; "" where none does. In a forked child, in the session."""
    ours, theirs = pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            session.join()
            driver, refused = try_drivers(place)
            theirs.send("done", {"driver": driver, "why": "; ".join(f"{name}: {why}" for name, why in refused.items())})
        except (OSError, RootlessError) as error:
            theirs.send_error(error, step="try a place for containers")
        finally:
            os._exit(0)
    theirs.close()
    try:
        answer = ours.expect("done").data
        return str(answer["driver"]), str(answer["why"])
    except RootlessError as error:
        return "", error.message
    finally:
        ours.close()
        os.waitpid(pid, 0)
