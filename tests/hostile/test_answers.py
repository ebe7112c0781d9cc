"""Answers of a hostile registry to `search` and `pull -a`: one line of an error, or what can be had of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless
from tests.hostile.test_terminal_texts import is_clean
from tests.image.strange_registry import Handler, StrangeRegistry


@pytest.fixture
def strange() -> Iterator[StrangeRegistry]:
    with StrangeRegistry() as server:
        yield server


LINKS = (
    '</v2/x/tags/list?last=a b>; rel="next"',
    '</v2/x/tags/list?last=\xff\xe9>; rel="next"',
    '</v2/x/tags/list?last=%0d%0aHost:%20evil>; rel="next"',
    '</v2/\x07\x1b[2J>; rel="next"',
    '</v2/x/tags/list\t?q>; rel="next"',
    '<//evil.invalid/v2/x>; rel="next"',
    '<http://[::1/v2/>; rel="next"',
    '<http://evil.invalid:99999999/v2/x>; rel="next"',
    '</v2/../../@evil.invalid/>; rel="next"',
    '<?>; rel="next"', '<>; rel="next"', '<#>; rel=next', '</v2/%>; rel="next"', "</v2/%zz%>; rel=next",
    "</v2/" + "a/" * 20000 + ">; rel=next",
)


@pytest.mark.parametrize("link", LINKS)
def test_next_pages(rootless: Rootless, strange: StrangeRegistry, link: str) -> None:
    def before(handler: Handler) -> bool:
        if "/v1/" in handler.path:
            return False  # no search of its own: its list of repositories is asked
        data = json.dumps({"tags": ["1"], "repositories": ["xx"]}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nLink: %s\r\n\r\n"
        handler.wfile.write(head % (len(data), link.encode("latin-1")) + data)
        return True

    strange.before = before
    for words in (("search", f"{strange.address}/x"), ("pull", "-a", f"{strange.address}/x")):
        done = rootless(*words, status=None)
        assert done.status in (0, 1, 125), done
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        is_clean(done.stderr)
        is_clean(done.stdout)


BODIES = (
    b"", b"null", b"[]", b"{}", b'{"tags":null}', b'{"tags":{}}', b'{"tags":[1]}', b'{"tags":["\\ud800"]}',
    b"[" * 100000, b'{"tags":' + b"[" * 100000, b'{"a":' * 90000, b'{"tags":[' + b"9" * 5000 + b"]}",
    b"\xff\xfe{\x00}\x00", b'{"tags":[NaN,Infinity]}', b'{"results":[' + b'{"name":"xx"},' * 100000 + b'{"name":"xx"}]}',
    b'{"results":[{"name":"x","star_count":1e400,"description":"\\u001b[2J\\ud800\\n"},{"name":"../x"},{"name":{}},'
    b'{"name":"x","star_count":true}]}',
    b'{"repositories":["../../x","xx\\u001b","x/../x"],"tags":["../../x","-rf",".x"]}',
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_bodies(rootless: Rootless, strange: StrangeRegistry, number: int) -> None:
    def before(handler: Handler) -> bool:
        handler.reply(200, BODIES[number])
        return True

    strange.before = before
    name = f"{strange.address}/x"
    for words in (("search", name), ("search", "--no-trunc", "--format", "{{json .}}", name), ("pull", "-a", name)):
        done = rootless(*words, status=None)
        assert done.status in (0, 1, 125), done
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        is_clean(done.stderr)
        if "--format" in words:
            assert all(json.loads(line)["StarCount"].isdecimal() for line in done.lines)
