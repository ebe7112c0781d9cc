"""Paths in a canonical document made absolute, from the directory that they are relative to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from rootless.compose.load.paths_of_keys import PathTable
from rootless.yamltext.document import Path, Tree

_REMOTE = ("http://", "https://", "git://", "ssh://", "github.com/", "git@", "oci://", "docker-image://", "service:", "target:")


def absolute(path: str, directory: str, home: str) -> str:
    """The path from `directory`; ~ is the user's home. Nothing is looked up: `..` goes up in the text."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return posixpath.normpath(posixpath.join(directory, path))


def is_remote(word: str) -> bool:
    """Whether a build context is somewhere else than in a directory."""
    return word.startswith(_REMOTE) or word == "-"


class _Paths:
    def __init__(self, directory: str, home: str) -> None:
        self._directory, self._home = directory, home

    def plain(self, value: Any) -> Any:
        return absolute(value, self._directory, self._home) if isinstance(value, str) and value else value

    def context(self, value: Any) -> Any:
        return value if not isinstance(value, str) or is_remote(value) else self.plain(value)

    def volume(self, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == "bind" and value.get("source"):
            return {**value, "source": self.plain(value["source"])}
        return value

    def driver_options(self, value: Any) -> Any:
        if isinstance(value, dict) and "bind" in str(value.get("o", "")).split(",") and value.get("device"):
            return {**value, "device": self.plain(value["device"])}
        return value


_RULES: PathTable[Callable[[_Paths, Any], Any]] = PathTable(
    {
        "services.*.build.context": _Paths.context, "services.*.build.additional_contexts.*": _Paths.context,
        "services.*.env_file.*.path": _Paths.plain, "services.*.label_file.*": _Paths.plain,
        "services.*.extends.file": _Paths.plain, "services.*.develop.watch.*.path": _Paths.plain,
        "services.*.volumes.*": _Paths.volume, "configs.*.file": _Paths.plain, "secrets.*.file": _Paths.plain,
        "volumes.*.driver_opts": _Paths.driver_options,
    }
)  # fmt: skip


def resolve_paths(tree: Tree, directory: str, home: str) -> Tree:
    """The document with all its paths absolute."""
    paths = _Paths(directory, home)

    def walk(value: Any, path: Path) -> Any:
        rule = _RULES.at(path)
        if rule is not None:
            value = rule(paths, value)
        if isinstance(value, dict):
            return {key: walk(one, (*path, key)) for key, one in value.items()}
        if isinstance(value, list):
            return [walk(one, (*path, at)) for at, one in enumerate(value)]
        return value

    return {key: walk(value, (key,)) for key, value in tree.items()}
