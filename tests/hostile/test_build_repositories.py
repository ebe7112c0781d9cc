"""Repositories and git servers of strangers: submodules that are bombs or lead elsewhere, what is kept of a password.

CVE-2024-32002 and CVE-2018-11235 were hooks written by way of submodules, CVE-2018-11234 and CVE-2023-29007 words
of .gitmodules that git believed, CVE-2024-32465 and CVE-2022-39253 repositories of this machine.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rootless.build.context import git, submodules
from rootless.build.plan.steps import GitSource
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.storage.store import Store, make_directory
from tests.build.context.git_daemon import Repository, files
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository
from tests.build.context.git_http import GitHttp
from tests.storage.conftest import store as store


def tree(repository: Repository, *entries: tuple[str, str, str]) -> str:
    """A tree object of (mode, identity, name) as a hostile server can send it: in that order, without a check."""
    data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(identity) for mode, identity, name in entries)
    words = ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"]
    done = subprocess.run(words, cwd=repository.path, input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


def commit(repository: Repository, branch: str, top: str) -> str:
    found = repository.run("commit-tree", "-m", "x", top)
    repository.run("update-ref", f"refs/heads/{branch}", found)
    return found


def blob(repository: Repository, text: str) -> str:
    words = ["git", "hash-object", "-w", "--stdin"]
    done = subprocess.run(words, cwd=repository.path, input=text, text=True, capture_output=True, check=True)
    return done.stdout.strip()


def gitmodules(*paths: str, url: str = "./") -> str:
    return "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path in paths)


def test_submodules_that_double(store: Store, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit has the one before it twice: 24 commits that are 16 million checkouts."""
    monkeypatch.setattr(submodules, "_MOST", 12)
    repository.run("config", "uploadpack.allowAnySHA1InWant", "true")
    text = blob(repository, gitmodules("a", "b", url=f"../{repository.path.name}"))
    found = repository.head
    for _ in range(24):
        top = tree(repository, ("100644", text, ".gitmodules"), ("160000", found, "a"), ("160000", found, "b"))
        found = commit(repository, "bomb", top)
    with pytest.raises(RootlessError, match="more than 12 submodules"):
        files(store, repository.url, ref="bomb")
    assert not list(Path(store.root, "tmp").iterdir())


def test_a_submodule_whose_files_are_a_bomb(store: Store, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    one = blob(repository, "x")
    top = tree(repository, *(("100644", one, f"f{n:02}") for n in range(50)))
    inner = commit(repository, "inner", top)
    text = blob(repository, gitmodules("a", url=f"../{repository.path.name}"))
    commit(repository, "outer", tree(repository, ("100644", text, ".gitmodules"), ("160000", inner, "a")))
    assert "a/f49" in files(store, repository.url, ref="outer")
    monkeypatch.setattr(git, "_MOST_ENTRIES", 40)
    with pytest.raises(RootlessError, match="has more than 40 files and directories"):
        files(store, repository.url, ref="outer")


@pytest.mark.parametrize("path", ["../out", "l/x", "l", ".git/modules", "a/../../out", "/tmp/x"])
def test_a_submodules_place(store: Store, base: tuple[Path, int], repository: Repository, path: str) -> None:
    """In a tree as no git writes one: out of it, behind a link, in .git (CVE-2018-11234, CVE-2024-32002)."""
    out = base[0] / "out"
    out.mkdir()
    link, text = blob(repository, str(out)), blob(repository, gitmodules(path, url=f"../{repository.path.name}"))
    below = tree(repository, ("160000", repository.head, path.rpartition("/")[2]))
    entries = [("100644", text, ".gitmodules"), ("120000", link, "l")]
    if "/" in path.strip("/"):
        entries.append(("40000", below, path.strip("/").partition("/")[0]))
    entries.append(("160000", repository.head, path))
    commit(repository, "out", tree(repository, *entries))
    try:
        assert "passwd" not in str(files(store, repository.url, ref="out"))
    except RootlessError:
        pass
    assert not list(out.iterdir())


def test_gitmodules_that_is_a_link(store: Store, base: tuple[Path, int], repository: Repository) -> None:
    """To a file of this machine, which would say what is fetched from where."""
    (base[0] / "own").write_text(gitmodules("a", url=repository.url))
    link = blob(repository, str(base[0] / "own"))
    commit(repository, "link", tree(repository, ("120000", link, ".gitmodules"), ("160000", repository.head, "a")))
    try:
        assert "a/a" not in files(store, repository.url, ref="link")
    except RootlessError:
        pass


@pytest.mark.parametrize("more", ["update = !touch {marker}", "update = none", "branch = --upload-pack=touch", "shallow = x"])
def test_words_of_gitmodules(store: Store, base: tuple[Path, int], repository: Repository, more: str) -> None:
    """CVE-2023-29007's and CVE-2019-19604's: nothing of it is configuration."""
    marker = base[0] / "marker"
    text = gitmodules("a", url=f"../{repository.path.name}") + f"\t{more.format(marker=marker)}\n"
    text += f"[core]\n\tfsmonitor = touch {marker}\n\tsshCommand = touch {marker}\n[include]\n\tpath = {marker}\n"
    one = blob(repository, text)
    commit(repository, "words", tree(repository, ("100644", one, ".gitmodules"), ("160000", repository.head, "a")))
    assert ("a/a" in files(store, repository.url, ref="words")) is (more != "update = none")
    assert not marker.exists()


def test_a_submodule_that_nothing_is_said_of(store: Store, repository: Repository) -> None:
    one = blob(repository, gitmodules("other"))
    commit(repository, "x", tree(repository, ("100644", one, ".gitmodules"), ("160000", repository.head, "a")))
    with pytest.raises(NotFound, match="no url found for submodule path 'a'"):
        files(store, repository.url, ref="x")
    assert "a/a" not in files(store, repository.url, ref="x", submodules=False)


def test_no_password_and_no_path_of_ours_in_a_kept_git_directory(store: Store, base: tuple[Path, int]) -> None:
    """It becomes part of an image: BUILDKIT_CONTEXT_KEEP_GIT_DIR, ADD --keep-git-dir."""
    outer, inner = (Repository(base[0] / name, base[1]) for name in ("outer.git", "inner.git"))
    text = blob(outer, gitmodules("a", url="../inner.git"))
    commit(outer, "main", tree(outer, ("100644", text, ".gitmodules"), ("160000", inner.head, "a")))
    make_directory(store.root)
    with GitHttp(base[0], "me:hunter2") as server:
        source = GitSource(server.url("outer.git", user="me:hunter2@"), keep_git_dir=True)
        with git.checked_out(store, source) as checkout:
            assert Path(checkout.directory, "a/a").read_text() == "first"
            kept = [path for path in Path(checkout.directory).rglob("*") if path.is_file() and ".git" in path.parts]
            assert Path(checkout.directory, "a/.git/config") in kept
            for path in kept:
                data = path.read_bytes()
                assert b"hunter2" not in data, path
                assert os.fsencode(store.root) not in data, path


def test_a_password_stays_with_its_server(store: Store, base: tuple[Path, int]) -> None:
    """Redirected elsewhere, or for a submodule that is elsewhere, git asks without it."""
    outer, inner = (Repository(base[0] / name, base[1]) for name in ("outer.git", "inner.git"))
    make_directory(store.root)
    with GitHttp(base[0], "me:hunter2") as server, GitHttp(base[0]) as other:
        text = blob(outer, gitmodules("a", url=other.url("inner.git")))
        commit(outer, "main", tree(outer, ("100644", text, ".gitmodules"), ("160000", inner.head, "a")))
        assert files(store, server.url("outer.git", user="me:hunter2@"))["a/a"] == "first"
        assert any(server.seen)
        server.redirect = other.url
        server.seen.clear()
        try:
            files(store, server.url("outer.git", user="me:hunter2@"), ref="refs/heads/main")
        except RootlessError:
            pass
        assert server.seen
        assert other.seen
        assert set(other.seen) == {""}


@pytest.mark.parametrize("target", ["file://{0}/x.git", "ext::sh -c touch% {0}/marker", "ftp://127.0.0.1/x", "git://127.0.0.1/{0}"])
def test_redirects_to_other_transports(store: Store, base: tuple[Path, int], target: str) -> None:
    Repository(base[0] / "x.git", base[1])
    make_directory(store.root)
    with GitHttp(base[0]) as server:
        server.redirect = lambda path: target.format(base[0])
        with pytest.raises(RootlessError):
            files(store, server.url("x.git"))
    assert not (base[0] / "marker").exists()


def test_names_of_refs(store: Store, base: tuple[Path, int], repository: Repository) -> None:
    """As a server lists them: words of a command are what the caller said, and commits."""
    marker = base[0] / "marker"
    for name in (f"--upload-pack=touch${{IFS}}{marker}", "-x", "HEAD", "main^{}"):
        (repository.path / ".git/refs/heads" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository.path / ".git/refs/heads" / name.replace("/", "_")).write_text(repository.head + "\n")
    assert files(store, repository.url)["a"] == "first"
    with pytest.raises(InvalidInput):
        files(store, repository.url, ref="-x")
    assert not marker.exists()
