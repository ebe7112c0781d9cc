"""Archives and URLs of ADD that mean files of the host, or more than there is room for."""

from __future__ import annotations

import copy
import gzip
import os
import tarfile
from pathlib import Path

import pytest

from rootless.build.plan.steps import GitSource, HttpSource
from rootless.errors import InvalidInput, RootlessError
from tests.build.copy.conftest import joined as joined
from tests.build.copy.conftest import session_runtime as session_runtime
from tests.build.copy.conftest import store as store
from tests.build.copy.conftest import trees as trees
from tests.build.copy.copying import Trees
from tests.hostile.test_build_sources import SECRET, untouched
from tests.hostile.test_build_sources import out as out
from tests.storage.tars import Member, archive, directory, file, link, symlink

ESCAPES: dict[str, list[Member]] = {
    "up": [file("../out/secret", b"new")],
    "absolute": [file("{out}/secret", b"new")],
    "link": [symlink("l", "{out}"), file("l/secret", b"new")],
    "relative link": [symlink("l", "../../../../../{out}"), file("l/secret", b"new")],
    "link over": [symlink("secret", "{out}/secret"), file("secret", b"new")],
    "hard link": [link("h", "{out}/secret"), file("h", b"new")],
    "hard link up": [link("h", "../out/secret"), file("h", b"new")],
    "hard link by link": [symlink("l", "{out}"), link("h", "l/secret"), file("h", b"new")],
    "directory over link": [symlink("l", "{out}"), directory("l", mode=0o777), file("l/secret", b"new")],
    "link in circles": [symlink("a", "b"), symlink("b", "a"), file("a/x", b"new")],
}


@pytest.mark.parametrize("how", ESCAPES)
@pytest.mark.parametrize("destination", ["/", "/x", "/there/"])
def test_archives_stay_in_the_root(trees: Trees, out: Path, how: str, destination: str) -> None:
    (trees.root / "there").mkdir()
    (trees.root / "there/l").symlink_to(out)
    members = copy.deepcopy(ESCAPES[how])
    for member in members:
        header = member if isinstance(member, tarfile.TarInfo) else member[0]
        header.name, header.linkname = header.name.format(out=out), header.linkname.format(out=out)
    (trees.context / "a").write_bytes(archive(*members))
    try:
        done = trees.copy("a", destination, add=True)
        assert SECRET not in str(done.files)
    except RootlessError:
        pass
    assert untouched(out)
    assert os.stat(out).st_mode & 0o777 == 0o755


def test_an_archive_that_would_fill_the_disk(trees: Trees) -> None:
    """A header that promises a petabyte, some hundred bytes long."""
    info, _ = file("f", b"")
    info.size = 1 << 50
    (trees.context / "a").write_bytes(gzip.compress(info.tobuf() + bytes(4096)))
    with pytest.raises(RootlessError, match="room for"):
        trees.copy("a", "/x", add=True)


def test_an_archive_that_goes_on_for_ever_when_it_is_looked_at(trees: Trees) -> None:
    """Zeros, a thousand times smaller: no archive, and looked at for its first block alone."""
    (trees.context / "a").write_bytes(gzip.compress(bytes(64 << 20), 9))
    trees.copy("a", "/x", add=True)
    assert (trees.root / "x").stat().st_size < 100_000


@pytest.mark.parametrize(
    "source",
    [
        HttpSource("file:///etc/passwd", "passwd"),
        HttpSource("ftp://127.0.0.1/x", "x"),
        GitSource("file:///etc"),
        GitSource("ext::sh -c id"),
        GitSource("--upload-pack=id"),
        GitSource("git://127.0.0.1:1/x", ref="--upload-pack=id"),
        GitSource("ssh://-oProxyCommand=id/x"),
    ],
)
def test_urls_that_mean_this_machine(trees: Trees, source: HttpSource | GitSource) -> None:
    with pytest.raises(InvalidInput):
        trees.copy([source], "/x/", add=True)
