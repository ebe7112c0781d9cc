"""Going through a directory of a source tree: what is in it and not left out, always in one order.

Works on descriptors and single names. A name that becomes a link between a look and the next is never
followed. How deep a tree is costs descriptors, not the interpreter's stack; how many names it has costs
memory for those of one directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from rootless.build.context.ignore import NOTHING, UNDECIDED, PathPatterns
from rootless.build.context.source_tree import DIRECTORY, SourceTree
from rootless.errors import RootlessError

_DEEPEST = 2000  # above it PATH_MAX is near, and thousands of descriptors


class Found(NamedTuple):
    """One file. `path` is relative to where the walk began, `directory` its parent; `fd` a directory's own, else -1.
    Descriptors are the walk's, and good until the next step. `leaving`: a directory again, all in it seen."""

    path: str
    directory: int
    name: str
    status: os.stat_result
    fd: int = -1
    leaving: bool = False


class Filters(NamedTuple):
    """What of a directory is wanted: not what `excludes` has, and, unless None, what `includes` has."""

    excludes: PathPatterns = NOTHING
    includes: PathPatterns | None = None


class _Decisions(NamedTuple):
    """What the patterns said of one path, as they are asked about those below it."""

    ignored: int = UNDECIDED
    excluded: int = UNDECIDED
    included: int = UNDECIDED


class _Level:
    """A directory that is gone through. It is not shown before something in it is, where it is itself left out."""

    __slots__ = ("decisions", "fd", "found", "names", "path", "shown")

    def __init__(self, fd: int, path: str, found: Found | None, decisions: _Decisions, *, shown: bool) -> None:
        self.fd = fd
        self.path = path
        self.found = found
        self.decisions = decisions
        self.shown = shown
        self.names = iter(sorted(os.listdir(fd)))


def walk(tree: SourceTree, top: int, prefix: str, filters: Filters) -> Iterator[Found]:
    """All that is wanted below the directory `top` (a descriptor; stays the caller's), without itself.

    `prefix` is its path in the tree, for what the tree's ignore file says. RootlessError names what cannot be read.
    """
    return _Walk(tree, prefix, filters).run(top)


class _Walk:
    def __init__(self, tree: SourceTree, prefix: str, filters: Filters) -> None:
        self._tree = tree
        self._prefix = prefix + "/" if prefix else ""
        self._filters = filters
        self._levels: list[_Level] = []

    def run(self, top: int) -> Iterator[Found]:
        ignored = self._tree.patterns.decide_path(self._prefix[:-1]) if self._prefix else UNDECIDED
        fd = os.open(".", DIRECTORY, dir_fd=top)
        try:
            self._levels.append(_Level(fd, "", None, _Decisions(ignored), shown=True))
        except BaseException:
            os.close(fd)
            raise
        try:
            while self._levels:
                level = self._levels[-1]
                name = next(level.names, None)
                if name is not None:
                    yield from self._one(level, name)
                    continue
                self._levels.pop()
                try:
                    if level.shown and level.found is not None:
                        yield level.found._replace(leaving=True)
                finally:
                    os.close(level.fd)
        finally:
            for level in self._levels:
                os.close(level.fd)

    def _one(self, level: _Level, name: str) -> Iterator[Found]:
        path = f"{level.path}/{name}" if level.path else name
        decisions = self._decide(path, level.decisions)
        wanted = self._is_wanted(decisions)
        if not wanted and not self._may_want_below(path, decisions):
            return
        try:
            status = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode):
            if wanted:
                yield from self._show_above()
                yield Found(path, level.fd, name, status)
            return
        if len(self._levels) > _DEEPEST:
            raise RootlessError(f"{self._tree.name} has directories nested more than {_DEEPEST} deep: {path[:100]}...")
        fd = self._enter(level, name, path)
        if fd < 0:
            return
        found = Found(path, level.fd, name, os.fstat(fd), fd)
        if wanted:
            yield from self._show_above()
        try:
            self._levels.append(_Level(fd, path, found, decisions, shown=wanted))
        except BaseException:
            os.close(fd)
            raise
        if wanted:
            yield found

    def _enter(self, level: _Level, name: str, path: str) -> int:
        try:
            return os.open(name, DIRECTORY, dir_fd=level.fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return -1  # replaced since we looked
            raise self._tree.unreadable(self._prefix + path, error) from None

    def _show_above(self) -> Iterator[Found]:
        for level in self._levels:
            if not level.shown and level.found is not None:
                level.shown = True
                yield level.found

    def _decide(self, path: str, above: _Decisions) -> _Decisions:
        filters = self._filters
        ignored, excluded, included = above
        if self._tree.patterns:
            ignored = self._tree.patterns.decide(self._prefix + path, ignored)
        if filters.excludes:
            excluded = filters.excludes.decide(path, excluded)
        if filters.includes is not None:
            included = filters.includes.decide(path, included)
        return _Decisions(ignored, excluded, included)

    def _is_wanted(self, decisions: _Decisions) -> bool:
        filters = self._filters
        return not (
            self._tree.patterns.excluded(decisions.ignored)
            or filters.excludes.excluded(decisions.excluded)
            or (filters.includes is not None and not filters.includes.excluded(decisions.included))
        )

    def _may_want_below(self, path: str, decisions: _Decisions) -> bool:
        filters, patterns = self._filters, self._tree.patterns
        if patterns.excluded(decisions.ignored) and patterns.can_skip_directory(self._prefix + path, decisions.ignored):
            return False
        if filters.excludes.excluded(decisions.excluded) and filters.excludes.can_skip_directory(
            path, decisions.excluded
        ):
            return False
        return (
            filters.includes is None
            or filters.includes.excluded(decisions.included)
            or filters.includes.can_match_below(path)
        )
