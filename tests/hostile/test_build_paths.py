"""Another account's links and files in a directory like /tmp, where a build was told to read or to write."""

from __future__ import annotations

import io
import socket
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from tests.build.test_build import steps
from tests.harness.command import Rootless
from tests.hostile.test_bind_sources import Stranger
from tests.hostile.test_bind_sources import shared as shared

TEXT = "FROM busybox\nRUN echo new > /file\n"
LINK = "is a symbolic link of another user"


@pytest.fixture
def victim(trap: Path) -> Path:
    """A directory of the caller's that he did not name."""
    path = trap / "victim"
    path.mkdir()
    (path / "file").write_text("precious")
    return path


def link(stranger: Stranger, target: Path, at: Path) -> None:
    assert stranger(["ln", "-s", str(target), str(at)]).returncode == 0


WRITTEN = [
    ("--iidfile={0}", "file"),
    ("--metadata-file={0}", "file"),
    ("--output={0}", ""),
    ("--output=type=local,dest={0}/sub", ""),
    ("--output=type=tar,dest={0}/x.tar", ""),
    ("--output=type=oci,dest={0}/x.tar", ""),
    ("--output=type=oci,tar=false,dest={0}/x", ""),
    ("--output=type=docker,dest={0}/x.tar", ""),
    ("--cache-to=type=local,dest={0}", ""),
]


@pytest.mark.parametrize(("word", "name"), WRITTEN)
def test_nothing_is_written_through_a_strangers_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, word: str, name: str
) -> None:
    link(stranger, victim / name, shared / "work")
    failed = rootless("build", word.format(shared / "work"), "-", stdin=TEXT, status=None)
    assert failed.status != 0
    assert LINK in failed.stderr
    assert [path.name for path in victim.iterdir()] == ["file"]
    assert (victim / "file").read_text() == "precious"
    (shared / "own").symlink_to(victim / name)  # the caller's own word, as a path without links is
    rootless("build", "-q", word.format(shared / "own"), "-", stdin=TEXT)
    assert (victim / "file").read_text() != "precious" or len(list(victim.iterdir())) > 1


@pytest.mark.parametrize(
    ("word", "kind"),
    [("--iidfile={0}", "file"), ("--iidfile={0}", "fifo"), ("--metadata-file={0}", "file"), ("--output=type=tar,dest={0}", "fifo")],
)
def test_a_strangers_file_is_not_written_to(
    rootless: Rootless, busybox_image: str, shared: Path, stranger: Stranger, word: str, kind: str
) -> None:
    """He could read it, or change it before anybody else does. A tar takes a file's place, by rename(2)."""
    work = shared / "work"
    words = ["mkfifo", "-m", "666", str(work)] if kind == "fifo" else ["sh", "-c", f"umask 0; echo his > {work}"]
    assert stranger(words).returncode == 0
    failed = rootless("build", word.format(work), "-", stdin=TEXT, status=None)
    assert failed.status != 0
    assert "belongs to another user" in failed.stderr
    assert kind == "fifo" or work.read_text() == "his\n"


@pytest.mark.parametrize("word", ["--output={0}", "--output={0}/sub", "--output=type=oci,tar=false,dest={0}/x"])
def test_a_strangers_directory_is_not_written_to(
    rootless: Rootless, busybox_image: str, shared: Path, stranger: Stranger, word: str
) -> None:
    """He could take away or replace whatever is put there, at the end or on the way."""
    work = shared / "work"
    assert stranger(["mkdir", "-m", "777", str(work)]).returncode == 0
    failed = rootless("build", word.format(work), "-", stdin=TEXT, status=None)
    assert failed.status != 0
    assert f"{work} belongs to another user" in failed.stderr
    assert list(work.iterdir()) == []
    (shared / "mine").mkdir()
    rootless("build", "-q", word.format(shared / "mine"), "-", stdin=TEXT)
    assert list((shared / "mine").iterdir())


def test_a_strangers_context(rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger) -> None:
    link(stranger, victim, shared / "work")
    (shared / "own").symlink_to(victim)
    (victim.parent / "Dockerfile").write_text("FROM busybox\nCOPY . /c\nRUN cat /c/file\n")
    (victim.parent / "Named").write_text("FROM busybox\nCOPY --from=n . /c\nRUN --mount=type=bind,from=n,target=/m cat /m/file\n")
    for words in (("-f", victim.parent / "Dockerfile", "{0}"), ("-f", victim.parent / "Named", "--build-context=n={0}", shared)):
        of_stranger, of_own = ([str(word).format(shared / name) for word in words] for name in ("work", "own"))
        failed = rootless("build", "--progress=plain", *of_stranger, status=1)
        assert f"the context {shared}/work {LINK}" in failed.stderr
        assert "precious" not in failed.stderr
        assert "precious" in rootless("build", "--progress=plain", *of_own).stderr


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--file={0}", ""),
        ("--ignorefile={0}", "FROM busybox\nCOPY . /c\n"),
        ("--secret=id=s,src={0}", "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s\n"),
    ],
)
def test_nothing_is_read_through_a_strangers_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, tmp_path: Path, word: str, text: str
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(text)
    (victim / "file").write_text("[precious\n")  # neither an instruction nor a pattern
    link(stranger, victim / "file", shared / "work")
    failed = rootless("build", "--progress=plain", word.format(shared / "work"), context, status=1)
    assert LINK in failed.stderr
    assert "precious" not in failed.stderr
    (shared / "own").symlink_to(victim / "file")
    assert "precious" in rootless("build", "--progress=plain", word.format(shared / "own"), context, status=None).stderr


def test_a_strangers_link_to_another_socket(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger
) -> None:
    """The caller's own bus, say, which starts programs for whoever asks."""
    text = "FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n"
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(victim / "bus"))
        link(stranger, victim / "bus", shared / "agent")
        failed = rootless("build", "--ssh", f"default={shared}/agent", "-", stdin=text, status=1)
        assert LINK in failed.stderr
        (shared / "own").symlink_to(victim / "bus")
        rootless("build", "-q", "--ssh", f"default={shared}/own", "-", stdin=text)


def test_a_cache_directory_that_a_stranger_has_made(
    rootless: Rootless, busybox_image: str, shared: Path, trap: Path, stranger: Stranger
) -> None:
    """/tmp/.buildx-cache is a name that everybody knows, and a cache says what files the next image has."""
    rootless("build", "-q", "--cache-to", f"type=local,dest={trap}/cache", "-", stdin=TEXT)
    subprocess.run(["chmod", "-R", "a+rX", trap / "cache"], check=True)
    assert stranger(["cp", "-r", f"{trap}/cache", f"{shared}/work"]).returncode == 0
    rootless("builder", "prune", "-af")
    for word in (f"type=local,src={trap}/cache", f"type=local,src={shared}/work"):
        told = rootless("build", "--progress=plain", "--cache-from", word, "-", stdin=TEXT).stderr
        how = "CACHED" if word == f"type=local,src={trap}/cache" else "DONE"
        assert steps(told)["RUN echo new > /file"] == how
        rootless("builder", "prune", "-af")
    assert "belongs to another user" in told
    failed = rootless("build", "--cache-to", f"type=local,dest={shared}/work", "-", stdin=TEXT, status=1)
    assert "belongs to another user" in failed.stderr


def test_a_cache_whose_blobs_are_elsewhere(rootless: Rootless, busybox_image: str, trap: Path, victim: Path) -> None:
    """reset=true deletes what no entry needs: of a cache, not of whatever has files of such names."""
    (trap / "cache/blobs").mkdir(parents=True)
    (trap / "cache/blobs/sha256").symlink_to(victim)
    (victim / ("a" * 64)).touch()
    failed = rootless("build", "--cache-to", f"type=local,dest={trap}/cache,reset=true", "-", stdin=TEXT, status=1)
    assert "is a symbolic link" in failed.stderr
    assert (victim / ("a" * 64)).exists()


def test_a_context_that_becomes_a_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, payload: Path
) -> None:
    """Exchanged all the time while it is built: the stranger's files or an error, never the caller's."""
    payload.parent.chmod(0o755)
    work, other = shared / "work", shared / "other"
    script = f"mkdir -m 755 {work}; echo his > {work}/file; ln -s {victim} {other}"
    assert stranger(["sh", "-c", script]).returncode == 0
    text = "FROM busybox\nCOPY . /c\nRUN --mount=type=bind,target=/m cat /m/file /c/file\n"
    (victim.parent / "Dockerfile").write_text(text)
    swapping = threading.Thread(target=stranger, args=([str(payload), "swap", str(work), str(other)],))
    swapping.start()
    try:
        seen = [
            rootless("build", "--progress=plain", "--no-cache", "-f", victim.parent / "Dockerfile", work, status=None)
            for _ in range(10)
        ]
    finally:
        shared.chmod(0o700)  # ends the swapping
        swapping.join()
    assert all("precious" not in done.stderr for done in seen)
    assert all(done.status in (0, 1) for done in seen)


def test_a_context_that_is_a_link_of_ones_own(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/Dockerfile").write_text("FROM busybox\nCOPY Dockerfile /\nRUN --mount=type=bind,target=/m ls /m\n")
    (tmp_path / "link").symlink_to("real")
    assert "Dockerfile" in rootless("build", "--progress=plain", tmp_path / "link").stderr
    data = io.BytesIO(rootless("build", "-q", "-o", "-", tmp_path / "link").raw)
    with tarfile.open(fileobj=data) as tar:
        assert "Dockerfile" in tar.getnames()
