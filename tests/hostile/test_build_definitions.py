"""Dockerfiles of contexts that come from elsewhere: a link among them shows no file of the caller's."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.harness.command import Result, Rootless


def _link(name: str, target: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = tarfile.SYMTYPE, target
    return found


def _fifo(name: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = tarfile.FIFOTYPE
    return found


def _built(rootless: Rootless, *entries: tarfile.TarInfo, options: tuple[str, ...] = ()) -> Result:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry)
    return rootless("build", *options, "-", stdin=buffer.getvalue(), status=None)


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile", "Containerfile"])
@pytest.mark.parametrize("options", [(), ("--check",), ("-f", "NAME")])
def test_a_dockerfile_that_is_a_link_out_of_an_archive(
    rootless: Rootless, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    secret = tmp_path / "key"
    secret.write_text("PRIVATE KEY\n")
    words = tuple(name if word == "NAME" else word for word in options)
    done = _built(rootless, _link(name, str(secret)), options=words)
    assert done.status
    assert "PRIVATE" not in done.stdout + done.stderr
    assert "leads out of the context" in done.stderr


def test_a_dockerfile_that_is_a_fifo_of_an_archive(rootless: Rootless) -> None:
    done = _built(rootless, _fifo("Dockerfile"))
    assert done.status
    assert "is no file" in done.stderr


def test_a_link_inside_is_followed(rootless: Rootless) -> None:
    done = _built(rootless, _link("Dockerfile", "other"), tarfile.TarInfo("other"))
    assert "the Dockerfile cannot be empty" in done.stderr or "file with no instructions" in done.stderr


def test_links_out_of_a_directory(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """As in a repository that was cloned: neither file was named by the caller."""
    secret = tmp_path / "key"
    secret.write_text("PRIVATE [KEY\n")
    (context := tmp_path / "context").mkdir()
    (context / "Dockerfile").symlink_to(secret)
    done = rootless("build", context, status=1)
    assert "leads out of the context" in done.stderr
    assert "PRIVATE" not in done.stderr
    (context / "Dockerfile").unlink()
    (context / "sub").mkdir()
    (context / "sub/real").write_text(f"FROM {busybox_image}\nCOPY . /c\n")
    (context / "Dockerfile").symlink_to("sub/real")  # inside: as good as the file
    (context / ".dockerignore").symlink_to(secret)
    done = rootless("build", context, status=1)
    assert ".dockerignore leads out of the context" in done.stderr
    assert "PRIVATE" not in done.stderr
    (context / ".dockerignore").unlink()
    (context / ".dockerignore").symlink_to("sub/ignored")
    (context / "sub/ignored").write_text("nothing\n")
    rootless("build", "-q", context)
    (tmp_path / "elsewhere").write_text(f"FROM {busybox_image}\n")
    (tmp_path / "named").symlink_to(tmp_path / "elsewhere")
    rootless("build", "-q", "-f", tmp_path / "named", context)  # the caller's own word
