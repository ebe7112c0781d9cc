"""`search` and `pull --all-tags`: what a registry says it has, and registries that say too much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import Registry
from tests.image.strange_registry import Handler, StrangeRegistry, tar_of


@pytest.fixture
def strange() -> Iterator[StrangeRegistry]:
    with StrangeRegistry() as server:
        yield server


def answering(strange: StrangeRegistry, pages: dict[str, Any], link: str = "") -> None:
    """Answer the paths in `pages` with JSON, or the bytes as they are; everything else as before."""

    def before(handler: Handler) -> bool:
        for path, value in pages.items():
            if handler.path.startswith(path):
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(data)))
                if link:
                    handler.send_header("Link", link)
                handler.end_headers()
                handler.wfile.write(data)
                return True
        return False

    strange.before = before


def test_all_tags_of_a_repository(rootless: Rootless, strange: StrangeRegistry) -> None:
    for tag in ("1", "2"):
        strange.add_image([tar_of({"a": tag.encode()})], tag=tag)
    answering(strange, {"/v2/x/tags/list": {"name": "x", "tags": ["1", "2", "../evil", "1"]}})
    pulled = rootless("pull", "-aq", f"{strange.address}/x").lines
    assert pulled == [f"{strange.address}/x:1", f"{strange.address}/x:2"]
    assert len(rootless("images", "-q").lines) == 2
    refused = rootless("pull", "-a", f"{strange.address}/x:1", status=1)
    assert "tag can't be used with --all-tags/-a" in refused.stderr


@pytest.mark.own_store
def test_a_real_registry(rootless: Rootless, registry: Registry, podman: Any, busybox_image: str) -> None:
    # Other tests have pushed to this registry, too: names that none of them has.
    for name in ("zebra/web:1", "zebra/web:2", "other-zebra:1"):
        target = f"{registry.address}/{name}"
        rootless("save", "-o", registry.directory / "image.tar", busybox_image)
        podman("load", "-i", registry.directory / "image.tar")
        podman("push", "--tls-verify=false", busybox_image, target)
    found = rootless("search", "--format", "{{.Name}}", f"{registry.address}/ZEBRA/WEB").lines
    assert found == [f"{registry.address}/zebra/web"]
    table = rootless("search", f"{registry.address}/zebra").stdout.splitlines()
    assert table[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert len(table) == 3
    assert len(rootless("pull", "-aq", f"{registry.address}/zebra/web").lines) == 2
    missing = rootless("pull", "-a", f"{registry.address}/nosuch", status=1)
    assert "nosuch" in missing.stderr


def test_a_registry_with_a_search(rootless: Rootless, strange: StrangeRegistry) -> None:
    results = [
        {"name": "little/web", "description": "small\nthing", "star_count": 3, "is_official": False},
        {"name": "web", "description": "d" * 60 + "\x1b[31m", "star_count": 90, "is_official": True},
        {"name": "../../etc", "star_count": 5},
        {"name": 7},
        "nothing",
        {"name": "bad", "star_count": -5, "description": ["x"]},
    ]
    answering(strange, {"/v1/search": {"results": results}})
    term = f"{strange.address}/web"
    text = rootless("search", term).stdout
    assert "\x1b" not in text
    names = [line.split()[0].removeprefix(strange.address + "/") for line in text.splitlines()[1:]]
    assert names == ["web", "little/web", "bad"]
    assert "d" * 44 + "…" in text
    assert "d" * 60 in rootless("search", "--no-trunc", term).stdout
    for words, kept in (
        ("stars=3", 2),
        ("is-official=true", 1),
        ("is-official=false", 2),
        ("is-automated=true", 0),
    ):
        assert len(rootless("search", "-f", words, "--format", "{{.Name}}", term).lines) == kept
    assert len(rootless("search", "--limit", "1", "--format", "{{.Name}}", term).lines) == 1


@pytest.mark.parametrize("words", [["--limit", "0"], ["--limit", "101"], ["-f", "stars=x"], ["-f", "nope=1"]])
def test_searches_that_make_no_sense(rootless: Rootless, words: list[str]) -> None:
    rootless("search", *words, "127.0.0.1:1/x", status=1)


@pytest.mark.parametrize("answer", [b"[]", b"{", b"[" * 100000, {"repositories": 1}, {"repositories": [1]}])
def test_lists_that_are_none(rootless: Rootless, strange: StrangeRegistry, answer: Any) -> None:
    answering(strange, {"/v2/_catalog": answer, "/v2/x/tags": answer})
    refused = rootless("search", f"{strange.address}/x", status=1).stderr
    assert refused.startswith("rootless: the list of search is no")


def test_pages_come_to_an_end_and_stay_at_the_registry(rootless: Rootless, strange: StrangeRegistry) -> None:
    link = '<http://127.0.0.1:1/v2/_catalog?last=x>; rel="next"'
    answering(strange, {"/v2/_catalog": {"repositories": ["web"]}}, link)
    assert rootless("search", "--format", "{{.Name}}", f"{strange.address}/w").lines == [
        f"{strange.address}/web"
    ]
    assert strange.count("/v2/_catalog") <= 51


def test_a_registry_that_has_neither(rootless: Rootless, strange: StrangeRegistry) -> None:
    refused = rootless("search", f"{strange.address}/x", status=1).stderr
    assert "has neither a search nor a list of its repositories" in refused
