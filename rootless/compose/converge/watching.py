"""Directories watched for `develop.watch`: which rule a changed file falls under, by inotify; no polling."""

from __future__ import annotations

import os
import posixpath
import select
from collections.abc import Iterator
from typing import Any, NamedTuple

from rootless.build.context.ignore import PathPatterns, excluding, read_lines
from rootless.compose.load.project import Project
from rootless.errors import InvalidInput, NotSupported
from rootless.linux.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_ISDIR,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    Inotify,
)

QUIET_S = 0.5
"""So long nothing may change before what has changed is acted upon: as Docker Compose."""
_MASK = IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
_ALWAYS = (".git", "**/.git", "**/.*.sw?", "**/*~", "**/.#*", "**/4913")
"""What editors and git write beside the files."""
ACTIONS = ("rebuild", "restart", "sync", "sync+restart", "sync+exec")


class Rule(NamedTuple):
    """One entry of a service's `develop.watch`. `ignored` and `included` speak of paths below `path`."""

    service: str
    path: str
    action: str
    target: str
    ignored: PathPatterns
    included: PathPatterns | None
    hook: dict[str, Any]
    initial: bool = False

    def holds(self, path: str) -> bool:
        """Whether a change of that file is the rule's."""
        if path != self.path and not path.startswith(self.path.rstrip("/") + "/"):
            return False
        inside = posixpath.relpath(path, self.path)
        if inside == ".":
            return True
        return not self.ignored.ignores(inside) and (self.included is None or self.included.ignores(inside))

    def guest_path(self, path: str) -> str:
        """Where the file is in the container."""
        inside = posixpath.relpath(path, self.path)
        return posixpath.normpath(self.target if inside == "." else posixpath.join(self.target, inside))


def rules(project: Project, services: list[str]) -> list[Rule]:
    """The rules of the services. InvalidInput for one that makes no sense."""
    found = []
    for name in services:
        config = project.services[name]
        for at, entry in enumerate((config.get("develop") or {}).get("watch") or ()):
            what = f"services.{name}.develop.watch[{at}]"
            action = str(entry.get("action"))
            if action not in ACTIONS:
                raise InvalidInput(f"{what}.action: {action}", hint=f"one of {', '.join(ACTIONS)}")
            if action.startswith("sync") and not str(entry.get("target", "")).startswith("/"):
                raise InvalidInput(f"{what}: {action} needs a target, an absolute path in the container")
            if action == "rebuild" and not config.get("build"):
                raise InvalidInput(f"{what}: can't watch service {name!r} with action rebuild without a build section")
            if action == "sync+exec" and not (entry.get("exec") or {}).get("command"):
                raise InvalidInput(f"{what}: can't watch with action sync+exec without an exec command")
            path = str(entry["path"])
            patterns = [*_dockerignored(config, path), *(entry.get("ignore") or ()), *_ALWAYS]
            included = excluding(entry["include"]) if entry.get("include") else None
            found.append(Rule(name, path, action, str(entry.get("target") or ""), excluding(patterns), included,
                              entry.get("exec") or {}, bool(entry.get("initial_sync"))))  # fmt: skip
    return found


def _dockerignored(config: dict[str, Any], path: str) -> list[str]:
    """The .dockerignore of the build's context, as far as it speaks of what is below `path`."""
    context = str((config.get("build") or {}).get("context") or "")
    try:
        with open(posixpath.join(context, ".dockerignore"), "rb") as file:
            lines = read_lines(file.read(1 << 20))
    except OSError:
        return []
    inside = posixpath.relpath(path, context)
    if inside == ".":
        return lines
    found = []
    for line in lines:
        sign, pattern = ("!", line[1:]) if line.startswith("!") else ("", line)
        if pattern.startswith("**/") or "/" not in pattern.strip("/"):
            found.append(sign + pattern)
        elif pattern.lstrip("/").startswith(inside + "/"):
            found.append(sign + pattern.lstrip("/")[len(inside) + 1 :])
    return found


class TreeWatch:
    """Watches the paths of the rules with all that is below them. A context manager."""

    def __init__(self, wanted: list[Rule]) -> None:
        self._rules = wanted
        self._notices = Inotify()
        self._directories: dict[int, str] = {}
        try:
            for path in dict.fromkeys(rule.path for rule in wanted):
                if not os.path.exists(path):
                    raise InvalidInput(f"develop.watch: {path}: no such file or directory")
                self._add(path if os.path.isdir(path) else os.path.dirname(path), deep=os.path.isdir(path))
        except BaseException:
            self._notices.close()
            raise

    def fileno(self) -> int:
        """To be polled: readable where something may have changed."""
        return self._notices.fileno()

    def __enter__(self) -> TreeWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._notices.close()

    def _add(self, directory: str, *, deep: bool = True) -> None:
        try:
            self._directories[self._notices.watch(directory, _MASK)] = directory
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotSupported(f"cannot watch {directory}: {error.strerror}",
                               hint="root may raise it: sysctl fs.inotify.max_user_watches=524288") from None  # fmt: skip
        if deep:
            for entry in _entries(directory):
                if entry.is_dir(follow_symlinks=False) and not self._is_ignored(entry.path):
                    self._add(entry.path)

    def _is_ignored(self, directory: str) -> bool:
        """Whether no rule speaks of what is in the directory: its files are not watched."""
        for rule in self._rules:
            if directory == rule.path or rule.path.startswith(directory + "/"):
                return False
            if directory.startswith(rule.path.rstrip("/") + "/"):
                inside = posixpath.relpath(directory, rule.path)
                decision = rule.ignored.decide_path(inside)
                if not rule.ignored.excluded(decision) or not rule.ignored.can_skip_directory(inside, decision):
                    return False
        return True

    def changes(self, *more: int) -> tuple[set[str], list[int]]:
        """Wait for changes and for the quiet after them: the changed paths; or which of `more` descriptors is readable."""
        poller = select.poll()
        poller.register(self._notices.fileno(), select.POLLIN)
        for fd in more:
            poller.register(fd, select.POLLIN)
        found: set[str] = set()
        while True:
            ready = [fd for fd, _ in poller.poll(QUIET_S * 1000 if found else None)]
            if any(fd in more for fd in ready):
                return found, [fd for fd in ready if fd in more]
            if not ready:
                return found, []
            found |= self._take()

    def _take(self) -> set[str]:
        found: set[str] = set()
        for number, mask, name in self._notices.events():
            if mask & IN_Q_OVERFLOW:
                found |= {path for rule in self._rules for path in files_below(rule)}
            directory = self._directories.get(number)
            if directory is None or not name:
                continue
            path = f"{directory}/{name}"
            if mask & IN_ISDIR:
                if mask & (IN_CREATE | IN_MOVED_TO) and not self._is_ignored(path):
                    self._add(path)
                    # What was put into it before it was watched.
                    found |= set(_files(path))
                elif mask & (IN_DELETE | IN_MOVED_FROM):
                    found.add(path)
            elif not mask & IN_CREATE or os.path.islink(path):
                found.add(path)  # what is created is told once more when it has been written
        return {path for path in found if any(rule.holds(path) for rule in self._rules)}


def files_below(rule: Rule) -> list[str]:
    """The files that the rule speaks of."""
    if not os.path.isdir(rule.path):
        return [rule.path]
    return [path for path in _files(rule.path) if rule.holds(path)]


def _files(directory: str) -> Iterator[str]:
    for entry in _entries(directory):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            yield entry.path


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []
