"""One image of an OCI layout directory, chosen by tag or digest: what `oci-layout://` names."""

from __future__ import annotations

import os

from rootless.errors import Corrupt, InvalidInput, NotFound
from rootless.image import manifest, platforms
from rootless.image.archive import archive_reader
from rootless.image.archive.archive_reader import ArchiveFiles
from rootless.image.archive.load import add_from_layout
from rootless.image.manifest import DOCUMENT_LIMIT_BYTES, Descriptor, Index
from rootless.image.platforms import Platform
from rootless.image.progress import Progress, silent
from rootless.image.trust import policy
from rootless.storage.images import Image
from rootless.storage.store import Store

_REF_NAME = "org.opencontainers.image.ref.name"


def load_layout(
    store: Store, word: str, *, platform: Platform | None = None, progress: Progress = silent
) -> Image:
    """The image of `word` (PATH, PATH:TAG or PATH@DIGEST), put into the store without a name.

    Without a tag it is "latest", or the only one there is. The caller holds the store's lease. NotFound,
    InvalidInput and Corrupt name what is wrong.
    """
    path, tag, digest = split(word)
    try:
        opened = archive_reader.DirectoryFiles(path)
    except OSError as error:
        raise NotFound(f"cannot open the OCI layout {path}: {error.strerror}") from None
    with opened as files:
        if not (files.has("index.json") and files.has("oci-layout")):
            raise InvalidInput(f"{path} is no OCI layout: it lacks index.json or oci-layout")
        policy.check_archive("oci", path)
        entry = entry_of(files, path, tag, digest)
        return add_from_layout(store, files, entry, platform or platforms.host(), progress)[0]


def split(word: str) -> tuple[str, str, str]:
    """Path, tag and digest; "" for what is not given."""
    path, at, digest = word.rpartition("@")
    if at and ":" in digest and "/" not in digest:
        return path, "", digest
    path, colon, tag = word.rpartition(":")
    if colon and path and "/" not in tag and not os.path.isdir(word):
        return path, tag, ""
    return word, "", ""


def entry_of(files: ArchiveFiles, path: str, tag: str, digest: str) -> Descriptor:
    """The entry of the layout's index with that digest, else with that tag. NotFound, Corrupt."""
    data = archive_reader.read(files, "index.json", DOCUMENT_LIMIT_BYTES)
    index = manifest.parse(data, manifest.OCI_INDEX, what="index.json")
    if not isinstance(index, Index):
        raise Corrupt("index.json is no index")
    entries = [entry for entry in index.entries if entry.media_type in manifest.ACCEPTED]
    if digest:
        found = [entry for entry in entries if entry.digest == digest]
    else:
        found = [entry for entry in entries if entry.annotations.get(_REF_NAME) == (tag or "latest")]
        if not found and not tag and len(entries) == 1:
            found = entries
    if not found:
        there = sorted(name for entry in entries if (name := entry.annotations.get(_REF_NAME)))
        wanted = digest or f"tag {tag or 'latest'}"
        raise NotFound(f"the OCI layout {path} has no {wanted}", hint="it has: " + (", ".join(there) or "no tags"))
    return found[0]
