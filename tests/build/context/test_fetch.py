"""Contexts from a stream: archives of all kinds, a Dockerfile alone, and archives that are traps."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rootless.build.context import fetch
from rootless.errors import Corrupt, InvalidInput, RootlessError
from rootless.storage.store import Store, make_directory
from tests.build.copy.copying import told
from tests.build.web import Answer, Web
from tests.storage.tars import archive, directory, file, symlink

TREE = archive(
    directory("./", mode=0),
    file("Dockerfile", b"FROM x"),
    file("d/f", b"F", uid=5, gid=6),
    symlink("l", "/etc"),
)
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.fixture(autouse=True)
def made(store: Store) -> None:
    make_directory(store.root)


@pytest.mark.parametrize("form", FORMS)
def test_archives(store: Store, form: str) -> None:
    with fetch.from_stream(store, io.BytesIO(FORMS[form](TREE))) as found:
        assert found.dockerfile is None
        files = told(Path(found.directory))
        assert sorted(files) == ["Dockerfile", "d/", "d/f", "l"]
        assert files["l"] == "-> /etc"
        place = Path(found.directory)
    assert not place.exists()


@pytest.mark.parametrize("text", [b"", b"FROM scratch\n", b"FROM x\n" * 1000])
def test_a_dockerfile_alone(store: Store, text: bytes) -> None:
    with fetch.from_stream(store, io.BytesIO(text)) as found:
        assert found.dockerfile == text
        assert list(Path(found.directory).iterdir()) == []


def test_an_archive_of_nothing(store: Store) -> None:
    with fetch.from_stream(store, io.BytesIO(bytes(1024))) as found:
        assert found.dockerfile is None


def test_what_is_neither(store: Store) -> None:
    with (
        pytest.raises(InvalidInput, match="too large for a Dockerfile"),
        fetch.from_stream(store, io.BytesIO(b"x" * (17 << 20))),
    ):
        pass


@pytest.mark.parametrize("form", [form for form in FORMS if form != "zstd"])
def test_an_archive_that_is_cut_short(store: Store, form: str) -> None:
    data = FORMS[form](TREE)
    data = data[:1100] if form == "plain" else data[:-20]
    with (
        pytest.raises(Corrupt, match="cannot unpack standard input"),
        fetch.from_stream(store, io.BytesIO(data)),
    ):
        pass
    assert not list(Path(store.root, "tmp").iterdir())


def test_names_that_lead_out(store: Store, tmp_path: Path) -> None:
    data = archive(symlink("out", str(tmp_path)), file("out/planted", b"x"))
    with pytest.raises(Corrupt, match="no directory"), fetch.from_stream(store, io.BytesIO(data)):
        pass
    assert not (tmp_path / "planted").exists()
    with (
        pytest.raises(RootlessError, match="leads out"),
        fetch.from_stream(store, io.BytesIO(archive(file("../x", b"")))),
    ):
        pass


@pytest.mark.parametrize(
    ("word", "remote"),
    [
        (".", False),
        ("-", False),
        ("some/dir", False),
        ("https://h/x.tar", True),
        ("https://h/x.git", True),
        ("git@h:x", True),
        ("git://h/x", True),
        ("ssh://h/x", True),
        ("github.com/moby/moby", True),
        ("file:///etc", False),
        ("ext::sh -c x", False),
    ],
)
def test_which_words_are_remote(word: str, remote: bool) -> None:
    assert fetch.is_remote(word) is remote


def test_from_a_url(store: Store) -> None:
    with Web() as web:
        web.answers["/c.tgz"] = Answer(body=gzip.compress(TREE))
        web.answers["/Dockerfile"] = Answer(body=b"FROM x\n")
        with fetch.from_remote(store, web.url("/c.tgz")) as found:
            assert sorted(told(Path(found.directory))) == ["Dockerfile", "d/", "d/f", "l"]
        with fetch.from_remote(store, web.url("/Dockerfile")) as found:
            assert found.dockerfile == b"FROM x\n"
