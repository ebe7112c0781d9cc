"""`!reset` and `!override`: taken out of a document, and applied to what came before it."""

from __future__ import annotations

from typing import Any

from rootless.yamltext.document import Path, Tagged, Tree

TAGS = ("!reset", "!override")


def take(tree: Tree) -> tuple[Tree, list[Path]]:
    """The document without the two tags, and the paths at which what came before it is forgotten.

    The tree is copied: what aliases share is shared no more.
    """
    gone: list[Path] = []
    return _take(tree, (), gone), gone


def _take(value: Any, path: Path, gone: list[Path]) -> Any:
    if isinstance(value, Tagged):
        gone.append(path)
        return None if value.tag == "!reset" else _take(value.value, path, [])
    if isinstance(value, dict):
        return {key: _take(one, (*path, key), gone) for key, one in value.items() if not _is_reset(one, (*path, key), gone)}
    if isinstance(value, list):
        return [_take(one, (*path, at), gone) for at, one in enumerate(value) if not _is_reset(one, (*path, at), gone)]
    return value


def _is_reset(value: Any, path: Path, gone: list[Path]) -> bool:
    if isinstance(value, Tagged) and value.tag == "!reset":
        gone.append(path)
        return True
    return False


def forget(tree: Tree, paths: list[Path]) -> None:
    """Take what stands at each of the paths out of `tree`."""
    for path in sorted(paths, key=len, reverse=True):
        at: Any = tree
        for part in path[:-1]:
            if not _holds(at, part):
                break
            at = at[part]
        else:
            if path and _holds(at, path[-1]):
                del at[path[-1]]


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value
