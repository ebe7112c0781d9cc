"""What the source words of COPY and ADD mean in a tree: paths, Go's patterns, --parents with its pivot, --exclude."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from typing import NamedTuple

from rootless.build.context import glob
from rootless.build.context.ignore import PathPatterns, excluding
from rootless.build.context.source_tree import DIRECTORY, SourceTree
from rootless.build.context.walk import Filters
from rootless.errors import InvalidInput, NotFound

_PIVOT = "/./"
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Selected(NamedTuple):
    """One source. `path` is where it is in the tree, its links followed; of a directory, the contents are copied.

    `name` is what a file is called in a directory. With `parents` directories that are there keep what they are.
    """

    tree: SourceTree
    path: str
    name: str
    status: os.stat_result
    filters: Filters
    parents: bool = False

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


def select(tree: SourceTree, word: str, *, parents: bool = False, excludes: tuple[str, ...] = ()) -> Iterator[Selected]:
    """The sources that one word means, in order of their names.

    NotFound where a word without wildcards means nothing; a pattern may. InvalidInput for a pattern that is none.
    Excludes are relative to a directory that is copied; of a file that is named itself they have the name.
    """
    left_out = excluding(excludes)
    if parents:
        yield from _with_parents(tree, word, left_out)
        return
    path = clip(word)
    for each in _expanded(tree, path) if glob.has_wildcards(path) else [_literal(tree, path)]:
        if each.is_directory or not left_out.ignores(each.name):
            yield each._replace(filters=Filters(left_out))


def clip(word: str) -> str:
    """The word as a path below the root, where `..` and a slash in front stop."""
    return posixpath.normpath("/" + word).lstrip("/")


def _with_parents(tree: SourceTree, word: str, left_out: PathPatterns) -> Iterator[Selected]:
    above, pivot, below = word.partition(_PIVOT)
    base, pattern = (clip(above), clip(below)) if pivot else ("", clip(word))
    wild = glob.has_wildcards(base) or glob.has_wildcards(pattern)
    if not wild:
        _literal(tree, posixpath.join(base, pattern), follow=False)
    includes = None if not pattern else PathPatterns(["\\" + pattern if pattern[0] == "!" else pattern])
    for each in _expanded(tree, base) if glob.has_wildcards(base) else [_literal(tree, base)]:
        if each.is_directory:
            yield each._replace(filters=Filters(left_out, includes), parents=True)
        elif not wild:
            raise NotFound(f"{base!r} is not a directory")


def _literal(tree: SourceTree, path: str, *, follow: bool = True) -> Selected:
    flags = os.O_PATH if follow else os.O_PATH | os.O_NOFOLLOW
    try:
        fd, path = _open(tree, path, flags)
    except OSError as error:
        if error.errno in _ABSENT:
            raise _missing(tree, path) from None
        raise tree.unreadable(path, error) from None
    try:
        status, real = os.fstat(fd), tree.real_path(fd)
    finally:
        os.close(fd)
    is_directory = stat.S_ISDIR(status.st_mode)
    if any(_is_left_out(tree, each, is_directory=is_directory) for each in {path, real}):
        raise _missing(tree, path, left_out=True)
    return Selected(tree, real, posixpath.basename(path), status, Filters())


def _open(tree: SourceTree, path: str, flags: int) -> tuple[int, str]:
    """The file, and the path that it was found at."""
    try:
        return tree.open(path, flags), path
    except FileNotFoundError:
        # The file may have been meant without the backslashes that keep its name from being a pattern.
        if "\\" not in path:
            raise
        plain = glob.unescape(path)
        return tree.open(plain, flags), plain


def _is_left_out(tree: SourceTree, path: str, *, is_directory: bool) -> bool:
    if not path or not tree.patterns:
        return False
    decision = tree.patterns.decide_path(path)
    if not tree.patterns.excluded(decision):
        return False
    return not is_directory or tree.patterns.can_skip_directory(path, decision)


def _missing(tree: SourceTree, path: str, *, left_out: bool = False) -> NotFound:
    hint = f"it is looked for in {tree.name}"
    if left_out:
        hint = f"{tree.ignored_by or 'the ignore file'} leaves it out; a line !{path} takes it back"
    return NotFound(f'"/{path}": not found', hint=hint)


def _expanded(tree: SourceTree, pattern: str) -> Iterator[Selected]:
    """What a pattern matches. Links are followed in the part before its first wildcard, and as the last component."""
    components = pattern.split("/")
    plain = next(number for number, each in enumerate(components) if glob.has_wildcards(each))
    for each in components[plain:]:
        glob.Match(each)  # what is no pattern is an error, also where nothing would match
    start = "/".join(components[:plain])
    try:
        fd = tree.open(start, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in _ABSENT:
            return
        raise tree.unreadable(start, error) from None
    try:
        for path in _matching(tree, fd, start, components[plain:]):
            yield _literal(tree, path)
    finally:
        os.close(fd)


def _matching(tree: SourceTree, fd: int, above: str, components: list[str]) -> Iterator[str]:
    """The paths below the open directory `above` that the components match; recursion as deep as the pattern."""
    if len(components) > 100:
        raise InvalidInput("a pattern has more than 100 components")
    first, rest = components[0], components[1:]
    for name in _names(tree, fd, above, first):
        path = f"{above}/{name}" if above else name
        try:
            is_directory = stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            continue
        if _is_left_out(tree, path, is_directory=is_directory):
            continue
        if not rest:
            yield path
            continue
        if not is_directory:
            continue
        try:
            inner = os.open(name, DIRECTORY, dir_fd=fd)
        except OSError as error:
            if error.errno in _ABSENT:
                continue
            raise tree.unreadable(path, error) from None
        try:
            yield from _matching(tree, inner, path, rest)
        finally:
            os.close(inner)


def _names(tree: SourceTree, fd: int, above: str, component: str) -> list[str]:
    if not glob.has_wildcards(component):
        return [glob.unescape(component)]
    matches = glob.Match(component)
    try:
        return sorted(name for name in os.listdir(fd) if matches(name))
    except OSError as error:
        raise tree.unreadable(above, error) from None
