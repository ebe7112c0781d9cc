"""What is where in a store for others. No link is in it, nothing that is there is ever written again, and readers lock nothing:

    rootless-store.json             {"version": 1}
    .publishing.lock                flocked, by publishers alone, while they change a record or a name
    blobs/sha256/<hex>              manifests, configurations, layers
    images/sqfs/<hex>.sqfs          all layers of an image as one squashfs, by its own digest
    images/by-id/<hex>.json         of an image: "id", "manifest", "layers" {digest, size}, "sizes" (of the unpacked layers), "files"
    images/names/<quoted name>      {"name", "id", "platforms": id by platform (linux/arm64), where known; "id" is for who finds none,
                                     "indexes": digests of the lists that these images came by, whose documents are blobs}
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

from rootless.errors import InvalidInput
from rootless.image import platforms, reference
from rootless.image.platforms import Platform
from rootless.storage.quoted_names import quoted

MARKER = "rootless-store.json"
VERSION = 1
BLOBS, FILES, RECORDS, NAMES = "blobs/sha256", "images/sqfs", "images/by-id", "images/names"
DIRECTORIES = ("blobs", BLOBS, "images", FILES, RECORDS, NAMES)
RANGE, ONE = "range", "one"
"""Which owners a squashfs has: numbers, for who has a range of them; or attributes, for who has one id and emulates the others."""
_MOST_PLATFORMS = 100
LOCK = ".publishing.lock"
ASIDE = ".new-"
"""Begins the name of what is being written."""


def blob(digest: str) -> str:
    """The path of a blob in a store; `digest` is known to be a sha256 one."""
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"


def squashfs(digest: str) -> str:
    """The path of an image's squashfs in a store."""
    return f"{FILES}/{digest.removeprefix('sha256:')}.sqfs"


def record(image_id: str) -> str:
    """The path of an image's record in a store."""
    return f"{RECORDS}/{image_id.removeprefix('sha256:')}.json"


def name(canonical: str) -> str:
    """The path of a name in a store."""
    return f"{NAMES}/{quoted(canonical)}"


def is_id(value: object) -> TypeGuard[str]:
    """Whether that is the sha256 digest that it has to be."""
    return isinstance(value, str) and value.startswith("sha256:") and reference.is_digest(value)


def is_size(value: object) -> bool:
    """Whether that is a number of bytes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 50


class Meaning(NamedTuple):
    """The ids of the images that a name means: one, and those by platform where that is known. `others`: for platforms that we do not know,
    a newer version may. `indexes`: digests of lists that have some of them."""

    id: str
    platforms: dict[str, str]
    others: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()

    def every(self) -> tuple[str, ...]:
        """All of them, each once, and the one first."""
        return tuple(dict.fromkeys((self.id, *self.platforms.values(), *self.others)))

    def choose(self, wanted: Platform | None) -> str:
        """The one for that platform, None: this machine's; `id` where none is."""
        words = list(self.platforms)
        chosen = platforms.select([platforms.parse(word) for word in words], wanted or platforms.host())
        return self.id if chosen is None else self.platforms[words[chosen]]


def meaning_of(document: dict[str, Any]) -> Meaning | None:
    """What the document of a name says; None where that cannot be."""
    identifier, raw = document.get("id"), document.get("platforms", {})
    if not is_id(identifier) or not isinstance(raw, dict) or len(raw) > _MOST_PLATFORMS:
        return None
    found: dict[str, str] = {}
    others: list[str] = []
    for word, other in raw.items():
        if not is_id(other):
            return None
        try:
            found[str(platforms.parse(word))] = other
        except InvalidInput:
            others.append(other)
    indexes = document.get("indexes")
    listed = [digest for digest in indexes if is_id(digest)] if isinstance(indexes, list) and len(indexes) <= _MOST_PLATFORMS else []
    return Meaning(identifier, found, tuple(others), tuple(listed))


def files_of(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The squashfs files of a record, digest and size by kind; what is none is left out."""
    raw = record.get("files")
    found: dict[str, dict[str, Any]] = {}
    for kind in (RANGE, ONE):
        entry = raw.get(kind) if isinstance(raw, dict) else None
        if isinstance(entry, dict) and is_id(entry.get("digest")) and is_size(entry.get("size")):
            found[kind] = {"digest": entry["digest"], "size": entry["size"]}
    return found


def paths_of(record: dict[str, Any]) -> set[str]:
    """The files that the image of a record consists of, but for the record. ValueError for one that is none."""
    try:
        digests = [record["id"], record["manifest"]["digest"], *(layer["digest"] for layer in record["layers"])]
    except (KeyError, TypeError) as error:
        raise ValueError("it is no record of an image") from error
    if not all(map(is_id, digests)):
        raise ValueError("it is no record of an image")
    return {blob(digest) for digest in digests} | {squashfs(entry["digest"]) for entry in files_of(record).values()}
