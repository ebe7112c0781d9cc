"""Repositories that a git daemon serves on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.build.context import git
from rootless.build.plan.steps import GitSource
from rootless.storage.store import Store, make_directory
from tests.build.copy.copying import told
from tests.need import need_program


class Repository:
    """One that a daemon serves; `run` is git in it, `head` its newest commit."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.url = f"git://127.0.0.1:{port}/{path.name}"
        path.mkdir()
        self.run("init", "-q", "-b", "main")
        self.commit(a="first", sub__b="B")

    def run(self, *words: str) -> str:
        environment = {
            **os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_DATE": "@1000 +0000", "GIT_COMMITTER_DATE": "@1000 +0000",
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "x"),
        }  # fmt: skip
        words = ("-c", "protocol.file.allow=always", "-c", "protocol.ext.allow=always", *words)
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            path = self.path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.run("add", "-A")
        self.run("commit", "-q", "-m", "x", "--allow-empty")
        return self.head

    @property
    def head(self) -> str:
        return self.run("rev-parse", "HEAD")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A directory of repositories, and the port of the daemon that serves them."""
    need_program("git")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "git",
        "daemon",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--export-all",
        f"--base-path={tmp_path}",
        "--reuseaddr",
    ]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    with subprocess.Popen(
        words, env=environment, start_new_session=True, stderr=subprocess.DEVNULL
    ) as daemon:
        deadline = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield tmp_path, port
        os.killpg(daemon.pid, 15)


@pytest.fixture
def repository(base: tuple[Path, int]) -> Repository:
    return Repository(base[0] / "x.git", base[1])


def files(store: Store, remote: str, **more: Any) -> dict[str, str]:
    """What is checked out, contents only; `commit` with it."""
    make_directory(store.root)
    with git.checked_out(store, GitSource(remote, **more)) as checkout:
        found = told(Path(checkout.directory))
        trimmed = {
            name: text.partition(" ")[2].partition(" ")[2]
            for name, text in found.items()
            if ".git/" not in name
        }
        return {**trimmed, "commit": checkout.commit}
