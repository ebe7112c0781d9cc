"""Events, disk usage and credentials."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from tests.harness.api import Service
from tests.harness.registry import Registry


def next_line(stream: http.client.HTTPResponse) -> dict[str, object]:
    found: dict[str, object] = json.loads(stream.readline())
    return found


def test_events_begin_at_once_and_go_on(service: Service) -> None:
    stream = service.open("GET", "/events")
    assert stream.headers["Content-Type"] == "application/json"
    service.rootless("volume", "create", "told")
    message = next_line(stream)
    assert (message["Type"], message["Action"]) == ("volume", "create")
    assert message["Actor"] == {"ID": "told", "Attributes": {"driver": "local"}}
    assert int(str(message["timeNano"])) // 1_000_000_000 == message["time"]
    stream.close()


@pytest.mark.parametrize("filters", ['{"type":["volume"]}', '{"type":{"volume":true}}'])
def test_past_events_in_both_shapes_of_filters(service: Service, filters: str) -> None:
    service.rootless("volume", "create", "past")
    service.rootless("network", "create", "other")
    query = filters.replace('"', "%22")
    answer = service("GET", f"/events?since=1&until={time.time() + 0.2:.9f}&filters={query}")
    assert [line["Actor"]["ID"] for line in answer.lines] == ["past"]


def test_events_that_are_over(service: Service) -> None:
    assert service("GET", "/events?since=1&until=2").body == b""


def test_disk_usage_is_of_lists(service: Service) -> None:
    service.rootless("volume", "create", "sized")
    found = service("GET", "/system/df").json
    assert found["LayersSize"] == 0
    assert found["Images"] == found["Containers"] == []
    assert [(each["Name"], each["UsageData"]) for each in found["Volumes"]] == [("sized", {"Size": 0, "RefCount": 0})]
    assert set(service("GET", "/system/df?type=volume").json) == {"Volumes"}
    assert "unknown object type" in service("GET", "/system/df?type=socks", status=400).message


def test_credentials_are_tried_and_not_kept(service: Service, registry: Registry) -> None:
    """A registry that wants none accepts any."""
    body = {"username": "me", "password": "secret", "serveraddress": registry.address}
    assert service("POST", "/auth", body).json["Status"] == "Login Succeeded"
    assert not list(service.rootless.runtime.rglob("auth.json"))
    refused = service("POST", "/auth", {**body, "serveraddress": "127.0.0.1:1"}, status=None)
    assert refused.status in (401, 500)
    assert refused.message
