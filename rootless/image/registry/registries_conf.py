"""Where images come from: containers-registries.conf(5) and its short-name aliases.

Read from $CONTAINERS_REGISTRIES_CONF, or the file that config.toml (docs/config.md) names, or
~/.config/containers/registries.conf, or /etc/containers/registries.conf, and the registries.conf.d beside them. Without any of these,
short names mean what they mean to Docker. Not for the hot path: tomllib costs 20 ms.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from rootless import paths, user_config
from rootless.errors import InvalidInput, NotSupported
from rootless.image import reference
from rootless.image.reference import Reference

VARIABLE = "CONTAINERS_REGISTRIES_CONF"


class Endpoint(NamedTuple):
    """One place an image may be fetched from; differs from its name for mirrors."""

    registry: str
    repository: str
    insecure: bool


class _Mirror(NamedTuple):
    location: str
    insecure: bool
    digest_only: bool
    tag_only: bool


class _Registry(NamedTuple):
    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[_Mirror, ...]


class RegistriesConf(NamedTuple):
    """The merged configuration; later files override earlier ones, prefix by prefix."""

    search: tuple[str, ...] = ()
    registries: tuple[_Registry, ...] = ()
    aliases: Mapping[str, str] = {}

    def candidates(self, text: str) -> list[Reference]:
        """What `text` may mean, best first: itself, its alias, or one per search registry."""
        if not reference.is_short(text):
            return [reference.parse(text)]
        name, suffix = _split_suffix(text)
        if self.aliases.get(name):
            return [reference.parse(self.aliases[name] + suffix)]
        if self.search:
            return [reference.parse(f"{registry}/{text}") for registry in self.search]
        return [reference.parse(text)]

    def endpoints(self, image: Reference) -> list[Endpoint]:
        """Where to ask for `image`, mirrors first. Raises NotSupported where it is blocked."""
        entry = self._entry(image)
        if entry is None:
            return [Endpoint(image.registry, image.repository, False)]
        if entry.blocked:
            raise NotSupported(
                f"registry {entry.prefix} is blocked for {image.familiar()}",
                hint="by `blocked = true` in registries.conf; see containers-registries.conf(5)",
            )
        found = []
        for mirror in entry.mirrors:
            if (mirror.digest_only and not image.digest) or (mirror.tag_only and image.digest):
                continue
            found.append(_rewritten(image, entry.prefix, mirror.location, mirror.insecure))
        found.append(_rewritten(image, entry.prefix, entry.location, entry.insecure))
        return found

    def _entry(self, image: Reference) -> _Registry | None:
        matching = [entry for entry in self.registries if _matches(entry.prefix, image)]
        return max(matching, key=lambda entry: len(entry.prefix), default=None)


def read() -> RegistriesConf:
    """The configuration of the calling user. Raises InvalidInput naming file and mistake."""
    search: tuple[str, ...] = ()
    registries: dict[str, _Registry] = {}
    aliases: dict[str, str] = {}
    for path in files():
        try:
            with open(path, "rb") as file:
                document = tomllib.load(file)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} is no valid TOML: {error}") from None
        if isinstance(document.get("registries"), dict):
            raise InvalidInput(
                f"{path} is in the old format (version 1)",
                hint="write it as containers-registries.conf(5) says: [[registry]] tables",
            )
        if "unqualified-search-registries" in document:
            search = tuple(_strings(document["unqualified-search-registries"], path))
        for table in _tables(document.get("registry", []), path):
            entry = _registry(table, path)
            registries[entry.prefix] = entry
        for name, target in _table(document.get("aliases", {}), path).items():
            aliases[name] = str(target)
    return RegistriesConf(search, tuple(registries.values()), aliases)


def files() -> list[str]:
    """The files that are read where they are there, in the order in which later ones win."""
    explicit = os.environ.get(VARIABLE)
    if explicit:
        return [explicit]
    pointed = user_config.settings().get("registries")
    if pointed:
        if not os.path.exists(pointed.value):
            raise pointed.refused(f"there is no {pointed.value}")
        return [pointed.value]
    system, user = "/etc/containers", os.path.join(paths.config_home(), "containers")
    own = os.path.join(user, "registries.conf")
    files = [own if os.path.exists(own) else os.path.join(system, "registries.conf")]
    for directory in (system, user):
        drop_ins = os.path.join(directory, "registries.conf.d")
        try:
            names = sorted(os.listdir(drop_ins))
        except OSError:
            continue
        files += [os.path.join(drop_ins, name) for name in names if name.endswith(".conf")]
    return files


def _registry(table: Mapping[str, Any], path: str) -> _Registry:
    location = str(table.get("location", "")).rstrip("/")
    prefix = str(table.get("prefix", "")).rstrip("/") or location
    if not prefix:
        raise InvalidInput(f"{path}: a [[registry]] has neither prefix nor location")
    digest_only = bool(table.get("mirror-by-digest-only", False))
    mirrors = []
    for mirror in _tables(table.get("mirror", []), path):
        source = mirror.get("pull-from-mirror", "all")
        mirrors.append(
            _Mirror(
                location=str(mirror.get("location", "")).rstrip("/"),
                insecure=mirror.get("insecure") is True,
                digest_only=digest_only or source == "digest-only",
                tag_only=source == "tag-only",
            )
        )
    # `is True`: whatever else stands there must not switch verification off.
    return _Registry(
        prefix, location, table.get("insecure") is True, bool(table.get("blocked")), tuple(mirrors)
    )


def _matches(prefix: str, image: Reference) -> bool:
    if prefix.startswith("*."):
        return image.registry.partition(":")[0].endswith(prefix[1:]) or image.registry.endswith(prefix[1:])
    full = image.canonical
    return full.startswith(prefix) and (len(full) == len(prefix) or full[len(prefix)] in "/:@")


def _rewritten(image: Reference, prefix: str, location: str, insecure: bool) -> Endpoint:
    if not location or prefix.startswith("*."):
        return Endpoint(image.registry, image.repository, insecure)
    rest = image.name[len(prefix) :] if image.name.startswith(prefix) else ""
    registry, _, repository = (location + rest).partition("/")
    return Endpoint(registry, repository, insecure)


def _split_suffix(text: str) -> tuple[str, str]:
    """Name and the rest (`:tag`, `@digest` or both)."""
    name = text.partition("@")[0]
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        name = name[:colon]
    return name, text[len(name) :]


def _strings(value: Any, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"{path}: unqualified-search-registries is no list of strings")
    return value


def _table(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{path}: not a table where one belongs")
    return value


def _tables(value: Any, path: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise InvalidInput(f"{path}: write [[registry]] and [[registry.mirror]] with double brackets")
    return [_table(item, path) for item in value]
