"""Which images and names `save` means, and a file that is complete or not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import IO

from rootless import inherited
from rootless.engine.images.lookup import familiar, find_for, is_id
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, RootlessError
from rootless.image import reference
from rootless.image.archive import save
from rootless.storage import images, output_file
from rootless.storage.images import Image
from rootless.storage.store import Store

FORMATS = tuple(str(word) for word in save.Format)
DIRECTORY = "oci-dir"


def choose(store: Store, texts: Sequence[str], platform: str = "") -> list[tuple[Image, list[str]]]:
    """Each image with the canonical names to save it under: those given; for a repository without tag, all
    of its tags; for an id none, as Docker has it."""
    chosen: dict[str, tuple[Image, list[str]]] = {}
    for text in texts:
        for image, names in _meant(store, text, platform):
            _, known = chosen.setdefault(image.id, (image, []))
            known += [name for name in names if name not in known]
    return [(_own(store, image), names) for image, names in chosen.values()]


def _own(store: Store, image: Image) -> Image:
    if not image.published:
        return image
    from rootless.engine.images import from_store

    return from_store.owned(store, image.id, "it is saved from there", image)


def _meant(store: Store, text: str, platform: str) -> list[tuple[Image, list[str]]]:
    wanted: reference.Reference | None
    try:
        wanted = reference.parse(text)
    except InvalidInput:
        wanted = None
    if wanted is not None and not wanted.digest and not text.endswith(f":{wanted.tag}"):
        tagged = [
            (image, [name for name in image.names if _repository(name) == wanted.name and "@" not in name])
            for image in images.list_images(store)
        ]
        found = [(image, names) for image, names in tagged if names]
        if found:
            names = sorted({name for _, names in found for name in names}) if platform else []
            return [(find_for(store, name, platform), [name]) for name in names] or found
    image = find_for(store, text, platform)
    if wanted is None or is_id(text, image):
        return [(image, [])]
    # Of a list the image of that platform goes by the list's name.
    known = (*image.names, *image.lists) if platform else image.names
    return [(image, [wanted.canonical] if wanted.canonical in known else [])]


def _repository(name: str) -> str:
    return reference.parse(name).name


def write(
    store: Store, texts: Sequence[str], *, output: str | None, as_format: str, platform: str = ""
) -> None:
    """Save to the file or directory `output`, or to stdout; a file appears only when it is complete."""
    wanted = choose(store, texts, platform)
    _write(store, wanted, output=output, as_format=as_format)
    for image, names in wanted:
        events.write(store, "image", "save", image.id, name=familiar(names[0]) if names else image.id)


def stream(store: Store, texts: Sequence[str], out: IO[bytes], platform: str, begin: Callable[[], None]) -> None:
    """The same as a docker-archive into `out`; `begin` is called when it is sure that there is something."""
    wanted = choose(store, texts, platform)
    begin()
    save.save(store, wanted, out, as_format=save.Format.DOCKER_ARCHIVE)
    for image, names in wanted:
        events.write(store, "image", "save", image.id, name=familiar(names[0]) if names else image.id)


def _write(store: Store, wanted: list[tuple[Image, list[str]]], *, output: str | None, as_format: str) -> None:
    if as_format == DIRECTORY:
        if output is None:
            raise InvalidInput("a directory needs a name", hint="-o DIRECTORY")
        os.umask(inherited.umask)
        save.save_directory(store, wanted, output)
        return
    form = save.Format(as_format)
    if output is None:
        if sys.stdout.isatty():
            raise InvalidInput(
                "cowardly refusing to save to a terminal", hint="use the -o flag or redirect the output"
            )
        save.save(store, wanted, sys.stdout.buffer, as_format=form)
        return
    try:
        with output_file.writing(output) as file:
            save.save(store, wanted, file, as_format=form)
    except FileNotFoundError as error:
        raise RootlessError(f"cannot write {output}: {error.strerror}") from None
