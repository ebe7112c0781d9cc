"""`image publish`: an image into a store that others read (layout.py).

Blobs and the squashfs first, then the record, then the names: each file written aside, synced and renamed, none ever changed.
Several publishers write the same bytes under the same digests. What a record or a name says is read, added to and written under a lock,
which readers know nothing of; where a file system has none, the last one's word counts, and `add` says so. A kill at any moment
leaves files without a name, which upkeep.py removes later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rootless.errors import Conflict, Corrupt, NotSupported, RootlessError
from rootless.image import platforms
from rootless.image.archive import save
from rootless.image.progress import Event, Phase, Progress
from rootless.image.stores import layout, writing
from rootless.session import session
from rootless.storage import blobs, squashed
from rootless.storage.images import Image
from rootless.storage.layers import layers, write_tar
from rootless.storage.store import Store

_BLOCK_BYTES = 1 << 20
_ATTEMPTS = 3
_INTERVAL_S = 0.1


def publish(
    store: Store, images: Sequence[Image], names: Sequence[str], directory: str, progress: Progress, *, add: bool = False,
    indexes: Sequence[str] = (),
) -> None:
    """Put the images, one for each platform and all their layers unpacked, into the store `directory` under the canonical `names`. The
    first is for who finds none of his platform. `add`: what the names mean for other platforms stays. `indexes`: digests of lists
    that have them, which are blobs of ours. Joins the session. RootlessError, Conflict for a directory with other things in it."""
    single = session.join().single_id
    try:
        _make(directory)
        for _ in range(_ATTEMPTS):
            for image in images:
                _publish(store, image, directory, progress, single=single)
            for digest in indexes:
                _put_index(store, directory, digest)
            for name in names:
                with _locked(directory, progress, warns=add):
                    _name(directory, name, images, indexes, add=add)
            # Somebody who removed what had no name may have met us.
            if not any(_missing(directory, image.id) for image in images):
                return
    except OSError as error:
        raise RootlessError(
            f"cannot publish in {directory}: {error.strerror}" + (f": {error.filename}" if error.filename else ""),
            hint="may you write there, and is there room, and quota?",
        ) from error
    raise Conflict(f"files of {directory} are removed while they are published", hint="let nobody remove anything there meanwhile")


@contextlib.contextmanager
def _locked(directory: str, progress: Progress, *, warns: bool) -> Iterator[None]:
    def busy() -> None:
        progress(Event("", Phase.MESSAGE, text=f"another publisher changes {directory}: it is waited for"))

    with writing.locked(directory, busy) as why:
        if why and warns:
            text = f"WARNING: {directory} cannot be locked ({why}): of two who publish one name at a time the later is what counts"
            progress(Event("", Phase.MESSAGE, text=text))
        yield


def _make(directory: str) -> None:
    """Make the store, or what is missing of it. Conflict where the directory is another's. OSError."""
    if not os.path.isdir(directory):
        above, base = os.path.split(directory.rstrip("/"))
        writing.make_directory(above, base)
    # Listed first: where another publisher makes it at the same time, the marker is there before anything else.
    strange = [name for name in os.listdir(directory) if not name.startswith(layout.ASIDE)]
    if not os.path.lexists(f"{directory}/{layout.MARKER}"):
        if strange:
            raise Conflict(f"{directory} is not empty, and no store of images", hint="name a new directory, or an empty one")
        writing.write(directory, layout.MARKER, json.dumps({"version": layout.VERSION}).encode())
    for name in layout.DIRECTORIES:
        writing.make_directory(directory, name)


def _publish(store: Store, image: Image, directory: str, progress: Progress, *, single: bool) -> None:
    writing.touch(directory, layout.record(image.id))  # so that nobody takes it for old while we use its files

    def put(digest: str, size: int, writes: Callable[[write_tar.Sink], None]) -> None:
        path = layout.blob(digest)
        subject = digest[7:19] if digest in (*image.layers, *image.diff_ids) else ""
        if _is_there(directory, path, size) and writing.touch(directory, path):
            progress(Event(subject, Phase.PUSHED_BEFORE))
            return
        try:
            writing.write_from(directory, path, lambda out: writes(_Reported(out, progress, subject, size)), digest)
        except ValueError:
            raise Corrupt(f"blob {digest} of the store is damaged", hint="pull or load the image again") from None
        progress(Event(subject, Phase.PUSHED))

    with store.lease():
        described, parts = save.give_blobs(store, image, put)
        sizes = [layers.size(store, diff_id) for diff_id in image.diff_ids]
        kind = layout.ONE if single else layout.RANGE
        known = layout.files_of(writing.document(directory, layout.record(image.id))).get(kind)
        if known and not _is_there(directory, layout.squashfs(known["digest"]), known["size"]):
            known = None
        if image.diff_ids and known is None:
            known = _file(store, image, directory, progress, single=single)
    with _locked(directory, progress, warns=False):
        # Again, since who has the other kind of ids may have added a file meanwhile.
        files = layout.files_of(writing.document(directory, layout.record(image.id)))
        files.pop(kind, None)
        record = {
            "id": image.id, "manifest": described.to_json(), "sizes": sizes, "files": {**files, kind: known} if known else files,
            "layers": [{"digest": part.digest, "size": part.size} for part in parts],
        }  # fmt: skip
        writing.write(directory, layout.record(image.id), _json(record))


def _put_index(store: Store, directory: str, digest: str) -> None:
    path, data = layout.blob(digest), blobs.read(store, digest)
    if not (_is_there(directory, path, len(data)) and writing.touch(directory, path)):
        writing.write(directory, path, data)


def _listed(directory: str, candidates: Sequence[str], identifiers: Iterable[str]) -> list[str]:
    """Those of the indexes that have the manifest of one of these images."""
    manifests = {writing.document(directory, layout.record(one)).get("manifest", {}).get("digest") for one in identifiers}
    found = []
    for digest in dict.fromkeys(candidates):
        entries = writing.document(directory, layout.blob(digest)).get("manifests")
        listed = {entry.get("digest") for entry in entries if isinstance(entry, dict)} if isinstance(entries, list) else set()
        if listed & manifests:
            found.append(digest)
    return found


def _name(directory: str, name: str, images: Sequence[Image], indexes: Sequence[str], *, add: bool) -> None:
    path = layout.name(name)
    for at, letter in enumerate(path):
        if letter == "+" and path[at + 1 : at + 2] == "/":
            writing.make_directory(directory, path[: at + 1])
    document = writing.document(directory, path)
    before = layout.meaning_of(document)
    meant = {str(platforms.of(image.config)): image.id for image in images}
    first = images[0].id
    if add and before:
        known = before.platforms or {str(platforms.of(writing.document(directory, layout.blob(before.id)))): before.id}
        if before.id not in {known.get(word) for word in meant}:
            first = before.id
        meant = {**known, **meant}
    known_indexes = before.indexes if add and before else ()
    wanted = {"name": name, "id": first, "platforms": meant, "indexes": _listed(directory, (*indexes, *known_indexes), meant.values())}
    if document == wanted:
        return
    for old in before.every() if before else ():
        if old != first and old not in meant.values():  # it goes without a name from now on: its days are counted anew
            writing.touch(directory, layout.record(old))
    writing.write(directory, path, _json(wanted))


class _Reported:
    """What is written to `out`, reported on the way."""

    def __init__(self, out: write_tar.Sink, progress: Progress, subject: str, total: int) -> None:
        self._out, self._progress = out, progress
        self._event = Event(subject, Phase.PUSHING, 0, total)
        self._due = 0.0

    def write(self, data: bytes, /) -> None:
        self._out.write(data)
        self._event = self._event._replace(done_bytes=self._event.done_bytes + len(data))
        if self._event.subject and time.monotonic() >= self._due:
            self._due = time.monotonic() + _INTERVAL_S
            self._progress(self._event)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _file(store: Store, image: Image, directory: str, progress: Progress, *, single: bool) -> dict[str, Any] | None:
    """The image's squashfs, made and put there: its digest and size. None, said aloud, without mksquashfs."""
    aside = squashed.aside_path(store)
    subject = f"squashfs of {image.id[7:19]}"
    try:
        progress(Event(subject, Phase.PACKING))
        try:
            squashed.write(store, image.diff_ids, aside, single_id=single)
        except NotSupported as error:
            text = f"WARNING: {error.message}: whoever uses the image unpacks it ({error.hint})"
            progress(Event("", Phase.MESSAGE, text=text))
            return None
        with open(aside, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)

            def put(out: write_tar.Sink) -> None:
                reported = _Reported(out, progress, subject, size)
                while block := file.read(_BLOCK_BYTES):
                    reported.write(block)

            writing.write_from(directory, layout.squashfs(digest), put)
        progress(Event(subject, Phase.PUSHED))
        return {"digest": digest, "size": size}
    finally:
        try:
            os.unlink(aside)
        except FileNotFoundError:
            pass  # never made


def _missing(directory: str, image_id: str) -> bool:
    try:
        paths = layout.paths_of(writing.document(directory, layout.record(image_id)))
    except ValueError:
        return True
    return not all(writing.status(directory, path) for path in paths)


def _is_there(directory: str, name: str, size: int) -> bool:
    found = writing.status(directory, name)
    return found is not None and found.st_size == size
