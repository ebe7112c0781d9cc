"""ADD and a context of a repository by ssh: OpenSSH's own server on loopback, with the agents that a build was given."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.build.conftest import Build
from tests.build.context.git_daemon import Repository
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.need import need_program


class Server(NamedTuple):
    """`home` has the known hosts, `key` may log in, `other` may not."""

    url: str
    home: Path
    key: Path
    other: Path
    repository: Repository


def _key(path: Path) -> Path:
    words = [need_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(words, check=True, timeout=60)
    return path


@pytest.fixture
def server(tmp_path: Path, user: User) -> Iterator[Server]:
    program = need_program("sshd")  # it wants to be called by its whole path
    need_program("git")
    directory = tmp_path / "sshd"
    directory.mkdir()
    host, key, other = (_key(directory / name) for name in ("host", "key", "other"))
    (directory / "authorized").write_text(key.with_suffix(".pub").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (directory / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {directory}/authorized\nPidFile none\n"
        "UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {host.with_suffix('.pub').read_text()}")
    repository = Repository(tmp_path / "x.git", 0)
    with subprocess.Popen([program, "-D", "-e", "-f", directory / "config"], stderr=subprocess.DEVNULL) as daemon:
        deadline = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield Server(f"ssh://{user.name}@127.0.0.1:{port}{tmp_path}/x.git", home, key, other, repository)
        daemon.terminate()


def test_with_a_key(build: Build, server: Server) -> None:
    text = f"FROM busybox\nADD {server.url}#main /src\nRUN cat /src/a /src/sub/b\n"
    env = {"HOME": str(server.home)}
    built = build(text, "--no-cache", "--ssh", f"default={server.key}", env=env)
    assert "firstB" in built.stderr
    server.repository.commit(a="second")
    assert "secondB" in build(text, "--ssh", f"default={server.key}", env=env).stderr
    assert "CACHED" in build(text, "--ssh", f"default={server.key}", env=env).stderr


def test_with_an_agent(build: Build, server: Server) -> None:
    with subprocess.Popen([need_program("ssh-agent"), "-D", "-a", f"{server.home}/agent"], stdout=subprocess.DEVNULL) as agent:
        try:
            while not (server.home / "agent").exists():
                time.sleep(0.02)
            env = {"HOME": str(server.home), "SSH_AUTH_SOCK": f"{server.home}/agent"}
            subprocess.run([need_program("ssh-add"), "-q", server.key], env={**os.environ, **env}, check=True)
            text = f"FROM busybox\nADD {server.url} /src\nRUN cat /src/a\n"
            assert "first" in build(text, "--no-cache", "--ssh", "default", env=env).stderr
            refused = build(text, "--no-cache", env=env, status=1)  # an agent that was not given is not asked
            assert "--ssh default" in refused.stderr
        finally:
            agent.terminate()


def test_a_context(rootless: Rootless, busybox_image: str, server: Server) -> None:
    server.repository.commit(Dockerfile="FROM busybox\nCOPY a /\nRUN cat /a\n")
    words = ("build", "--progress=plain", "--no-cache", "--ssh", f"default={server.key}", server.url)
    assert "first" in rootless(*words, env={"HOME": str(server.home)}).stderr


def test_who_is_not_known(build: Build, server: Server) -> None:
    text = f"FROM busybox\nADD {server.url} /src\n"
    refused = build(text, "--ssh", f"default={server.other}", env={"HOME": str(server.home)}, status=1)
    assert "--ssh default" in refused.stderr
    (server.home / ".ssh/known_hosts").write_text("")
    strange = build(text, "--ssh", f"default={server.key}", env={"HOME": str(server.home)}, status=1)
    assert "known_hosts" in strange.stderr
    assert (server.home / ".ssh/known_hosts").read_text() == ""
