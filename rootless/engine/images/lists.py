"""Lists of images of several platforms under one name: made, changed, shown.

A list is an index of the store (image/index.py), the same that a build for several platforms leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rootless.engine.images import remote
from rootless.engine.images.lookup import familiar, find
from rootless.engine.images.remote import Remote
from rootless.errors import Conflict, InvalidInput, NotFound, Unavailable
from rootless.image import index, manifest, platforms, reference
from rootless.image.index import IndexEntry
from rootless.image.manifest import Descriptor, Index
from rootless.storage import blobs, image_names, indexes
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store

Change = Callable[[IndexEntry], IndexEntry]


def name_of(text: str) -> str:
    """The canonical name of a list. InvalidInput for what can be none."""
    wanted = reference.parse(text)
    if wanted.digest:
        raise InvalidInput("a manifest list is named by a tag, not by a digest")
    return wanted.canonical


def of_name(store: Store, text: str) -> StoredIndex:
    """The list of this name. NotFound in Docker's words."""
    try:
        found = indexes.find(store, name_of(text))
    except InvalidInput:
        found = None
    found = found or indexes.find_by_id(store, text)
    if found is None:
        raise NotFound(f"No such manifest: {text}", hint="`rootless manifest create` makes one")
    return found


def create(
    store: Store, text: str, images: Sequence[str], *, amend: bool = False, every: bool = False, tls_verify: bool = True
) -> StoredIndex:
    """A list of `images`; `amend`: put them into the one that there is. Conflict where the name is taken."""
    name = name_of(text)
    before = indexes.find(store, name)
    if before is None:
        _require_free(store, name, text)
    elif not amend:
        raise Conflict(f"refusing to amend an existing manifest list with no --amend flag: {text}", hint="--amend")
    with store.lease():
        entries = index.entries_of(before) if before else []
        annotations = index.annotations_of(store, before) if before else {}
        for image in images:
            entries = merged(entries, entries_for(store, image, every=every, tls_verify=tls_verify))
        return index.record(store, name, entries, annotations=annotations)


def _require_free(store: Store, name: str, text: str) -> None:
    try:
        image = find(store, name, all_names=False)
    except NotFound:
        return
    raise Conflict(
        f"the name {text} is that of image {image.id[7:19]} already", hint="choose another name, or `rootless untag` it first"
    )


def add(
    store: Store, text: str, image: str, *, every: bool = False, change: Change = lambda entry: entry, tls_verify: bool = True
) -> list[IndexEntry]:
    """Add an image, of the store or of a registry, to the list; what was added."""
    with store.lease():
        before = of_name(store, text)
        new = [change(entry) for entry in entries_for(store, image, every=every, tls_verify=tls_verify)]
        entries = merged(index.entries_of(before), new)
        index.record(store, name_of(text), entries, annotations=index.annotations_of(store, before))
    return new


def annotate(store: Store, text: str, which: str, change: Change) -> IndexEntry:
    """Change the entry that `which` means: its digest, or the name of an image of it."""
    with store.lease():
        before = of_name(store, text)
        entries = index.entries_of(before)
        at = _position(store, entries, which)
        entries[at] = change(entries[at])
        index.record(store, name_of(text), entries, annotations=index.annotations_of(store, before))
        return entries[at]


def annotate_index(store: Store, text: str, annotations: dict[str, str]) -> None:
    """Add annotations to the list itself."""
    with store.lease():
        before = of_name(store, text)
        every = {**index.annotations_of(store, before), **annotations}
        index.record(store, name_of(text), index.entries_of(before), annotations=every)


def remove(store: Store, text: str, which: str) -> IndexEntry:
    """Take an entry out of the list."""
    with store.lease():
        before = of_name(store, text)
        entries = index.entries_of(before)
        gone = entries.pop(_position(store, entries, which))
        index.record(store, name_of(text), entries, annotations=index.annotations_of(store, before))
        return gone


def _position(store: Store, entries: list[IndexEntry], which: str) -> int:
    """Which entry a digest means, or the name of an image: one of the store, or of a registry."""
    try:
        return index.position(entries, which)
    except NotFound as missing:
        for entry in _named(store, which):
            try:
                return index.position(entries, entry.descriptor.digest)
            except NotFound:
                continue
        raise missing from None


def _named(store: Store, which: str) -> list[IndexEntry]:
    """What `which` names, in the store and then in its registry; nothing where it is no name."""
    found: list[IndexEntry] = []
    try:
        image = find(store, which.removeprefix("docker://"), all_names=False)
        found += [index.of_image(image)]
        pushed = [Descriptor("", digest, 0) for digest in image.pushed.values()]
        found += [IndexEntry(descriptor, {}) for descriptor in pushed]
    except (NotFound, InvalidInput):
        pass
    try:
        wanted = reference.parse(which.removeprefix("docker://"))
    except InvalidInput:
        return found
    if wanted.digest:
        return [*found, IndexEntry(Descriptor("", wanted.digest, 0), {})]
    if found:
        return found
    try:
        return entries_for(store, f"docker://{wanted.canonical}", every=True)
    except (NotFound, Unavailable):
        return found


def delete(store: Store, text: str) -> str:
    """Forget the list; its images stay, without this name. Its digest."""
    found = of_name(store, text)
    image_names.unlink(store, name_of(text))
    return found.id


def merged(entries: Sequence[IndexEntry], new: Sequence[IndexEntry]) -> list[IndexEntry]:
    """`entries` with `new` after them; one that is there already is where it was, as it is now."""
    found = {entry.descriptor.digest: entry for entry in entries}
    found.update((entry.descriptor.digest, entry) for entry in new)
    return list(found.values())


def entries_for(store: Store, text: str, *, every: bool, tls_verify: bool = True) -> list[IndexEntry]:
    """What `text` adds to a list: an image of the store, or of a registry (always with docker://), whose manifest
    alone is fetched; `every`: all images of an index, not only the one for this machine."""
    bare = text.removeprefix("docker://")
    if bare == text:
        try:
            stored = indexes.find(store, reference.parse(text).canonical)
            if stored is not None:
                entries = index.entries_of(stored)
                chosen = index.choose(entries, platforms.host())
                return entries if every or chosen is None else [chosen]
            return [index.of_image(find(store, text, all_names=False))]
        except (NotFound, InvalidInput) as error:
            if isinstance(error, InvalidInput) or not _may_be_remote(text):
                raise
    return _remote_entries(store, remote.fetch(bare, tls_verify=tls_verify), every=every)


def _may_be_remote(text: str) -> bool:
    try:
        return bool(reference.parse(text))
    except InvalidInput:
        return False


def _remote_entries(store: Store, found: Remote, *, every: bool) -> list[IndexEntry]:
    what = familiar(found.name)
    parsed = manifest.parse(found.fetched.data, found.fetched.media_type, what=what)
    if not isinstance(parsed, Index):
        blobs.add_bytes(store, found.fetched.data)
        descriptor = Descriptor(parsed.media_type, found.fetched.digest, len(found.fetched.data))
        platform = remote.platform_of(found.registry, parsed.config, what)
        return [IndexEntry(descriptor, platform, source=found.source)]
    raw = manifest.load_json(found.fetched.data, what)["manifests"]
    wanted = list(parsed.entries) if every else [manifest.choose(parsed, platforms.host(), what=what)]
    entries = []
    for descriptor, fields in zip(parsed.entries, raw, strict=True):
        if descriptor in wanted:
            blobs.add_bytes(store, found.registry.manifest(descriptor.digest, what=what).data)
            entries.append(
                IndexEntry(descriptor, index.platform_of(fields), descriptor.annotations, source=found.source)
            )
    return entries
