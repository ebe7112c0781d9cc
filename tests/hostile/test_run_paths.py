"""Another account's links in a directory like /tmp, where a container's files of words and its id were said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.hostile.test_bind_sources import Stranger
from tests.hostile.test_bind_sources import shared as shared
from tests.hostile.test_build_paths import LINK, link
from tests.hostile.test_build_paths import victim as victim
from tests.system.test_runtime_directory import NO_NETWORK


@pytest.mark.parametrize("word", ["--env-file", "--label-file", "--build-arg-file"])
def test_no_words_are_read_through_a_strangers_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, word: str
) -> None:
    (victim / "file").write_text("WORD=precious\n")
    link(stranger, victim / "file", shared / "work")
    (shared / "own").symlink_to(victim / "file")

    def told(path: Path, status: int | None) -> str:
        if word == "--build-arg-file":
            text = "FROM busybox\nARG WORD\nRUN echo $WORD\n"
            return rootless("build", "--progress=plain", "--no-cache", word, path, "-", stdin=text, status=status).stderr
        made = rootless("create", *NO_NETWORK, word, path, busybox_image, status=status)
        if made.status:
            return made.stderr
        found = rootless("inspect", made.stdout.strip()).stdout
        rootless("rm", made.stdout.strip())
        return found

    failed = told(shared / "work", None)
    assert LINK in failed
    assert "precious" not in failed
    assert "precious" in told(shared / "own", 0)


def test_no_id_is_written_where_a_stranger_says(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger
) -> None:
    link(stranger, victim, shared / "work")
    link(stranger, victim / "new", shared / "dangling")
    for path, said in ((shared / "work/id", LINK), (shared / "dangling", "container ID file found")):
        failed = rootless("create", *NO_NETWORK, "--name", "mine", "--cidfile", path, busybox_image, status=None)
        assert failed.status != 0
        assert said in failed.stderr
        assert [entry.name for entry in victim.iterdir()] == ["file"]
        assert "mine" not in rootless("ps", "-a", "--format", "{{.Names}}").lines
    (shared / "own").symlink_to(victim)
    identifier = rootless("create", *NO_NETWORK, "--cidfile", shared / "own/id", busybox_image).stdout.strip()
    assert (victim / "id").read_text() == identifier
    rootless("rm", identifier)
