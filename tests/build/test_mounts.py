"""RUN --mount: what a command sees, and that nothing of it stays."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store
SECRET = "cyTeLx7Zq"


def everything(root: Path) -> bytes:
    """All bytes of all files of the store that this account can read."""
    found = b""
    for directory, _, names in os.walk(root):
        for name in names:
            path = Path(directory) / name
            if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                found += path.read_bytes()
    return found


def test_a_secret_is_nowhere_but_in_its_command(build: Build, rootless: Rootless, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    text = (
        "FROM busybox\n"
        "RUN --mount=type=secret,id=token --mount=type=secret,id=other,env=OTHER,target=/o,mode=0440,uid=5 "
        "cat /run/secrets/token > /dev/null && stat -c '%a %u' /run/secrets/token /o && echo ${#OTHER} "
        "&& grep ' /run/secrets/token ' /proc/mounts && (echo x > /o || echo refused)\n"
        "RUN --mount=type=secret,id=missing ls /run\n"
        "RUN ls -la /run /o 2>&1 || true\n"
    )
    options = ("--secret", f"id=token,src={tmp_path}/token", "--secret", "id=other,env=OTHER", "-t", "x")
    told = build(text, *options, env={"OTHER": SECRET}).stderr
    assert "400 0\n" in told
    assert "440 5\n" in told
    assert f" {len(SECRET)}\n" in told
    assert "tmpfs /run/secrets/token tmpfs ro," in told
    assert "noexec" in told.partition("tmpfs /run/secrets/token")[2].partition("\n")[0]
    assert "refused" in told
    assert "secrets" not in told.rpartition("RUN ls -la")[2]
    assert SECRET not in told
    assert SECRET.encode() not in everything(rootless.root)
    # Another secret is no reason to do it again.
    again = build(text, *options, env={"OTHER": "another"}).stderr
    assert again.count("CACHED") == 4


def test_a_secret_that_is_required(build: Build) -> None:
    failed = build("FROM busybox\nRUN --mount=type=secret,id=token,required true\n", status=1)
    assert "secret token: not found" in failed.stderr
    failed = build("FROM busybox\nRUN true\n", "--secret", "id=token,src=/nowhere", status=1)
    assert "failed to stat /nowhere: no such file or directory" in failed.stderr


def test_a_cache_is_kept_and_is_in_no_layer(build: Build, rootless: Rootless) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c,mode=0750 echo {} >> /c/log; cat /c/log > /log; stat -c %a /c\n"
    build(text.format("one"))
    told = build(text.format("two"), "-t", "x").stderr
    assert " 750\n" in told
    assert rootless("run", "--rm", "x", "cat", "/log").stdout == "one\ntwo\n"
    assert rootless("run", "--rm", "x", "ls", "/c", status=1).stdout == ""
    build("FROM busybox\nRUN --mount=type=cache,target=/c,id=other test ! -e /c/log\n")
    build("FROM busybox AS a\nRUN mkdir /seed; echo s > /seed/s\n"
          "FROM busybox\nRUN --mount=type=cache,target=/n,from=a,source=/seed cat /n/s\n")  # fmt: skip


def test_a_private_cache_is_another_where_one_is_taken(build: Build) -> None:
    text = "\n".join(
        f"FROM busybox AS s{n}\nRUN --mount=type=cache,target=/c,sharing=private echo {n} > /c/x; sleep 2; cat /c/x > /x"
        for n in (1, 2)
    )
    text += "\nFROM busybox\nCOPY --from=s1 /x /x1\nCOPY --from=s2 /x /x2\nRUN cat /x1 /x2\n"
    told = build(text, "--jobs=2").stderr
    last = told.rpartition("RUN cat /x1 /x2")[2]
    assert " 1\n" in last
    assert " 2\n" in last


def test_a_locked_cache_is_had_by_one_at_a_time(build: Build) -> None:
    text = "\n".join(
        f"FROM busybox AS s{n}\nRUN --mount=type=cache,target=/c,sharing=locked mkdir /c/held && sleep 1 && rmdir /c/held && echo {n} > /x"
        for n in (1, 2)
    )
    build(text + "\nFROM busybox\nCOPY --from=s1 /x /x1\nCOPY --from=s2 /x /x2\n", "--jobs=2")


def test_the_context_is_seen_without_what_is_ignored(build: Build, context: Path) -> None:
    (context / ".dockerignore").write_text("*.log\nsub\n!sub/kept\n")
    (context / "a.log").write_text("")
    (context / "b.txt").write_text("")
    (context / "sub").mkdir()
    (context / "sub/kept").write_text("kept\n")
    (context / "sub/other").write_text("")
    text = "FROM busybox\nRUN --mount=target=/c cd /c && find . | sort && (echo x > new || echo read-only)\n"
    told = build(text).stderr
    listed = [line.split(" ", 2)[2] for line in told.splitlines() if " ./" in line]
    assert listed == ["./.dockerignore", "./Dockerfile", "./b.txt", "./sub", "./sub/kept"]
    assert "read-only" in told
    assert build(text).stderr.count("CACHED") == 2
    (context / "sub/other").write_text("of no consequence")
    assert build(text).stderr.count("CACHED") == 2
    (context / "sub/kept").write_text("changed\n")
    assert build(text).stderr.count("CACHED") == 1


def test_what_is_written_to_a_writable_bind_is_thrown_away(build: Build, rootless: Rootless, context: Path) -> None:
    (context / "a").write_text("a\n")
    build("FROM busybox\nRUN --mount=target=/c,rw echo b > /c/a && rm /c/Dockerfile && cat /c/a > /result\n", "-t", "x")
    assert (context / "a").read_text() == "a\n"
    assert (context / "Dockerfile").exists()
    assert rootless("run", "--rm", "x", "cat", "/result").stdout == "b\n"


def test_a_file_of_another_stage_and_of_an_image(build: Build) -> None:
    told = build(
        "FROM busybox AS other\nRUN echo hello > /file\nFROM busybox\n"
        "RUN --mount=from=other,source=/file,target=/f cat /f; (echo x > /f) || echo refused\n"
        "RUN --mount=from=busybox,source=/etc/passwd,target=/p,ro grep -c root /p\n"
        "RUN test ! -e /f && test ! -e /p\n"
    ).stderr
    assert " hello\n" in told
    assert "refused" in told


def test_tmpfs(build: Build, rootless: Rootless) -> None:
    told = build("FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=1m df -k /t && echo x > /t/x\nRUN ls -d /t || true\n").stderr
    assert " 1024 " in told
    assert "ls: /t: No such file or directory" in told


def test_the_agent_of_ssh(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        text = "FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo is $SSH_AUTH_SOCK\nRUN test ! -e /run/buildkit\n"
        told = build(text, "--ssh", f"default={path}").stderr
    assert " is /run/buildkit/ssh_agent.0\n" in told
    failed = build("FROM busybox\nRUN --mount=type=ssh,required true\n", status=1)
    assert 'unset ssh forward key "default"' in failed.stderr


def test_a_script_of_a_heredoc(build: Build) -> None:
    told = build("FROM busybox\nRUN <<EOF\n#!/bin/sh\necho from $0\nEOF\nRUN <<EOF\necho one\necho two\nEOF\n").stderr
    assert " from /dev/pipes/EOF\n" in told
    assert " two\n" in told


def test_what_the_engine_makes_is_in_no_layer(build: Build, rootless: Rootless, tmp_path: Path) -> None:
    build("FROM scratch\nCOPY --from=busybox /bin /bin\nRUN [\"/bin/busybox\", \"touch\", \"/made\"]\n", "-t", "x")
    rootless("save", "-o", tmp_path / "x.tar", "x")
    names = set()
    with tarfile.open(tmp_path / "x.tar") as archive:
        for member in archive.getmembers():
            if member.name.startswith("blobs/") and member.isfile():
                try:
                    with tarfile.open(fileobj=archive.extractfile(member)) as layer:
                        names |= set(layer.getnames())
                except tarfile.ReadError:
                    continue
    assert {name for name in names if not name.startswith("bin")} == {".", "made"}
