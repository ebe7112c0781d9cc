"""A network's file is data: whatever stands in it, commands about others go on, and it can be removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.harness.command import Rootless

WHOLE = (
    b"", b"null", b"[1, 2]", b'"x"', b"7", b"{}", b'{"version": 1, "na', b'{"name": "\xff\xfe"}', b"[" * 100_000, b'{"a":' * 100_000, None,
)  # fmt: skip
POOL = {"subnet": "10.123.0.0/24", "ip_range": "", "gateway": "10.123.0.1", "auxiliary": {}}
CHANGED: tuple[dict[str, object], ...] = (
    {"id": 5}, {"id": "../../../x"}, {"link": "../x"},
    {"id": "a" * 63}, {"name": "other"}, {"labels": 5}, {"labels": {"a": 5}}, {"created_at": "x"},
    {"created_at": 5}, {"driver": None}, {"driver": "\x1b[31mx"}, {"driver": "host"}, {"internal": "x"}, {"ipam_options": None},
    {"options": []}, {"options": {"com.docker.network.driver.mtu": 5}}, {"options": {"com.docker.network.driver.mtu": "x"}},
    {"options": {"com.docker.network.bridge.enable_icc": "perhaps"}},
    {"options": {"com.docker.network.container_iface_prefix": "../x"}}, {"pools": []}, {"pools": "x"}, {"pools": [5]},
    {"pools": [{"subnet": "10.123.0.0/24"}]}, {"pools": [{**POOL, "subnet": "x"}]}, {"pools": [{**POOL, "gateway": ""}]},
    {"pools": [{**POOL, "gateway": "10.124.0.1"}]}, {"pools": [{**POOL, "ip_range": "y"}]}, {"pools": [POOL, POOL]},
    {"pools": [{**POOL, "auxiliary": {"a": "b"}}]}, {"labels": {"a": "HALF"}},
)  # fmt: skip


def put(path: Path, data: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)


def damages(path: Path) -> list[Callable[[], None]]:
    found = json.loads(path.read_text())
    texts = [json.dumps({**found, **change}).replace("HALF", "\\ud800").encode() for change in CHANGED]
    return [lambda data=data: put(path, data) for data in (*WHOLE, *texts)]  # type: ignore[misc]


def test_it_is_shown_kept_from_use_and_removed(rootless: Rootless) -> None:
    rootless("network", "create", "bad")
    path = rootless.root / "networks" / "bad.json"
    for damage in damages(path):
        damage()
        said = path.read_bytes()[:100] if path.is_file() else "a directory"
        rows = rootless("network", "ls", "--format", "{{.Name}} {{.Driver}}").stdout.splitlines()
        assert rows == ["bad damaged", "bridge bridge", "host host", "none null"], said
        assert "has a damaged file" in rootless("network", "inspect", "bad", status=1).stderr, said
        assert rootless("network", "rm", "bad").stdout == "bad\n", said
        assert not path.exists()


def test_commands_about_others_go_on(rootless: Rootless) -> None:
    rootless("network", "create", "good")
    path = rootless.root / "networks" / "bad.json"
    for damage in (b"[]", b'{"name": "bad"}', json.dumps({**json.loads(path.with_name("good.json").read_text()), "name": "bad"}).encode()):
        put(path, damage)
        assert json.loads(rootless("network", "inspect", "good").stdout)[0]["Name"] == "good"
        for words in (("connect", "bad", "nobody"), ("disconnect", "bad", "nobody"), ("create", "bad")):
            assert rootless("network", *words, status=1).stderr
        rootless("network", "prune", "--force", "--filter", "label=none")
        rootless("network", "create", "another")
        rootless("network", "rm", "another")
    rootless("network", "rm", "bad", "good")
