"""The log of events as it is read: torn lines, rotation, filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rootless.engine.state.events import event_log, events
from rootless.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "root"), str(tmp_path / "run"))


def read(store: Store, **filters: list[str]) -> list[dict[str, Any]]:
    return list(event_log.follow(store, since_ns=0, until_ns=0 if not filters else 1 << 62, filters=filters))


def everything(store: Store) -> list[str]:
    import time

    found = event_log.follow(store, since_ns=0, until_ns=time.time_ns(), filters={})
    return [message["Actor"]["ID"] for message in found]


def write(store: Store, number: int) -> None:
    Path(store.root).mkdir(exist_ok=True, parents=True)
    events.write(store, "container", "start", str(number), name=f"n{number}", image="i")


def test_torn_lines_cost_only_themselves(store: Store) -> None:
    write(store, 1)
    with open(f"{store.root}/events/events.log", "ab") as file:
        file.write(b'{"time_ns":17,"action":"die","type":"conta')  # the power went
    write(store, 2)
    with open(f"{store.root}/events/events.log", "ab") as file:
        file.write(b'\xff\x00garbage\n[1]\n{"time_ns":"x"}\n')
    write(store, 3)
    assert everything(store) == ["1", "2", "3"]


def test_rotation_keeps_what_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAXIMUM_BYTES", 1000)
    for number in range(12):
        write(store, number)
    assert Path(f"{store.root}/events/events.log.1").stat().st_size <= 1200
    found = everything(store)
    assert found == [str(number) for number in range(12)][-len(found) :]
    assert len(found) >= 7


def test_filters() -> None:
    entry = {
        "time_ns": 5, "action": "die", "type": "container", "id": "abc123",
        "attributes": {"name": "web", "image": "busybox", "tier": "front"},
    }  # fmt: skip
    for filters in (
        {"container": ["web"]}, {"container": ["abc"]}, {"event": ["oom", "die"]}, {"label": ["tier=front"]},
        {"image": ["busybox"]}, {"type": ["container"], "event": ["die"]},
    ):  # fmt: skip
        assert event_log.matches(entry, filters), filters
    for filters in ({"container": ["we"]}, {"event": ["oom"]}, {"label": ["tier=back"]}, {"volume": ["abc123"]}):
        assert not event_log.matches(entry, filters), filters
