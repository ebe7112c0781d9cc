"""Files from URLs: what is asked for, what is kept, what is refused, and who gets to see credentials."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.build.context import http
from rootless.errors import Corrupt, InvalidInput, RootlessError, Unavailable
from rootless.storage.store import Store, make_directory
from tests.build.web import Answer, Asked, Web

SUM = "sha256:" + hashlib.sha256(b"body").hexdigest()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as running:
        yield running


def fetch(
    store: Store, url: str, *, checksum: str = "", authorization: http.Authorization = lambda host: None
) -> Path:
    make_directory(store.root)
    target = Path(store.root, f"got-{os.urandom(4).hex()}")
    digest = http.download(store, url, str(target), checksum=checksum, authorization=authorization)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    return target


def test_mode_and_time(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(headers={"Last-Modified": "Thu, 01 Jan 1970 00:16:40 GMT"}, body=b"body")
    status = fetch(store, web.url("/f")).stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o600, 1000)
    web.answers["/g"] = Answer(headers={"Last-Modified": "nonsense"}, body=b"")
    assert fetch(store, web.url("/g")).stat().st_mtime == 0


@pytest.mark.parametrize(
    ("validator", "question"),
    [("ETag", "if-none-match"), ("Last-Modified", "if-modified-since")],
)
def test_what_is_kept_is_asked_about(store: Store, web: Web, validator: str, question: str) -> None:
    value = '"x"' if validator == "ETag" else "Thu, 01 Jan 1970 00:16:40 GMT"

    def answer(asked: Asked) -> Answer:
        unchanged = asked.headers.get(question) == value
        return Answer(304) if unchanged else Answer(headers={validator: value}, body=b"body")

    web.answers["/f"] = answer
    assert fetch(store, web.url("/f")).read_bytes() == fetch(store, web.url("/f")).read_bytes() == b"body"
    assert question in web.asked[1].headers
    web.answers["/f"] = Answer(body=b"other")
    assert fetch(store, web.url("/f")).read_bytes() == b"other"
    assert fetch(store, web.url("/f")).read_bytes() == b"other"
    assert question not in web.asked[3].headers


def test_with_a_checksum_nobody_is_asked(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(body=b"body")
    fetch(store, web.url("/f"), checksum=SUM)
    fetch(store, web.url("/f"), checksum=SUM)
    assert len(web.asked) == 1


def test_another_file_than_the_checksum_says(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(body=b"evil")
    with pytest.raises(Corrupt, match="digest mismatch"):
        fetch(store, web.url("/f"), checksum=SUM)


@pytest.mark.parametrize("checksum", ["md5:aa", "sha256:aa", SUM.upper(), "x"])
def test_checksums_that_are_none(store: Store, web: Web, checksum: str) -> None:
    with pytest.raises(InvalidInput):
        fetch(store, web.url("/f"), checksum=checksum)
    assert not web.asked


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "http://", "http://[x/", "/etc/passwd", "ext::x"]
)
def test_other_urls(store: Store, url: str) -> None:
    with pytest.raises(InvalidInput):
        fetch(store, url)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/x", "gopher://127.0.0.1/"])
def test_redirects_to_other_schemes(store: Store, web: Web, location: str) -> None:
    web.answers["/f"] = Answer(302, {"Location": location})
    with pytest.raises(InvalidInput, match="no URL of http or https"):
        fetch(store, web.url("/f"))


def test_redirects_in_circles(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(302, {"Location": "/f"})
    with pytest.raises(Unavailable, match="redirects more than"):
        fetch(store, web.url("/f"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_stay_with_their_host(store: Store, web: Web, status: int) -> None:
    """CVE-2018-1000007 was curl's."""
    with Web() as other:
        web.answers["/f"] = Answer(status, {"Location": "/g"})
        web.answers["/g"] = Answer(status, {"Location": other.url("/h")})
        other.answers["/h"] = Answer(status, {"Location": web.url("/i")})
        web.answers["/i"] = Answer(body=b"body")
        fetch(store, web.url("/f", user="me:secret@"))
        assert ["authorization" in each.headers for each in web.asked] == [True, True, True]
        assert ["authorization" in each.headers for each in other.asked] == [False]
        web.asked.clear()
        other.asked.clear()
        fetch(
            store,
            web.url("/f"),
            authorization=lambda host: "Bearer t" if host == f"127.0.0.1:{web.port}" else None,
        )
        assert [each.headers.get("authorization") for each in (*web.asked, *other.asked)] == [
            *["Bearer t"] * 3,
            None,
        ]


def test_errors_do_not_tell_passwords(store: Store, web: Web) -> None:
    with pytest.raises(Unavailable) as caught:
        fetch(store, web.url("/none", user="me:secret@"))
    assert "404" in caught.value.message
    assert "secret" not in caught.value.message


def test_nobody_there(store: Store) -> None:
    with Web() as gone:
        url = gone.url("/f")
    with pytest.raises(Unavailable, match=r"cannot fetch http://127.0.0.1:[0-9]+/f: connection refused$"):
        fetch(store, url)
    with pytest.raises(Unavailable, match=r"cannot fetch http://nowhere.invalid/f: [a-z ]+$"):
        fetch(store, "http://nowhere.invalid/f")


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(302), Answer(204), Answer(304), Answer(body=b"cut", length=99)]
)
def test_what_is_no_file(store: Store, web: Web, answer: Answer) -> None:
    web.answers["/f"] = answer
    with pytest.raises(Unavailable):
        fetch(store, web.url("/f"))
    # And nothing of it is kept.
    web.answers["/f"] = Answer(body=b"whole")
    assert fetch(store, web.url("/f")).read_bytes() == b"whole"


def test_more_than_there_is_room_for(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(body=b"x", length=1 << 60)
    with pytest.raises(RootlessError, match="larger than there is room for"):
        fetch(store, web.url("/f"))


def test_the_file_is_asked_for_as_it_is(store: Store, web: Web) -> None:
    """What is packed all the same is unpacked once, as BuildKit does it; anything else stays what was sent."""
    once = gzip.compress(b"body")
    twice = gzip.compress(once)
    web.answers["/once"] = Answer(headers={"Content-Encoding": "GZIP"}, body=once)
    assert fetch(store, web.url("/once"), checksum=SUM).read_bytes() == b"body"
    assert web.asked[0].headers["accept-encoding"] == "identity"
    for number, encoding in enumerate(("gzip, gzip", "deflate", "x-gzip", "br", "zstd", "identity")):
        web.answers[f"/{number}"] = Answer(headers={"Content-Encoding": encoding}, body=twice)
        assert fetch(store, web.url(f"/{number}")).read_bytes() == twice
    web.answers["/archive.gz"] = Answer(headers={"Content-Encoding": "gzip"}, body=twice)
    assert fetch(store, web.url("/archive.gz")).read_bytes() == once
    for body in (once[:-9], b"no gzip"):
        web.answers["/lie"] = Answer(headers={"Content-Encoding": "gzip"}, body=body)
        with pytest.raises(Corrupt, match="gzip stream"):
            fetch(store, web.url("/lie"))


def test_a_packed_body_is_no_larger_than_there_is_room(store: Store, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    make_directory(store.root)
    room = os.statvfs(store.root)
    monkeypatch.setattr(http, "_most", lambda fd: 1 << 20)
    assert room.f_bavail * room.f_frsize > 1 << 20
    web.answers["/f"] = Answer(headers={"Content-Encoding": "gzip"}, body=gzip.compress(bytes(2 << 20)))
    with pytest.raises(RootlessError, match="larger than there is room for"):
        fetch(store, web.url("/f"))


def test_a_kept_file_that_was_damaged(store: Store, web: Web) -> None:
    web.answers["/f"] = Answer(headers={"ETag": "x"}, body=b"body")
    fetch(store, web.url("/f"))
    (about,) = Path(http.directory(store)).glob("*/about.json")
    about.write_text("[]")
    fetch(store, web.url("/f"))
    about.with_name("body").unlink()
    assert fetch(store, web.url("/f")).read_bytes() == b"body"
