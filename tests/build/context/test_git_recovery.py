"""Repositories that a killed git, or a power cut, left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootless.build.context import git
from rootless.errors import Unavailable
from rootless.storage.store import Store
from tests.build.context.git_daemon import Repository, files
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository


def kept(store: Store) -> Path:
    (found,) = Path(git.directory(store)).glob("*/repository")
    return found


def test_after_a_git_that_was_killed(store: Store, repository: Repository) -> None:
    files(store, repository.url)
    for name in ("shallow.lock", "HEAD.lock", "packed-refs.lock", "refs/rootless/fetched.lock", "config.lock"):
        (kept(store) / name).write_text("")
    repository.commit(a="second")
    assert files(store, repository.url)["a"] == "second"


@pytest.mark.parametrize("damage", ["objects", "HEAD", "all"])
def test_after_a_power_cut(store: Store, repository: Repository, damage: str) -> None:
    files(store, repository.url)
    for path in kept(store).rglob("*"):
        if path.is_file() and (damage == "all" or damage in str(path.relative_to(kept(store)))):
            path.chmod(0o600)
            path.write_bytes(b"")
    assert files(store, repository.url)["a"] == "first"


def test_what_was_fetched_stays_where_the_server_is_away(store: Store, repository: Repository) -> None:
    first = files(store, repository.url)["commit"]
    repository.path.rename(repository.path.with_name("away"))
    with pytest.raises(Unavailable):
        files(store, repository.url, ref="0" * 40)
    assert files(store, repository.url, ref=first)["a"] == "first"
