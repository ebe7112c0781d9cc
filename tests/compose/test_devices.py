"""Devices by CDI in a compose file: `devices`, `gpus`, reservations."""

from __future__ import annotations

import json

from tests.compose.projects import Compose


def test_devices_by_name(compose: Compose) -> None:
    directory = compose.directory / "config/cdi"
    directory.mkdir(parents=True)
    for vendor in ("nvidia.com/gpu", "acme.com/net"):
        (directory / f"{vendor.partition('.')[0]}.json").write_text(json.dumps({
            "cdiVersion": "0.6.0", "kind": vendor, "devices": [
                {"name": name, "containerEdits": {"env": [f"DEVICE_{name}={vendor}"]}} for name in ("0", "1", "all")
            ],
        }))  # fmt: skip
    compose.environment["XDG_CONFIG_HOME"] = str(directory.parent)
    compose.up("""
services:
  all: {image: busybox, command: sleep 1000, stop_grace_period: 0s, gpus: all}
  some:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    gpus: [{count: 1, driver: nvidia}]
    devices: [acme.com/net=1, /dev/null:/dev/nil]
    deploy:
      resources:
        reservations:
          devices: [{driver: cdi, capabilities: [], device_ids: [acme.com/net=0]}, {capabilities: [gpu], device_ids: ["1"]}]
""")

    def devices(service: str) -> list[str]:
        words = compose.inspect(f"demo-{service}-1")["HostConfig"]["DeviceRequests"][0]["DeviceIDs"]
        assert len(words) == len(set(words))
        return sorted(words)

    assert devices("all") == ["nvidia.com/gpu=all"]
    assert devices("some") == ["acme.com/net=0", "acme.com/net=1", "nvidia.com/gpu=0", "nvidia.com/gpu=1"]
    assert compose.inspect("demo-some-1")["HostConfig"]["Devices"][0]["PathInContainer"] == "/dev/nil"
    assert compose.execute("all", "sh", "-c", "tr '\\0' '\\n' </proc/1/environ | grep DEVICE") == "DEVICE_all=nvidia.com/gpu\n"
    missing = compose.up("services: {web: {image: busybox, command: x, devices: [acme.com/net=9]}}", "--remove-orphans", status=1).stderr
    assert "unresolvable CDI devices acme.com/net=9" in missing
    missing = compose.up("services: {web: {image: busybox, command: x, gpus: [{driver: amd}]}}", "--remove-orphans", status=1).stderr
    assert 'could not select device driver "amd" with capabilities: [[gpu]]' in missing
