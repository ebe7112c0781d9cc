"""COPY and ADD on trees of a test: what one wrote, told in words."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.ignore import PathPatterns
from rootless.build.context.source_tree import SourceTree
from rootless.build.copy import step as copy_step
from rootless.build.copy.step import Written
from rootless.build.plan.sources import CONTEXT
from rootless.build.plan.steps import CopySource, CopyStep, PathSource, StepPlace
from rootless.storage.store import Store
from tests.storage.joined import Joined

PLACE = StepPlace("[1/1] COPY", 1, 1)


class Done(NamedTuple):
    """`key` before anything was written; `files` as `told` has them."""

    key: str
    written: Written
    files: dict[str, str]


class Trees:
    """`context` is copied from, `root` to. `copy` does so in a session, and tells what is there then."""

    def __init__(self, base: Path, store: Store, joined: Joined) -> None:
        self.base = base
        self.context = base / "context"
        self.root = base / "root"
        self.context.mkdir()
        self.root.mkdir()
        self.root.chmod(0o755)
        self._store = store
        self._joined = joined

    def write(self, **files: str) -> None:
        """Files of the context; a name's `__` is a slash."""
        for name, text in files.items():
            path = self.context / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def copy(
        self,
        words: str | Sequence[CopySource],
        destination: str,
        *,
        ignore: Sequence[str] = (),
        keeps_owners: bool = False,
        before: Callable[[], None] = lambda: None,
        between: Callable[[], None] = lambda: None,
        users: Path | None = None,
        epoch: int | None = None,
        **flags: Any,
    ) -> Done:
        """One COPY (ADD with add=True). `before` is done in the session first, `between` after the key."""
        sources = [PathSource(CONTEXT, tuple(words.split()))] if isinstance(words, str) else words
        step = CopyStep(PLACE, tuple(sources), destination, **flags)

        def run() -> Done:
            before()
            with opened_tree(self.context, ignore, keeps_owners=keeps_owners) as tree:
                root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)

                @contextmanager
                def users_root() -> Iterator[int]:
                    fd = os.open(users or self.root, os.O_PATH | os.O_DIRECTORY)
                    yield fd
                    os.close(fd)

                with copy_step.opened(self._store, step, lambda source: tree, epoch=epoch) as open_copy:
                    key = copy_step.key_part(open_copy, users_root)
                    between()
                    written = copy_step.apply(open_copy, root, users_root)
                os.close(root)
            return Done(key, written, told(self.root))

        return self._joined(run)


@contextmanager
def opened_tree(
    path: Path, ignore: Sequence[str] = (), *, keeps_owners: bool = False
) -> Iterator[SourceTree]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    hashes = FileHashes(None, root_fd=fd)
    yield SourceTree(fd, hashes, "the context", PathPatterns(ignore), ".dockerignore", keeps_owners)
    os.close(fd)


def told(top: Path) -> dict[str, str]:
    """{path: "mode uid:gid content"}, seen from here; directories with a slash at the end."""
    found = {}
    for where, directories, files in os.walk(top):
        for name in sorted([*directories, *files]):
            path = Path(where, name)
            status = path.lstat()
            mode = f"{stat.S_IMODE(status.st_mode):o} {status.st_uid}:{status.st_gid}"
            key = str(path.relative_to(top))
            if stat.S_ISLNK(status.st_mode):
                found[key] = f"-> {path.readlink()}"
            elif stat.S_ISDIR(status.st_mode):
                found[key + "/"] = mode
            elif stat.S_ISREG(status.st_mode):
                found[key] = f"{mode} {path.read_text(errors='replace')}"
            else:
                found[key] = f"{mode} type {stat.S_IFMT(status.st_mode):o}"
    return found
