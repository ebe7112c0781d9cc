"""The volumes of a pod, made in the store: empty ones, files of ConfigMaps and Secrets, claims, files of the host.

All but claims are anonymous, and go with the pod's containers.
"""

from __future__ import annotations

import contextlib
import os

from rootless.engine.files.volumes import volumes as engine
from rootless.kube.load.model import Claim, Pod, PodVolume
from rootless.storage import named_paths
from rootless.storage import volumes as stored
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_claims(store: Store, claims: list[Claim]) -> list[str]:
    """The named volumes, those made that are not there; their names."""
    return [
        engine.create(store, claim.name, options=[], labels=[f"{key}={value}" for key, value in claim.labels.items()])
        for claim in claims
    ]


def make(store: Store, pod: Pod) -> dict[str, str]:
    """The volumes of the pod that its containers mount: names in the store by the pod's. Nothing is left where this raises.
    The caller has joined the session."""
    made: dict[str, str] = {}
    mounts = [mount for container in (*pod.init, *pod.containers) for mount in container.mounts]
    try:
        for volume in pod.volumes.values():
            inside = [mount.subpath for mount in mounts if mount.volume == volume.name]
            if volume.kind == "hostPath":
                _make_file(volume)
            elif volume.kind != "memory" and inside:
                made[volume.name] = _make(store, volume, inside)
    except BaseException:
        discard(store, pod, made)
        raise
    return made


def discard(store: Store, pod: Pod, made: dict[str, str]) -> None:
    """Remove what make() has made, and nobody mounts."""
    for name, volume in made.items():
        if pod.volumes[name].kind != "claim":
            stored.remove(store, volume, missing_ok=True)


def _make(store: Store, volume: PodVolume, inside: list[str]) -> str:
    name = engine.create(store, volume.source if volume.kind == "claim" else None, options=[], labels=[])
    found = stored.find(store, name)
    if found.options:
        return name  # another file system, which is mounted when a container starts: what is in it is there already
    top = os.open(found.path, _DIRECTORY)
    try:
        if volume.kind == "emptyDir":
            os.fchmod(top, 0o777)  # as Kubernetes': for whoever the containers run as
        for file in volume.files:
            _write(top, file.path, file.data, file.mode)
        if volume.kind != "files":
            for path in inside:
                _directories(volume, top, path, 0o777 if volume.kind == "emptyDir" else 0o755)
    except BaseException:
        if volume.kind != "claim":
            stored.remove(store, name, missing_ok=True)
        raise
    finally:
        os.close(top)
    return name


def _directories(volume: PodVolume, top: int, path: str, mode: int) -> None:
    """Make what a subPath names, where it is not there. No link is followed: a container may have put it into a claim."""
    here = os.dup(top)
    try:
        for part in path.split("/") if path else ():
            new = True
            try:
                os.mkdir(part, 0o700, dir_fd=here)
            except FileExistsError:
                new = False
            try:
                below = os.open(part, _DIRECTORY, dir_fd=here)
            except NotADirectoryError:
                return  # a file, which is mounted as one, or a link, which the mount refuses to leave the volume by
            os.close(here)
            here = below
            if new:
                os.fchmod(here, mode)  # by the descriptor: another container of the claim may put a link there meanwhile
    except OSError as error:
        raise volume.node.error("", f"subPath {path}: {error.strerror}") from None
    finally:
        os.close(here)


def _write(top: int, path: str, data: bytes, mode: int) -> None:
    """A file in a volume that nobody but us has seen yet."""
    *above, name = path.split("/")
    here = os.dup(top)
    try:
        for part in above:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=here)
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=here)
        with open(fd, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
    finally:
        os.close(here)


def _make_file(volume: PodVolume) -> None:
    """hostPath of type FileOrCreate."""
    if volume.type != "FileOrCreate":
        return
    try:
        os.close(named_paths.open_new_file(volume.source, "hostPath"))
    except FileExistsError:
        pass
    except OSError as error:
        raise volume.node.error("hostPath", f"{volume.source}: {error.strerror}") from None
