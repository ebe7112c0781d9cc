"""Indexes made in a registry, of what registries have: nothing is pulled, nothing is kept here.

As `docker buildx imagetools`: what CI does that builds each platform on a machine of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rootless.engine.images import remote
from rootless.engine.images.remote import Remote
from rootless.errors import Corrupt, InvalidInput, NotFound
from rootless.image import index, manifest, platforms, reference
from rootless.image.index import IndexEntry
from rootless.image.manifest import DOCKER_LIST, OCI_INDEX, Descriptor, Index
from rootless.image.progress import Progress
from rootless.image.registry import registries_conf
from rootless.image.registry.client import Fetched
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import copy


class Made(NamedTuple):
    """What is to be under the tags: a document, and the sources that its parts come from."""

    data: bytes
    media_type: str
    sources: tuple[Remote, ...]

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


class CreateRequest(NamedTuple):
    """`annotations` are the words of --annotation; `prefer_index`: also of one image an index."""

    tags: Sequence[str]
    sources: Sequence[str]
    append: bool = False
    annotations: Sequence[str] = ()
    prefer_index: bool = True
    platforms: Sequence[str] = ()
    tls_verify: bool = True


def combine(request: CreateRequest) -> Made:
    """The document that the sources make. NotFound, Unavailable; InvalidInput for words that make no sense."""
    texts = list(request.sources)
    if request.append:
        if not request.tags:
            raise InvalidInput("cannot append: no tag is given", hint="-t NAME")
        texts.insert(0, request.tags[0])
    if not texts:
        raise InvalidInput("no sources specified")
    found = tuple(remote.fetch(text, tls_verify=request.tls_verify) for text in texts)
    of_index, of_entries = _annotations(request.annotations)
    plain = not request.annotations and not request.platforms
    if len(found) == 1 and plain and (_is_index(found[0]) or not request.prefer_index):
        return Made(found[0].fetched.data, _media_type(found[0].fetched), found)
    entries: dict[str, IndexEntry] = {}
    for one in found:
        entries.update((entry.descriptor.digest, entry) for entry in _entries(one))
    chosen = _chosen(list(entries.values()), request.platforms)
    chosen = [
        entry._replace(annotations={**entry.annotations, **_for(entry, of_entries)}) for entry in chosen
    ]
    first = manifest.load_json(found[0].fetched.data, "the first source")
    kept = first.get("annotations") if _is_index(found[0]) else None
    data = index.document(chosen, {**(kept or {}), **of_index})
    return Made(data, str(json.loads(data)["mediaType"]), found)


def store(made: Made, tag: str, progress: Progress, *, tls_verify: bool = True) -> None:
    """Put the document under `tag`, with all that it names before it."""
    wanted = reference.parse(tag)
    if wanted.digest:
        raise InvalidInput(f"{tag} is no tag")
    endpoint = registries_conf.read().endpoints(wanted)[-1]
    uploader = Uploader(endpoint, tls_verify=tls_verify)
    single = next((one for one in made.sources if one.fetched.digest == made.digest), None)
    if single is not None:
        copy.copy(single.registry, uploader, single.fetched, progress, tag=wanted.tag or "latest")
        return
    for entry in manifest.load_json(made.data, "the index")["manifests"]:
        one, fetched = _source_of(made, str(entry["digest"]), str(entry["mediaType"]))
        copy.copy(one.registry, uploader, fetched, progress)
    uploader.put_manifest(wanted.tag or "latest", made.data, made.media_type, made.digest)


def _source_of(made: Made, digest: str, media_type: str) -> tuple[Remote, Fetched]:
    for one in made.sources:
        if one.fetched.digest == digest:
            return one, one.fetched._replace(media_type=media_type)
        if _is_index(one) and digest.encode() in one.fetched.data:
            return one, one.registry.manifest(digest, what=one.name)._replace(media_type=media_type)
    raise NotFound(f"no source has manifest {digest}")


def _is_index(found: Remote) -> bool:
    return _media_type(found.fetched) in (OCI_INDEX, DOCKER_LIST)


def _media_type(fetched: Fetched) -> str:
    return manifest.parse(fetched.data, fetched.media_type).media_type


def _entries(found: Remote) -> list[IndexEntry]:
    parsed = manifest.parse(found.fetched.data, found.fetched.media_type, what=found.name)
    if not isinstance(parsed, Index):
        descriptor = Descriptor(parsed.media_type, found.fetched.digest, len(found.fetched.data))
        return [IndexEntry(descriptor, remote.platform_of(found.registry, parsed.config, found.name))]
    raw = manifest.load_json(found.fetched.data, found.name)["manifests"]
    return [
        IndexEntry(descriptor, index.platform_of(fields), descriptor.annotations)
        for descriptor, fields in zip(parsed.entries, raw, strict=True)
    ]


def _chosen(entries: list[IndexEntry], wanted: Sequence[str]) -> list[IndexEntry]:
    if not wanted:
        return entries
    asked = [platforms.parse(word) for text in wanted for word in text.split(",")]
    found = [entry for entry in entries if entry.platform and platforms.of(entry.platform) in asked]
    if not found:
        raise NotFound(f"no source is for {', '.join(map(str, asked))}")
    return found


def _annotations(words: Sequence[str]) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Of the index, and (platform or "", key, value) of its entries: `[index|manifest-descriptor[PLATFORM]:]KEY=VALUE`."""
    of_index: dict[str, str] = {}
    of_entries: list[tuple[str, str, str]] = []
    for word in words:
        text, equals, value = word.partition("=")
        kind, _, key = text.rpartition(":")
        kind, bracket, platform = kind.partition("[")
        if not equals or not key or kind not in ("", "index", "manifest-descriptor") or (bracket and platform[-1:] != "]"):
            raise InvalidInput(
                f"invalid annotation {word!r}", hint="[index:|manifest-descriptor[PLATFORM]:]KEY=VALUE"
            )
        if kind == "manifest-descriptor":
            of_entries.append((platform.removesuffix("]"), key, value))
        else:
            of_index[key] = value
    return of_index, of_entries


def _for(entry: IndexEntry, said: list[tuple[str, str, str]]) -> Mapping[str, str]:
    return {
        key: value
        for platform, key, value in said
        if not platform or platforms.parse(platform) == platforms.of(entry.platform)
    }


def shown(text: str, *, tls_verify: bool = True, images: bool = False) -> dict[str, Any]:
    """What `imagetools inspect` knows of a name: Name, Manifest and, with `images`, Image: a configuration, or one
    for each platform."""
    found = remote.fetch(text, tls_verify=tls_verify)
    document = manifest.load_json(found.fetched.data, found.name)
    entries = document.get("manifests", []) if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Corrupt(f"{found.name} is no manifest")
    known = {"digest": found.fetched.digest, "size": len(found.fetched.data), **document}
    known.setdefault("mediaType", found.fetched.media_type)
    result: dict[str, Any] = {"Name": found.name, "Manifest": known, "Raw": found.fetched.data}
    if images:
        result["Image"] = _configurations(found)
    return result


def _configurations(found: Remote) -> dict[str, Any]:
    parsed = manifest.parse(found.fetched.data, found.fetched.media_type, what=found.name)
    if not isinstance(parsed, Index):
        return _configuration(found, parsed.config)
    result = {}
    for entry in parsed.entries:
        if entry.platform is None or entry.platform.os == "unknown" or entry.media_type not in manifest.ACCEPTED:
            continue
        child = found.registry.manifest(entry.digest, what=found.name)
        inner = manifest.parse(child.data, entry.media_type, what=found.name)
        if not isinstance(inner, Index):
            result[str(entry.platform)] = _configuration(found, inner.config)
    return result


def _configuration(found: Remote, config: Descriptor) -> dict[str, Any]:
    data = found.registry.small_blob(config, what=f"the configuration of {found.name}")
    loaded = manifest.load_json(data, "the configuration")
    return loaded if isinstance(loaded, dict) else {}
