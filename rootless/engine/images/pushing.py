"""`push`: which image and which tags a name means, and where they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rootless.engine.images.lookup import familiar, find
from rootless.engine.images.platform import of_index, require
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, NotFound
from rootless.image import reference
from rootless.image.progress import Progress, silent
from rootless.image.reference import Reference
from rootless.image.registry import registries_conf
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import push as pushing
from rootless.image.transfer.push import AS_IT_IS, Pushed
from rootless.image.transfer.work import Packing
from rootless.storage import images, indexes
from rootless.storage.images import Image
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.image.registry.auth_file import Credentials
    from rootless.image.trust.keys import PrivateKey

_TRANSPORTS = ("containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive")


class Target(NamedTuple):
    """One image and the name it is pushed as; or an index with all its images, `stored`, which then has no `image`."""

    image: Image | None
    name: Reference
    stored: StoredIndex | None = None


def choose(store: Store, text: str, destination: str = "", *, all_tags: bool = False) -> list[Target]:
    """What to push for `text`, and as what: `destination`, or the same name. NotFound and InvalidInput in
    Docker's words."""
    source = _name(text)
    if all_tags:
        if source.digest or not is_untagged(text):
            raise InvalidInput("tag can't be used with --all-tags/-a")
        if destination:
            raise InvalidInput("--all-tags/-a pushes to the repository of the tags: no destination besides")
        return _all_tags(store, source)
    target = _name(_bare(destination)) if destination else source
    if source.digest and not destination:
        raise InvalidInput("cannot push a digest reference", hint="`rootless tag` gives the image a name to push")
    if target.digest:
        raise InvalidInput("cannot push to a digest reference", hint="name a tag")
    stored = None if source.digest else indexes.find(store, source.canonical)
    if stored is not None:
        return [Target(None, target, stored)]
    try:
        image = find(store, text)
    except NotFound:
        raise NotFound(
            f"An image does not exist locally with the tag: {source.familiar_name()}",
            hint="`rootless images` lists what there is, `rootless tag` gives it the name to push",
        ) from None
    return [Target(image, target)]


def is_untagged(text: str) -> bool:
    """Whether `text` names neither tag nor digest."""
    return ":" not in text.rpartition("/")[2] and "@" not in text


def push(
    store: Store,
    target: Target,
    *,
    platform: str = "",
    packing: Packing = AS_IT_IS,
    progress: Progress = silent,
    tls_verify: bool = True,
    sign_by: tuple[str, bytes] | None = None,
    credentials: Credentials | None = None,
) -> Pushed:
    """Push one image, or an index with all of its images; see image.transfer.push for errors.

    `platform`: of an index the image that is for it, alone. `sign_by`: the file of a private key and its passphrase,
    with which the pushed manifest is signed beside it. `credentials` stand for the user's own.
    """
    key = _signing_key(*sign_by) if sign_by else None  # before anything is sent
    image = target.image
    if image is not None and image.published:
        from rootless.engine.images import from_store

        image = from_store.owned(store, image.id, "it is pushed from there", image)
        target = target._replace(image=image)
    if platform:
        image = _for_platform(store, target, platform)
    # Mirrors are for reading; the last endpoint is the registry itself.
    endpoint = registries_conf.read().endpoints(target.name)[-1]
    uploader = Uploader(endpoint, tls_verify=tls_verify, credentials=credentials)
    tag = target.name.tag or "latest"
    if image is not None:
        pushed = pushing.push(store, image, uploader, [tag], packing=packing, progress=progress)
        images.note_pushed(store, image.id, target.name.name, pushed.descriptor.digest)
    else:
        from rootless.engine.images import remote
        from rootless.image.transfer import push_index

        assert target.stored is not None
        pushed = push_index.push(
            store, target.stored, uploader, tag, target.name.name,
            packing=packing, progress=progress, source=lambda text: remote.at(text, tls_verify=tls_verify),
        )  # fmt: skip
    if key is not None:
        from rootless.image.registry.client import Registry
        from rootless.image.trust import signatures

        signatures.sign(
            uploader, Registry(endpoint, tls_verify=tls_verify), key, pushed.descriptor.digest, target.name.canonical
        )
    identity = image.id if image is not None else pushed.descriptor.digest
    events.write(store, "image", "push", identity, name=target.name.familiar())
    return pushed


def _for_platform(store: Store, target: Target, platform: str) -> Image:
    if target.image is not None:
        require(target.image, target.name.familiar(), platform)
        return target.image
    assert target.stored is not None
    return of_index(store, target.stored, target.name.familiar(), platform)


def _signing_key(path: str, passphrase: bytes) -> PrivateKey:
    from rootless.image.trust import keys

    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except OSError as error:
        raise InvalidInput(f"cannot read the key {path}: {error.strerror}") from None
    return keys.load_private(data, passphrase, path)


def _name(text: str) -> Reference:
    return reference.parse(text)


def _bare(destination: str) -> str:
    """Podman's destinations may begin with a transport."""
    transport = destination.partition(":")[0]
    if transport in _TRANSPORTS:
        raise InvalidInput(
            f"cannot push to {transport}: only to a registry", hint="`rootless save` writes archives and layouts"
        )
    return destination.removeprefix("docker://")


def _all_tags(store: Store, wanted: Reference) -> list[Target]:
    found = {}
    for image in images.list_images(store):
        for name in image.names:
            parsed = reference.parse(name)
            if parsed.name == wanted.name and parsed.tag and not parsed.digest:
                found[parsed.tag] = Target(image, parsed)
    for name, stored in indexes.named(store).items():
        parsed = reference.parse(name)
        if parsed.name == wanted.name and parsed.tag:
            found[parsed.tag] = Target(None, parsed, stored)
    if not found:
        raise NotFound(f"An image does not exist locally with the tag: {familiar(wanted.name)}")
    return [found[tag] for tag in sorted(found)]
