"""Repositories: which commit, which files, by a git daemon on loopback; and words git would take for something else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rootless.build.context import git
from rootless.build.context.git_program import Git
from rootless.build.plan.steps import GitSource
from rootless.errors import Corrupt, InvalidInput, NotFound, RootlessError, Unavailable
from rootless.storage.store import Store, make_directory
from tests.build.context.git_daemon import Repository, files
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository


def test_the_head(store: Store, repository: Repository) -> None:
    assert files(store, repository.url) == {"a": "first", "sub/": "", "sub/b": "B", "commit": repository.head}
    assert not list(Path(store.root, "tmp").iterdir())


def test_refs(store: Store, repository: Repository) -> None:
    first = repository.head
    repository.run("tag", "light")
    repository.run("tag", "-a", "-m", "x", "annotated")
    repository.run("branch", "both")
    repository.commit(a="second")
    repository.run("tag", "both")
    for ref in ("light", "annotated", "refs/tags/annotated", "both", "refs/heads/both", first):
        assert files(store, repository.url, ref=ref)["commit"] == first, ref
    for ref in ("", "main", "refs/heads/main", "refs/tags/both", "HEAD"):
        assert files(store, repository.url, ref=ref)["a"] == "second", ref
    with pytest.raises(NotFound, match="does not contain ref nothing"):
        files(store, repository.url, ref="nothing")


def test_a_new_commit_is_seen_and_an_old_one_needs_no_server(store: Store, repository: Repository) -> None:
    first = files(store, repository.url)["commit"]
    repository.commit(a="second")
    assert files(store, repository.url)["a"] == "second"
    repository.path.rename(repository.path.with_name("away"))
    assert files(store, repository.url, ref=first)["a"] == "first"


def test_a_commit_that_no_ref_names(store: Store, repository: Repository) -> None:
    hidden = repository.commit(a="hidden")
    repository.commit(a="third")
    assert files(store, repository.url, ref=hidden)["a"] == "hidden"


def test_the_commit_that_was_meant(store: Store, repository: Repository) -> None:
    assert files(store, repository.url, checksum=repository.head[:12])["a"] == "first"
    with pytest.raises(Corrupt, match="expected checksum to match"):
        files(store, repository.url, checksum="0123456")


def test_a_subdirectory(store: Store, repository: Repository) -> None:
    assert files(store, repository.url, subdir="sub") == {"b": "B", "commit": repository.head}
    assert files(store, repository.url, subdir="/sub/../sub/")["b"] == "B"
    for subdir in ("nothing", "a"):
        with pytest.raises(NotFound, match="subdir"):
            files(store, repository.url, subdir=subdir)


@pytest.mark.parametrize("link", ["/etc", "../../../../../../etc", "/proc/self/root/etc", "."])
def test_a_subdirectory_that_is_a_link(store: Store, repository: Repository, link: str) -> None:
    """CVE-2024-11218 and its like: a source that leads out."""
    (repository.path / "out").symlink_to(link)
    repository.commit()
    try:
        found = files(store, repository.url, subdir="out")
    except NotFound:
        return
    assert "passwd" not in found


def test_the_git_directory(store: Store, repository: Repository) -> None:
    make_directory(store.root)
    for keep in (False, True):
        with git.checked_out(store, GitSource(repository.url, keep_git_dir=keep)) as checkout:
            assert Path(checkout.directory, ".git").exists() is keep
    with git.checked_out(store, GitSource(repository.url, keep_git_dir=True)) as checkout:
        shown = subprocess.run(
            ["git", "-C", checkout.directory, "config", "remote.origin.url"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == repository.url


def test_times_of_the_commit(store: Store, repository: Repository) -> None:
    make_directory(store.root)
    with git.checked_out(store, GitSource(repository.url, mtime="commit")) as checkout:
        assert Path(checkout.directory, "sub/b").stat().st_mtime == 1000
    with git.checked_out(store, GitSource(repository.url)) as checkout:
        assert Path(checkout.directory, "sub/b").stat().st_mtime > 1000


def test_submodules(store: Store, base: tuple[Path, int], repository: Repository) -> None:
    inner = Repository(base[0] / "inner.git", base[1])
    repository.run("submodule", "--quiet", "add", inner.url, "mod")
    repository.run("config", "-f", ".gitmodules", "submodule.mod.url", "../inner.git")
    repository.commit()
    found = files(store, repository.url)
    assert found["mod/a"] == "first"
    assert "mod/.git" not in found
    assert "mod/a" not in files(store, repository.url, submodules=False)


@pytest.mark.parametrize("url", ["{path}", "file://{path}", "ext::sh -c touch% {marker}", "-u./evil"])
def test_submodules_of_this_machine(
    store: Store, base: tuple[Path, int], repository: Repository, url: str
) -> None:
    """CVE-2018-17456 and CVE-2022-39253 were git's."""
    inner = Repository(base[0] / "inner.git", base[1])
    repository.run("submodule", "--quiet", "add", inner.url, "mod")
    marker = base[0] / "marker"
    repository.run(
        "config", "-f", ".gitmodules", "submodule.mod.url", url.format(path=inner.path, marker=marker)
    )
    repository.commit()
    with pytest.raises(InvalidInput):
        files(store, repository.url)
    assert not marker.exists()


def test_nothing_of_the_users_configuration_is_read(
    store: Store, base: tuple[Path, int], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = base[0] / "marker"
    hooks = base[0] / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    configuration = base[0] / "configuration"
    configuration.write_text(f'[core]\n\thooksPath = {hooks}\n[filter "f"]\n\tsmudge = touch {marker}; cat\n')
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, str(configuration))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(hooks))
    monkeypatch.setenv("GIT_DIR", str(repository.path))
    (repository.path / ".gitattributes").write_text("* filter=f\n")
    monkeypatch.delenv("GIT_DIR")
    repository.commit()
    marker.unlink(missing_ok=True)
    monkeypatch.setenv("GIT_DIR", str(base[0]))
    assert files(store, repository.url)["a"] == "first"
    assert not marker.exists()


@pytest.mark.parametrize(
    "remote",
    [
        "file:///etc", "/etc/x.git", "../x.git", "ext::sh -c touch% /tmp/x", "-x", "--upload-pack=touch x", "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x@h:y", "git@-oProxyCommand=x:y", "http::http://h/x.git", "fd::3", "ftp://h/x.git", "git://h/x\n.git", "h:x",
    ],
)  # fmt: skip
def test_remotes_that_are_refused(store: Store, remote: str) -> None:
    """CVE-2017-1000117, CVE-2018-17456."""
    with pytest.raises(InvalidInput):
        files(store, remote)


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch x", "a b", "a:refs/heads/b", "a\nb"])
def test_refs_that_are_refused(store: Store, ref: str) -> None:
    for more in ({"ref": ref}, {"checksum": ref}):
        with pytest.raises(InvalidInput):
            files(store, "git://127.0.0.1:1/x", **more)


def test_nobody_there(store: Store) -> None:
    with pytest.raises(Unavailable, match=r"cannot read the refs of http://127.0.0.1:1/x\.git"):
        files(store, "http://me:secret@127.0.0.1:1/x.git")


def test_no_password_in_errors(tmp_path: Path) -> None:
    program = Git(str(tmp_path), hidden="me:secret")
    with pytest.raises(Unavailable) as caught:
        program.run("fetch", "http://me:secret@127.0.0.1:1/x.git", doing="fetch")
    assert "secret" not in caught.value.message


def test_a_tree_that_is_a_bomb(store: Store, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten blobs of ten trees of ten trees: some kilobytes that are ten thousand million files."""
    blob = repository.run("hash-object", "-w", "a")
    tree = subprocess.run(
        ["git", "mktree"], cwd=repository.path, input="".join(f"100644 blob {blob}\tf{n}\n" for n in range(10)),
        text=True, capture_output=True, check=True,
    ).stdout.strip()  # fmt: skip
    for _ in range(9):
        tree = subprocess.run(
            ["git", "mktree"], cwd=repository.path, input="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)),
            text=True, capture_output=True, check=True,
        ).stdout.strip()  # fmt: skip
    commit = repository.run("commit-tree", "-m", "x", tree)
    repository.run("update-ref", "refs/heads/bomb", commit)
    monkeypatch.setattr(git, "_MOST_ENTRIES", 10_000)
    with pytest.raises(RootlessError, match="has more than"):
        files(store, repository.url, ref="bomb")
    assert not list(Path(store.root, "tmp").iterdir())
