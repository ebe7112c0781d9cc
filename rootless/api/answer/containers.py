"""Containers as the API lists them."""

from __future__ import annotations

import time
from typing import Any

from rootless.engine.options import clock
from rootless.engine.state import listing, status_words
from rootless.engine.state.listing import ContainerRow
from rootless.engine.views import container as view
from rootless.engine.views.network_settings import network_settings
from rootless.storage.store import Store


def summary(store: Store, row: ContainerRow, *, size: bool = False) -> dict[str, Any]:
    """ContainerSummary."""
    record, status = row.record, row.status
    settings = network_settings(record, row.state, running_now=bool(status.pid))
    found: dict[str, Any] = {
        "Id": row.id,
        "Names": [f"/{row.name}"],
        "Image": record["image"] or record["rootfs"],
        "ImageID": record["image_id"],
        "Command": listing.command(record),
        "Created": clock.to_nanoseconds(record["created_at"]) // 1_000_000_000,
        "Ports": _ports(row),
        "Labels": record["labels"],
        "State": status.state,
        "Status": status_words.of(row, time.time()),
        "HostConfig": {"NetworkMode": record["network"]["mode"], "Annotations": record["annotations"]},
        "NetworkSettings": {"Networks": settings["Networks"]},
        "Mounts": [view.mount_point(store, mount) for mount in record["mounts"]],
    }
    if size:
        found["SizeRw"], found["SizeRootFs"] = view.sizes(store, record)
    return found


def _ports(row: ContainerRow) -> list[dict[str, Any]]:
    """Published ports with where they are, exposed ones alone; none for what does not run, as with Docker."""
    if not row.status.pid:
        return []
    found: list[dict[str, Any]] = []
    published = set()
    for port in listing.published(row):
        published.add((port.container_port, port.protocol))
        found.append(
            {
                "IP": port.host_ip or "0.0.0.0",
                "PrivatePort": port.container_port,
                "PublicPort": port.host_port,
                "Type": port.protocol,
            }
        )
    for number, protocol in listing.exposed(row):
        if (number, protocol) not in published:
            found.append({"PrivatePort": number, "Type": protocol})
    return found
