"""Where ids are emulated: what a start or a build's step mounts for a user of the container, and what a build copies of his."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.images import add
from tests.need import need_program
from tests.system.test_hosts import ONE_ID, inside

pytestmark = pytest.mark.own_store
DOCKERFILE = """\
FROM busybox
RUN --mount=type=cache,target=/cache,uid=1000,gid=50,mode=2750 stat -c '%n %u:%g %a' /cache
USER 33
RUN --mount=type=secret,id=word,uid=33 --mount=type=secret,id=word,target=/other cat /run/secrets/word; cat /other || echo denied
RUN --mount=type=ssh,uid=33,gid=0 test -r $SSH_AUTH_SOCK && test -w $SSH_AUTH_SOCK && echo reached
"""
STAGES = """\
FROM busybox AS one
RUN mkdir /made && cd /made && touch file && ln -s file link && mkfifo pipe && chown -h 33:44 file link pipe
ADD archive.tar /added
FROM busybox
COPY --from=one /made /made
COPY --from=one /added /added
RUN cd /made && stat -c 'is %n %u:%g' file link pipe /added/member
"""


def test_a_tmpfs(rootless: Rootless, busybox_archive: Path) -> None:
    script = """
    rootless load -q -i "$1" >&2
    run() { rootless run --rm --network none "$@"; }
    run --tmpfs /t:uid=33,gid=44 busybox stat -c '%u:%g %a' /t
    run --read-only -u 33:44 --tmpfs /t:uid=33,mode=700 busybox sh -c 'touch /t/file; stat -c %u:%g /t/file'
    run -u 34 --tmpfs /t:uid=33,mode=700 busybox ls /t || echo denied
    run --emulate-ids off --tmpfs /t:uid=33,mode=700 busybox stat -c '%u:%g %a' /t
    """
    done = inside(rootless, ONE_ID, script, busybox_archive)
    assert done.stdout.splitlines() == ["33:44 1777", "33:44", "denied", "0:0 700"], done.stderr


def test_mounts_of_a_build(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "word").write_text("secret of 33\n")
    subprocess.run([need_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=60)
    script = """
    rootless load -q -i "$1" >&2
    cd "$2"
    rootless build --progress=plain --secret id=word,src=word --ssh default=key .
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    for line in ("/cache 1000:50 2750", "secret of 33", "denied", "reached"):
        assert f" {line}\n" in done.stderr


def test_what_a_stage_gave_away_is_copied_with_its_owners(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """Links and pipes cannot say whose they are: their layer does."""
    (tmp_path / "Dockerfile").write_text(STAGES)
    with tarfile.open(tmp_path / "archive.tar", "w") as tar:
        add(tar, "member", b"x", owner=33)
    script = """
    rootless load -q -i "$1" >&2
    cd "$2"
    rootless build --progress=plain -t two .
    rootless run --rm --network none two stat -c '%n %u:%g' /made/link
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    for line in ("file 33:44", "link 33:44", "pipe 33:44", "/added/member 33:33"):
        assert f" is {line}\n" in done.stderr
    assert done.stdout == "/made/link 33:44\n"
    assert "kept as 0" not in done.stderr, "they are emulated"
