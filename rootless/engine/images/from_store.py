"""An image that is in somebody else's store alone: run from there, or brought into one's own.

From there is by its squashfs, which holds what its publisher has put there and can change while it is read. So it has to be
root's or the caller's, or in a store that the user's configuration trusts by name, where its digest is checked once on each
machine. Everybody else's image is brought: its layers are unpacked here, each checked by the digest that the image's id stands for.
"""

from __future__ import annotations

import hashlib
import os
import sys

from rootless import atomic, paths, user_config
from rootless.engine.state.config import StoreFile
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.image import platforms, reference
from rootless.image.archive.load import add_from_layout
from rootless.image.manifest import Descriptor
from rootless.image.progress import silent
from rootless.image.registry import registries_conf
from rootless.image.stores import layout
from rootless.image.stores import lookup as stores
from rootless.image.stores.reading import OpenStore
from rootless.image.trust import policy
from rootless.runtime.squashfs.header import identity_of
from rootless.runtime.squashfs.serve import find_program
from rootless.session import session
from rootless.storage import blobs, images
from rootless.storage.directories import make_directory
from rootless.storage.drivers import rootfs
from rootless.storage.images import Image
from rootless.storage.store import Store
from rootless.words import plain

_HOST = "docker.io/library/host:latest"
_HEX = frozenset("0123456789abcdef")


def find(text: str, platform: str = "") -> Image | None:
    """The image that `text` means in the stores of others, for `platform` or this machine. Not the machine itself, which is nobody's to
    publish. InvalidInput for what is no platform."""
    machine = platforms.parse(platform) if platform else None
    bare = text.removeprefix("sha256:")
    try:
        wanted = reference.parse(text)
    except InvalidInput:
        return stores.find(identifier=bare) if bare and _HEX.issuperset(bare) else None
    if wanted.digest:
        return stores.by_digest(wanted.name, wanted.digest, machine)
    names = dict.fromkeys([wanted.canonical])
    if reference.is_short(text):
        names |= dict.fromkeys(candidate.canonical for candidate in registries_conf.read().candidates(text))
    for name in names:
        if name != _HOST and (found := stores.find(canonical=name, wanted=machine)):
            return found
    return stores.find(identifier=bare) if _HEX.issuperset(bare) else None


def take(store: Store, image: Image, *, own_ids: bool) -> StoreFile | None:
    """At create: the file that the container of the published `image` runs from. None, with the image brought here, which is said,
    where it cannot. `own_ids`: the container has a map of its own, and wants the layers. Joins the session; with a lease."""
    if image.published:
        policy.check_archive("oci", image.published.store)
    found: StoreFile | None = None
    try:
        why = "this container has ids of its own" if own_ids else ""
        if not why:
            found, why = _file(store, image)
    except RootlessError as error:
        why = error.message
    if found is None:
        _bring(store, image, why)
    return found


def _called(name: str, identifier: str) -> Image | None:
    """The image of that id, if that is what the name means in a store."""
    try:
        return stores.find(canonical=reference.parse(name).canonical, identifier=identifier) if name and user_config.stores() else None
    except InvalidInput:
        return None  # it was run by its id


def _file(store: Store, image: Image) -> tuple[StoreFile | None, str]:
    """The image's squashfs in the store that has it, or why it is not used."""
    published = image.published
    if published is None:
        return None, "it is no store's"
    kind = layout.ONE if session.join().single_id else layout.RANGE
    entry = published.files.get(kind)
    if entry is None:
        return None, f"the store has no file of it for users {'without' if kind == layout.ONE else 'with'} a range of ids"
    if find_program() is None:
        return None, "squashfuse_ll is not installed (`rootless helpers install squashfuse`)"
    if rootfs.probe(store) != "overlay":
        return None, "containers here are not made by the kernel's overlay"
    name = layout.squashfs(entry["digest"])
    with OpenStore(published.store) as opened:
        fd = opened.open_file(name)
        try:
            if os.fstat(fd).st_size != entry["size"]:
                raise opened.wrong(name, f"it has not the {entry['size']} bytes of its record")
            strangers = opened.strangers(layout.record(image.id), name, *(layout.name(one) for one in image.names))
            if strangers and not opened.named:
                return None, f"{strangers}, who could change what is run (trusted_stores in {user_config.path()} says that you trust them)"
            if strangers:
                _check(fd, opened, name, entry["digest"])
            return {"path": f"{opened.real}/{name}", "identity": identity_of(os.fstat(fd))}, ""
        finally:
            os.close(fd)


def _check(fd: int, opened: OpenStore, name: str, digest: str) -> None:
    """Read the whole file, once for this machine and each change of it. Corrupt."""
    directory = f"{paths.runtime_dir()}/checked"
    make_directory(directory)
    note = f"{directory}/{digest[7:]}.json"
    status = os.fstat(fd)
    seen = [status.st_dev, *identity_of(status)]
    try:
        if atomic.read_json(note) == seen:
            return
    except (OSError, ValueError):
        pass  # not checked yet
    with open(os.dup(fd), "rb") as file:
        found = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest or [os.fstat(fd).st_dev, *identity_of(os.fstat(fd))] != seen:
        raise opened.wrong(name, "its digest is another one: it was damaged or changed")
    atomic.write_json(note, seen, durable=False)


def _bring(store: Store, image: Image, why: str) -> None:
    """Copy the image's blobs into our store, unpack them, and record it under its name where we have none of that name and it is for this
    machine. A line on stderr says so."""
    if image.published is None:
        return
    name = reference.parse(image.names[0]).familiar() if image.names else image.id[:19]
    directory = image.published.store
    sys.stderr.write(plain(f"rootless: {name} of the store {directory} is copied into your own: {why}") + "\n")
    policy.check_archive("oci", directory)
    entry = Descriptor(str(image.manifest["mediaType"]), str(image.manifest["digest"]), int(image.manifest["size"]))
    with store.lease(), OpenStore(directory) as opened:
        try:
            brought = _add(store, opened, image, entry)
        except RootlessError as error:
            error.message = f"{name} of the store {directory}: {error.message}"
            raise
        # Of another machine's platform it would hide what the name means here.
        fits = platforms.select([platforms.of(image.config)], platforms.host()) is not None
        for name in image.names if fits else ():
            try:
                images.find(store, name, all_names=False)
            except NotFound:
                images.tag(store, brought.id, name)


def _add(store: Store, opened: OpenStore, image: Image, entry: Descriptor) -> Image:
    """The image as one of ours, without a name. Where another command copies the same, as all ranks of a job do, that is waited for."""
    while True:
        try:
            return add_from_layout(store, opened, entry, platforms.host(), silent)[0]
        except Conflict:
            for digest in image.layers:
                blobs.wait(store, digest)


def owned(store: Store, identifier: str, why: str, image: Image | None = None, name: str = "") -> Image:
    """The image of that id as one of our own, brought here where a store has it alone. `image`: as it was found; `name`: what people
    call it, which it gets, as we have none of that name, if it is so called in a store. NotFound."""
    try:
        return images.find(store, identifier)
    except NotFound:
        found = image if image is not None and image.published else _called(name, identifier)
        found = found or stores.find(identifier=identifier.removeprefix("sha256:"))
        if found is None:
            raise
    _bring(store, found, why)
    return images.find(store, identifier)
