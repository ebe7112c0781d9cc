"""Images in the stores of others, by name or id: after one's own, in the order in which the stores are listed.

Manifest and configuration are taken by their digests alone, so what a store says of an id is true. Which id a name means is
the word of whoever keeps the store; the user has listed it.
"""

from __future__ import annotations

import hashlib
import sys

from rootless import user_config
from rootless.errors import RootlessError
from rootless.image import config as image_config
from rootless.image import manifest, platforms, reference
from rootless.image.manifest import Index, Manifest
from rootless.image.platforms import Platform
from rootless.image.stores import layout, reading
from rootless.image.stores.layout import Meaning
from rootless.image.stores.reading import OpenStore
from rootless.storage.images import Image, Published
from rootless.words import plain

_MOST_NAMES = 20_000
_MOST_SAID = 3
_MOST_DIRECTORIES = 1_000
_said: set[str] = set()


def find(canonical: str = "", identifier: str = "", wanted: Platform | None = None) -> Image | None:
    """The image of that name, for `wanted` or this machine, or of that id or beginning of one (hexadecimal digits), in the first store
    that has it; with both, that of the id if the name means it, too. It has the name that was asked for, or none: of other names
    that a store gives it nothing follows. What is wrong with a store is a warning."""
    problems: list[RootlessError] = []
    found = None
    for store in reading.usable(problems):
        with store:
            try:
                found = found or _in(store, canonical, identifier, wanted)
            except RootlessError as error:
                problems.append(error)
    warn(problems)
    return found


def by_digest(repository: str, digest: str, wanted: Platform | None) -> Image | None:
    """Of the images that names of the `repository` (docker.io/library/debian) mean in a store, for whatever platform: the one whose id or
    manifest's digest that is, else the one for `wanted`, or this machine, of the index of that digest. The index is read, and has to name
    the image's manifest: what has been pinned is proved, whoever keeps the store. In the first store that has it."""
    problems: list[RootlessError] = []
    found = None
    for store in reading.usable(problems):
        with store:
            try:
                found = found or _pinned(store, repository, digest, wanted, problems)
            except RootlessError as error:
                problems.append(error)
    warn(problems)
    return found


def _pinned(store: OpenStore, repository: str, digest: str, wanted: Platform | None, problems: list[RootlessError]) -> Image | None:
    meant = {name: meaning for name, meaning in meanings(store, problems).items() if reference.parse(name).name == repository}
    there: list[Image] = []
    for identifier in dict.fromkeys(one for meaning in meant.values() for one in meaning.every()):
        names = tuple(name for name, meaning in meant.items() if meaning.choose(wanted) == identifier)
        try:
            there.append(_image(store, identifier)._replace(names=names))
        except RootlessError as error:
            problems.append(error)
    exact = next((image for image in there if digest in (image.id, image.manifest["digest"])), None)
    if exact is not None or not any(digest in meaning.indexes for meaning in meant.values()):
        return exact
    parsed = manifest.parse(_checked(store, digest), what=f"{store.path}/{layout.blob(digest)}")
    listed = {entry.digest for entry in parsed.entries} if isinstance(parsed, Index) else set()
    there = [image for image in there if image.manifest["digest"] in listed]
    chosen = platforms.select([platforms.of(image.config) for image in there], wanted or platforms.host())
    return None if chosen is None else there[chosen]


def every() -> list[Image]:
    """All images with their names: an image that several stores have as of the first of them, a name as in the first store."""
    problems: list[RootlessError] = []
    known: dict[str, Image] = {}
    for store in reading.usable(problems):
        with store:
            try:
                _add(store, known, problems)
            except RootlessError as error:
                problems.append(error)
    warn(problems)
    return list(known.values())


def in_store(store: OpenStore) -> list[Image]:
    """All images of one store, of all platforms, what is damaged being a warning. Unavailable."""
    problems: list[RootlessError] = []
    known: dict[str, Image] = {}
    _add(store, known, problems, all_platforms=True)
    warn(problems)
    return list(known.values())


def described() -> list[tuple[str, str, str]]:
    """Of each store that is listed: its path, what is wrong with it ("": it can be used), and what it is, for people."""
    found = []
    for path in user_config.stores():
        try:
            with OpenStore(path) as store:
                problems: list[RootlessError] = []
                number = len(meanings(store, problems))
                strangers = store.strangers()
                how = "run from there" if store.named or not strangers else f"copied into your own store when used: {strangers}"
                wrong = f"{path}: {problems[0].message}" if problems else ""
                found.append((path, wrong, f"{number} names of images, {how}"))
        except RootlessError as error:
            found.append((path, error.message, error.hint or ""))
    return found


def _add(store: OpenStore, known: dict[str, Image], problems: list[RootlessError], *, all_platforms: bool = False) -> None:
    names = {name for image in known.values() for name in image.names}
    for name, meaning in sorted(meanings(store, problems).items()):
        if name in names:
            continue
        for identifier in meaning.every() if all_platforms else (meaning.choose(None),):
            try:
                image = known.get(identifier) or _image(store, identifier)
                known[identifier] = image._replace(names=(*image.names, name))
            except RootlessError as error:
                problems.append(error)


def warn(problems: list[RootlessError]) -> None:
    """A line on stderr for each thing that is wrong with a store, the first ones; each once."""
    new = [problem for problem in problems if problem.message not in _said]
    if len(_said) > _MOST_NAMES:
        _said.clear()
    _said.update(problem.message for problem in new)
    for problem in new[:_MOST_SAID]:
        hint = f"; {problem.hint}" if problem.hint else ""
        sys.stderr.write(f"rootless: WARNING: {plain(problem.message)}{plain(hint)}\n")
    if len(new) > _MOST_SAID:
        sys.stderr.write(f"rootless: WARNING: {len(new) - _MOST_SAID} more things are wrong with stores\n")


def _in(store: OpenStore, canonical: str, identifier: str, wanted: Platform | None) -> Image | None:
    if canonical:
        meaning = named(store, canonical)
        if meaning is None or (identifier and identifier not in meaning.every()):
            return None
        return _image(store, identifier or meaning.choose(wanted))._replace(names=(canonical,))
    if len(identifier) < 64:
        there = [entry for entry in store.names(layout.RECORDS, _MOST_NAMES) if entry.startswith(identifier)]
        identifier = there[0].removesuffix(".json") if len(there) == 1 else ""
    identifier = "sha256:" + identifier
    if not layout.is_id(identifier) or not store.has(layout.record(identifier)):
        return None
    return _image(store, identifier)


def named(store: OpenStore, canonical: str) -> Meaning | None:
    """What the name means; None where there is none of it. Raises as `OpenStore.read`."""
    path = layout.name(canonical)
    return _meant(store, path, canonical)[1] if store.has(path) else None


def _meant(store: OpenStore, path: str, canonical: str = "") -> tuple[str, Meaning]:
    document = store.document(path)
    name, meaning = document.get("name"), layout.meaning_of(document)
    if not isinstance(name, str) or path != layout.name(name) or (canonical and name != canonical):
        raise store.wrong(path, "it is of another name than it says")
    if meaning is None:
        raise store.wrong(path, "it has no proper id")
    return name, meaning


def meanings(store: OpenStore, problems: list[RootlessError]) -> dict[str, Meaning]:
    """What each name means; what is damaged is left out, and added to `problems`."""
    found: dict[str, Meaning] = {}
    above = [""]
    seen = 0
    while above and len(found) < _MOST_NAMES:
        directory = above.pop()
        seen += 1
        if seen > _MOST_DIRECTORIES:
            raise store.wrong(layout.NAMES, f"more than {_MOST_DIRECTORIES} directories")
        for entry in store.names(layout.NAMES + directory, _MOST_NAMES):
            if entry[-1:] == "+" and directory.count("/") < 8:
                above.append(f"{directory}/{entry}")
                continue
            path = f"{layout.NAMES}{directory}/{entry}"
            try:
                name, meaning = _meant(store, path)
                if reference.parse(name).canonical != name or "@" in name:
                    raise store.wrong(path, "its name is none as stores have them")
                found[name] = meaning
            except RootlessError as error:
                problems.append(error)
    return found


def _image(store: OpenStore, identifier: str) -> Image:
    """The image of that id, without its names. RootlessError that names the file which is not as it should be."""
    path = layout.record(identifier)
    record = store.document(path)
    if record.get("id") != identifier:
        raise store.wrong(path, "it is of another image")
    described = manifest.parse_descriptor(record.get("manifest"), f"{store.path}/{path}: manifest")
    parsed = manifest.parse(_checked(store, described.digest), described.media_type, what=f"{store.path}/{layout.blob(described.digest)}")
    if not isinstance(parsed, Manifest) or parsed.config.digest != identifier:
        raise store.wrong(path, "its manifest is of another image")
    what = f"{store.path}/{layout.blob(identifier)}"
    config = image_config.parse(_checked(store, identifier), layers=len(parsed.layers), what=what)
    sizes = record.get("sizes")
    if not isinstance(sizes, list) or len(sizes) != len(parsed.layers) or not all(map(layout.is_size, sizes)):
        raise store.wrong(path, "sizes are no list of a number for each layer")
    return Image(
        identifier, (), tuple(config["rootfs"]["diff_ids"]), config, described.to_json(), sum(sizes),
        tuple(layer.digest for layer in parsed.layers), published=Published(store.path, layout.files_of(record), tuple(sizes)),
    )  # fmt: skip


def _checked(store: OpenStore, digest: str) -> bytes:
    """A small blob with that digest. Corrupt."""
    data = store.read(layout.blob(digest))
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise store.wrong(layout.blob(digest), "its digest is another one")
    return data
