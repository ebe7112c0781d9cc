"""A repository's submodules: found in the commit itself, each fetched and checked out as any other repository.

git-submodule(1) does not do it: it counts neither submodules nor their files, and writes the remote's password
into the configuration of each. .gitmodules is a stranger's: what counts in it is path, url and `update = none`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from rootless.build.context.git_program import Git
from rootless.build.plan.steps import GitSource
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2

_MOST = 1000
_DEEPEST = 20

# Fetches the commit of a source and checks it out in a directory; where its repository is kept.
Obtain = Callable[[GitSource, str], str]


class _Found(NamedTuple):
    path: str
    commit: str
    url: str


def add(git: Git, source: GitSource, repository: str, commit: str, tree: str, obtain: Obtain) -> list[tuple[str, GitSource]]:
    """Check out the submodules of `commit`, which is in `repository` and checked out in `tree`, and theirs; the
    directory and the source of each. RootlessError where there are more than any project has; InvalidInput,
    NotFound for what no repository can mean."""
    done: list[tuple[str, GitSource]] = []
    left = [(source, repository, commit, tree, 0)]
    while left:
        above, repository, commit, where, depth = left.pop()
        for found in _of_commit(git, repository, commit):
            if len(done) == _MOST or depth == _DEEPEST:
                raise RootlessError(f"the repository has more than {_MOST} submodules, or nests them more than {_DEEPEST} deep",
                                    hint="?submodules=false leaves them out")  # fmt: skip
            inner = GitSource(_resolved(above.remote, found.url), ref=found.commit, keep_git_dir=source.keep_git_dir)
            directory = _directory(where, found.path)
            left.append((inner, obtain(inner, directory), found.commit, directory, depth + 1))
            done.append((directory, inner))
    return done


def _of_commit(git: Git, repository: str, commit: str) -> list[_Found]:
    known = ""
    links: dict[str, str] = {}
    for record in git.records("-C", repository, "ls-tree", "-r", "-z", commit):
        about, _, path = os.fsdecode(record).partition("\t")
        mode, _, identity = about.split()
        if path == ".gitmodules" and mode in ("100644", "100755"):  # a link is none of it
            known = identity
        elif mode == "160000":
            links[path] = identity
            if len(links) > _MOST:
                raise RootlessError(f"the repository has more than {_MOST} submodules", hint="?submodules=false leaves them out")
    if not known:
        return []
    urls = _urls(git, repository, known)
    for path in links:
        if path not in urls:
            raise NotFound(f"no url found for submodule path {path!r} in .gitmodules")
    return [_Found(path, identity, url) for path, identity in sorted(links.items()) if (url := urls[path]) is not None]


def _urls(git: Git, repository: str, blob: str) -> dict[str, str | None]:
    """{path: url}, None for a submodule that is not to be fetched."""
    named: dict[str, dict[str, str]] = {}
    doing = "read .gitmodules"
    for line in git.run("-C", repository, "config", "--blob", blob, "-z", "--list", doing=doing).split("\0"):
        key, _, value = line.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule" and name:
            named.setdefault(name, {})[variable] = value
    return {one["path"].rstrip("/"): None if one.get("update") == "none" else one.get("url", "")
            for one in named.values() if one.get("path")}  # fmt: skip


def _resolved(remote: str, url: str) -> str:
    """A submodule's address, which may be relative to that of the repository that it is in."""
    if not url.startswith(("./", "../")):
        return url
    remote, separator = remote.rstrip("/"), "/"
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            separator = "/" if "/" in remote else ":"
            remote = remote.rpartition(separator)[0]
        url = url.partition("/")[2]
    return f"{remote}{separator}{url}".rstrip("/")


def _directory(tree: str, path: str) -> str:
    """The directory that the checkout has made for a submodule; reached over no link, and empty."""
    top = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = openat2(top, path, flags, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        raise InvalidInput(f"the submodule {path!r}: {error.strerror}") from None
    finally:
        os.close(top)
    try:
        if os.listdir(fd):
            raise InvalidInput(f"the submodule {path!r} is in a directory that is not empty")
    finally:
        os.close(fd)
    return f"{tree}/{path}"
