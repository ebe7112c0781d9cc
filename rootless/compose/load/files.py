"""Compose files into one canonical tree: documents read, included, extended, merged. The heart of the loader."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

from rootless.compose.load import dotenv, tags
from rootless.compose.load.canonical import canonical
from rootless.compose.load.interpolate import Interpolation, where
from rootless.compose.load.merge import merge, merge_service, unique
from rootless.compose.load.paths_of_keys import shown
from rootless.compose.load.reader import Reader
from rootless.compose.load.resolve_paths import absolute, resolve_paths
from rootless.compose.load.schema import Validator
from rootless.compose.load.values import several
from rootless.errors import InvalidInput
from rootless.yamltext.document import Document, Tree, documents

DEEPEST = 50
"""Files that include one another, services that extend one another."""
FILES_MAX = 1000
"""That one project may include and extend, counted each time."""
_SHARED = ("services", "volumes", "networks", "secrets", "configs", "models")


class Source(NamedTuple):
    """A compose file: its absolute path, or "-" and its text."""

    path: str
    text: str | None = None


class Settings(NamedTuple):
    """What holds for a whole load."""

    reader: Reader
    schema: dict[str, Any]
    home: str
    warnings: list[str]
    interpolate: bool = True
    resolve_paths: bool = True


class FileLoader:
    """Loads files with one environment, from one project directory."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], directory: str, *, chain: tuple[str, ...] = ()) -> None:
        self._settings, self._environment, self._directory = settings, environment, directory
        self._chain = chain  # files that include one another, outermost first
        self._count = [0]

    def load(self, sources: list[Source]) -> Tree:
        """The files merged, in their order. InvalidInput with file and line."""
        found: Tree = {}
        for source in sources:
            for document in self._documents(source):
                if "version" in document.tree:
                    self._warn(f"{source.path}: the attribute `version` is obsolete, it will be ignored, "
                               "please remove it to avoid potential confusion")  # fmt: skip
                tree, gone = self._canonical(document)
                if "include" in tree:
                    self._include(tree, document, source.path)
                tags.forget(found, gone)
                self._extend(tree, gone, source.path)
                found = unique(merge(found, tree))
        return found

    def _warn(self, text: str) -> None:
        if text not in self._settings.warnings:
            self._settings.warnings.append(text)

    def _documents(self, source: Source) -> list[Document]:
        self._count[0] += 1
        if self._count[0] > FILES_MAX:
            raise InvalidInput(f"more than {FILES_MAX} files", hint="some include or extend one another")
        text = self._settings.reader.read(source.path) if source.text is None else source.text
        return documents(text, "(stdin)" if source.path == "-" else source.path, tags.TAGS)

    def _canonical(self, document: Document) -> tuple[Tree, list[tuple[str | int, ...]]]:
        if self._settings.interpolate:
            document = document._replace(tree=Interpolation(self._environment, self._settings.warnings).document(document))
        tree, gone = tags.take(document.tree)
        check(tree, document, self._settings)
        tree.pop("version", None)
        return canonical(tree), gone

    # --- include

    def _include(self, tree: Tree, document: Document, path: str) -> None:
        for at, entry in enumerate(tree.pop("include") or ()):
            asked = {"path": entry} if isinstance(entry, str) else entry
            place = where(document, ("include", at))
            base = self._directory
            names = [absolute(str(name), base, self._settings.home) for name in several(asked.get("path"))]
            if not names:
                raise InvalidInput(f"{place}include needs a path")
            if len(self._chain) >= DEEPEST:
                raise InvalidInput(f"{place}more than {DEEPEST} files include one another")
            for name in names:
                if name == path or name in self._chain:
                    raise InvalidInput(f"{place}include cycle detected: {' -> '.join((*self._chain, path, name))}")
            directory = absolute(str(asked["project_directory"]), base, self._settings.home) if asked.get("project_directory") \
                else posixpath.dirname(names[0])  # fmt: skip
            environment = self._included_environment(asked, directory)
            inner = FileLoader(self._settings, environment, directory, chain=(*self._chain, path))
            inner._count = self._count
            found = resolve_paths(inner.load([Source(name) for name in names]), directory, self._settings.home)
            found.pop("name", None)
            self._import(tree, found, place)

    def _included_environment(self, asked: Tree, directory: str) -> dict[str, str]:
        reader, found = self._settings.reader, {}
        files = [absolute(str(name), self._directory, self._settings.home) for name in several(asked.get("env_file"))]
        files = [name for name in files if name != "/dev/null"]
        if not files and "env_file" not in asked and reader.exists(posixpath.join(directory, ".env")):
            files = [posixpath.join(directory, ".env")]
        for name in files:
            found.update(dotenv.parse(reader.read(name), name, self._environment))
        return {**found, **self._environment}

    @staticmethod
    def _import(tree: Tree, found: Tree, place: str) -> None:
        for kind in _SHARED:
            for name, entry in (found.get(kind) or {}).items():
                own = tree.setdefault(kind, {})
                if name in own and own[name] != entry:
                    raise InvalidInput(f"{place}{kind}.{name} conflicts with imported resource")
                own[name] = entry
        for key, value in found.items():
            if key.startswith("x-"):
                tree.setdefault(key, value)

    # --- extends

    def _extend(self, tree: Tree, gone: list[tuple[str | int, ...]], path: str) -> None:
        services = tree.get("services")
        if not isinstance(services, dict):
            return
        for name in list(services):
            services[name] = self._extended(services, name, path, gone, ())

    def _extended(
        self, services: Tree, name: str, path: str, gone: list[tuple[str | int, ...]], chain: tuple[tuple[str, str], ...]
    ) -> Tree:
        service = services[name]
        if not isinstance(service, dict) or "extends" not in service:
            return service or {}
        if (path, name) in chain:
            circle = "\n  extends ".join(f"{one} in {file}" for file, one in (*chain, (path, name)))
            raise InvalidInput(f"Circular reference:\n  {circle}")
        if len(chain) >= DEEPEST:
            raise InvalidInput(f"more than {DEEPEST} services extend one another")
        asked = service["extends"]
        base_name, file = str(asked.get("service") or name), asked.get("file")
        if file:
            base_path = absolute(str(file), self._directory, self._settings.home)
            base_services, base_gone = self._base_services(base_path)
        else:
            base_path, base_services, base_gone = path, services, gone
        if base_name not in base_services:
            raise InvalidInput(f"cannot extend service {name!r} in {path}: service {base_name!r} not found in {base_path}")
        base = self._extended(base_services, base_name, base_path, base_gone, (*chain, (path, name)))
        held: Tree = {"services": {name: _copy(base)}}
        tags.forget(held, [one for one in gone if one[:2] == ("services", name)])
        own = {key: value for key, value in service.items() if key != "extends"}
        merged = merge_service(held["services"][name], own)
        services[name] = unique({"services": {name: merged}})["services"][name]
        found: Tree = services[name]
        return found

    def _base_services(self, path: str) -> tuple[Tree, list[tuple[str | int, ...]]]:
        found: Tree = {}
        paths: list[tuple[str | int, ...]] = []
        for document in self._documents(Source(path)):
            tree, gone = self._canonical(document)
            tags.forget(found, gone)
            found, paths = unique(merge(found, tree)), paths + gone
        resolved = resolve_paths({"services": found.get("services") or {}}, posixpath.dirname(path), self._settings.home)
        services: Tree = resolved["services"]
        return services, paths


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def check(tree: Tree, document: Document, settings: Settings, *, missing: bool = False) -> None:
    """Hold the tree against the schema. InvalidInput with the line of the document, and the path."""
    found = Validator(settings.schema, missing=missing).first(tree)
    if found is None:
        return
    path = found.path
    hint = None
    if found.known and len(str(path[-1])) < 64:
        import difflib

        near = difflib.get_close_matches(str(path[-1]), found.known, 1)
        hint = f"did you mean {near[0]}?" if near else None
    if found.known:
        path = path[:-1]
    what = f"{shown(path)} " if path else ""
    raise InvalidInput(f"validating {where(document, found.path)}{what}{found.message}", hint=hint)
