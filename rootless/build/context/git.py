"""A repository's files as a source: fetched as little as can be, checked out into a scratch directory.

    ROOT/build/git/<sha256 of the remote>/repository   bare: what was fetched before

The server and the repository are strangers: words git could take for options are refused, and how many files
a checkout has, and how large they are, is counted before any is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless.build.context import kept, submodules
from rootless.build.context.git_program import TRANSPORTS, Git, NoRoom, room
from rootless.build.plan.steps import GitSource
from rootless.errors import Corrupt, InvalidInput, NotFound, RootlessError, Unavailable
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.storage import staging
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store

_HEXADECIMAL = frozenset("0123456789abcdef")
_NO_NAME = frozenset(" :*^~?[\\")
_MOST_ENTRIES = 2_000_000


class Checkout(NamedTuple):
    """The files of one commit: `directory` is the top, or the subdirectory that was asked for. `time` is when it was
    committed, in seconds since 1970."""

    directory: str
    commit: str
    time: int


def directory(store: Store) -> str:
    """Where repositories are kept; whoever wants the space removes what is below it, under its locks."""
    return store.root + "/build/git"


@contextmanager
def checked_out(store: Store, source: GitSource, *, ssh_socket: str = "") -> Iterator[Checkout]:
    """The files of `source` in a scratch directory, deleted at the end.

    `ssh_socket` is an agent's, for ssh remotes. InvalidInput for words git could misunderstand, Unavailable where the
    server does not answer, NotFound for a ref or directory that is not there, Corrupt where the commit is another.
    """
    _check(source)
    with staging.directory(store, "git") as scratch:
        git = Git(scratch, ssh_socket=ssh_socket, hidden=_password(source.remote))
        tree = scratch + "/tree"

        def obtain(wanted: GitSource, where: str) -> str:
            _check(wanted)
            return _obtain(git, store, wanted, scratch, where)[0]

        repository, commit = _obtain(git, store, source, scratch, tree)
        every = [(tree, source)]
        if source.submodules:
            every += submodules.add(git, source, repository, commit, tree, obtain)
        time = int(git.run("-C", tree, "log", "-1", "--format=%ct", doing="read the commit") or "0")
        if source.mtime == "commit":
            _set_times(tree, time)
        for where, one in every:
            if source.keep_git_dir:
                _name_remote(git, one, where)
            else:
                remove_tree(where + "/.git")
        yield Checkout(_subdirectory(tree, source.subdir), commit, time)


def _obtain(git: Git, store: Store, source: GitSource, scratch: str, tree: str) -> tuple[str, str]:
    """Check out the commit that is meant in `tree`, new or empty; where the repository is kept, and the commit."""
    place = f"{directory(store)}/{hashlib.sha256(os.fsencode(source.remote)).hexdigest()}"
    repository = place + "/repository"
    lock = kept.lock(place)
    try:
        _remove_leftovers(repository)
        try:
            return repository, _at_hand(git, repository, source, scratch, tree)
        except NoRoom:
            remove_tree(repository)
            raise
        except _Damaged:
            # A power cut may have left a repository that git cannot read. What it had can be fetched again.
            remove_tree(tree)
            return repository, _afresh(git, repository, source, scratch, tree)
    finally:
        os.close(lock)


class _Damaged(Unavailable):
    """A commit could not be fetched or read; perhaps because of what our repository has of earlier ones."""


def _at_hand(git: Git, repository: str, source: GitSource, scratch: str, tree: str) -> str:
    """Fetch the commit that is meant, and check it out in `tree`; the commit."""
    if not git.succeeds("-C", repository, "rev-parse", "--git-dir"):
        remove_tree(repository)
        git.run("init", "--quiet", "--bare", repository, doing="make a repository")
    wanted, commit = (source.ref, source.ref) if _is_commit(source.ref) else _resolve(git, source.remote, source.ref or "HEAD")
    try:
        commit = _fetch(git, repository, source, wanted, commit)
        _check_size(git, repository, commit, scratch)
        _check_out(git, repository, commit, tree)
    except Unavailable as error:
        raise _Damaged(error.message, hint=error.hint) from None
    return commit


def _afresh(git: Git, repository: str, source: GitSource, scratch: str, tree: str) -> str:
    """The same without what was fetched before, which stays where that fails, too."""
    old = repository + ".old"
    remove_tree(old)
    os.rename(repository, old)
    try:
        commit = _at_hand(git, repository, source, scratch, tree)
    except BaseException:
        remove_tree(repository)
        os.rename(old, repository)
        raise
    remove_tree(old)
    return commit


def _remove_leftovers(repository: str) -> None:
    """Git's own lock files and what it had not received whole, of a git that was killed or whose server went away: nobody
    else has the repository while we hold the lock."""
    for where, _, files in os.walk(repository):
        for name in files:
            if name.endswith((".lock", ".temp")) or name.startswith("tmp_"):
                os.unlink(os.path.join(where, name))


def _check(source: GitSource) -> None:
    scheme, separator, rest = source.remote.partition("://")
    # Without a scheme it is user@host:path, and the host is what ssh gets as a word.
    host = (rest.partition("/")[0] if separator else source.remote.partition(":")[0]).rpartition("@")[2]
    proper = scheme in TRANSPORTS if separator else "@" in source.remote.partition(":")[0] and ":" in source.remote
    if not proper or "::" in source.remote.partition("/")[0] or host.startswith("-") or source.remote.startswith("-"):
        raise InvalidInput(f"no repository that can be fetched: {_shown(source.remote)}", hint="by http, https, git or ssh")
    for word in (source.remote, source.ref, source.subdir, source.checksum):
        if any(character < " " or character == "\x7f" for character in word):
            raise InvalidInput(f"control characters in the name of a repository: {_shown(source.remote)!r}")
    for word in (source.ref, source.checksum):
        if word.startswith("-") or " " in word or ":" in word:
            raise InvalidInput(f"invalid git ref {word!r}")


def _password(remote: str) -> str:
    rest = remote.partition("://")[2].partition("/")[0]
    return rest.rpartition("@")[0] if ":" in rest.rpartition("@")[0] else ""


def _shown(remote: str) -> str:
    password = _password(remote)
    return remote.replace(password + "@", "", 1) if password else remote


def _is_commit(word: str) -> bool:
    return len(word) in (40, 64) and _HEXADECIMAL.issuperset(word)


def _fetch(git: Git, repository: str, source: GitSource, wanted: str, commit: str) -> str:
    """See that the commit that `wanted` is a name of is in the repository; it, or what the name means by now."""
    if not git.succeeds("-C", repository, "cat-file", "-e", commit + "^{commit}"):
        doing = f"fetch {_shown(source.remote)}"
        shallow = ("-C", repository, "fetch", "--quiet", "--no-tags", "--depth=1", "--force", "--", source.remote)
        if not git.succeeds(*shallow, f"{commit}:refs/rootless/fetched", doing=doing):
            # A server that gives nothing but its refs.
            if _is_commit(wanted):
                # However many those are, they get no names here.
                names = "\n".join(_refs(git, source.remote))
                whole = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin")
                git.run("-C", repository, *whole, "--", source.remote, doing=doing, given=names)
            else:
                git.run(*shallow, f"+{wanted}:refs/rootless/fetched", doing=doing)
            if not _is_commit(wanted):
                commit = git.run("-C", repository, "rev-parse", "refs/rootless/fetched^{commit}", doing=doing).strip()
    commit = git.run("-C", repository, "rev-parse", "--verify", commit + "^{commit}", doing="find the commit").strip()
    if source.checksum and not commit.startswith(source.checksum.lower()):
        raise Corrupt(f"expected checksum to match {source.checksum}, got {commit}")
    # By this name it can be fetched from here.
    git.run("-C", repository, "update-ref", f"refs/rootless/commits/{commit}", commit, doing="keep the commit")
    return commit


def _resolve(git: Git, remote: str, ref: str) -> tuple[str, str]:
    """The whole name of a ref, and its commit. A branch goes before a tag, as in git checkout."""
    lines = git.run("ls-remote", "--", remote, ref, ref + "^{}", doing=f"read the refs of {_shown(remote)}").splitlines()
    found = {name: commit for commit, _, name in (line.partition("\t") for line in lines) if _is_commit(commit)}
    for name in (ref if ref == "HEAD" or ref.startswith("refs/") else "", f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"):
        if name in found:
            return name, found.get(name + "^{}", found[name])
    raise NotFound(f"repository does not contain ref {ref}: {_shown(remote)}")


def _refs(git: Git, remote: str) -> list[str]:
    """The names of all that the server has, as far as git could have made them."""
    lines = git.run("ls-remote", "--refs", "--", remote, doing=f"read the refs of {_shown(remote)}").splitlines()
    names = [line.partition("\t")[2] for line in lines]
    return [name for name in names if name.startswith("refs/") and not _NO_NAME.intersection(name)]


def _check_size(git: Git, repository: str, commit: str, scratch: str) -> None:
    left = room(scratch)
    for entries, record in enumerate(git.records("-C", repository, "ls-tree", "-r", "-t", "-l", "-z", commit), start=1):
        numbers = record.partition(b"\t")[0].split()
        left -= int(numbers[3]) if len(numbers) == 4 and numbers[3].isdigit() else 0
        if left < 0:
            raise NoRoom(f"check commit {commit[:12]} out")
        if entries > _MOST_ENTRIES:
            raise RootlessError(f"commit {commit[:12]} has more than {_MOST_ENTRIES} files and directories")


def _check_out(git: Git, repository: str, commit: str, tree: str) -> None:
    doing = "check the commit out"
    git.run("init", "--quiet", tree, doing=doing)
    ref = f"refs/rootless/commits/{commit}"
    git.run("-C", tree, "fetch", "--quiet", "--no-tags", "--depth=1", "--", f"file://{repository}", ref, doing=doing, local=True)
    git.run("-C", tree, "checkout", "--quiet", "--force", "--detach", commit, doing=doing)


def _name_remote(git: Git, source: GitSource, tree: str) -> None:
    """Leave in the kept .git where its files are from, and nothing of this machine or of a password."""
    git.run("-C", tree, "remote", "add", "--", "origin", _shown(source.remote), doing="name the remote")
    os.unlink(tree + "/.git/FETCH_HEAD")


def _set_times(tree: str, seconds: int) -> None:
    for where, directories, files in os.walk(tree):
        for name in (*directories, *files):
            os.utime(os.path.join(where, name), (seconds, seconds), follow_symlinks=False)


def _subdirectory(tree: str, subdir: str) -> str:
    """The directory, its links followed inside the tree alone."""
    if not subdir.strip("/"):
        return tree
    top = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = openat2(
            top, subdir.lstrip("/"), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )
    except OSError as error:
        raise NotFound(f"subdir {subdir!r} of the repository: {error.strerror}") from None
    finally:
        os.close(top)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
