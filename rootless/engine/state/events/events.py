"""The log of events: who did what to a container, an image or a volume, and when.

ROOT/events/events.log holds one JSON object a line, oldest first; events.log.1 is the one before. Each
writer appends a line in one write(2), so lines never mix, and nobody holds anything open: there is
no daemon. The monitor writes `die`, `oom` and a detached exec's `exec_die` in the same shape (helpers/monitor/event.c).

    {"time_ns":N,"action":"start","type":"container","id":"...","attributes":{"name":"...","image":"..."}}

A power cut may leave a torn line at the end; readers skip what is no line. A log that cannot be
written (a full disk) never stops a verb. Hot path.
"""

from __future__ import annotations

import fcntl
import os
import time

from rootless import jsontext
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootless.engine.state.config import ContainerConfig
    from rootless.storage.store import Store

LOG_NAME = "events.log"
MAXIMUM_BYTES = 4 << 20
LONGEST_COMMAND = 4096


def directory(store: Store) -> str:
    """Where the log is; made here if need be."""
    path = store.root + "/events"
    try:
        os.mkdir(path, 0o700)
    except OSError:
        pass  # it is there, or a write will fail, too
    return path


def write(
    store: Store, kind: str, action: str, identifier: str, *, labels: Mapping[str, str] = {}, **attributes: str
) -> None:
    """Append one event; `kind` is container, image or volume. Labels are attributes, as far as they have no other's name.
    Never fails."""
    _append(directory(store), _line(kind, action, identifier, attributes, whole=labels))


def pruned(store: Store, kind: str, reclaimed_bytes: int) -> None:
    """Docker's event of a prune: what it is of, and the bytes that are free again."""
    write(store, kind, "prune", "", reclaimed=str(reclaimed_bytes))


def container(store: Store, action: str, record: ContainerConfig, **attributes: str) -> None:
    """An event of a container, with the attributes that all of them have."""
    more = connections(record) if action in ("start", "die") else {}
    line = _line("container", action, record["id"], {**_of(record), **attributes}, more, whole=_whole(record, action))
    _append(directory(store), line)


def execution(store: Store, record: ContainerConfig, argv: list[str]) -> str:
    """That a process has been started in the container, Docker's two events in one write; the id of the execution."""
    identifier = os.urandom(32).hex()
    lines = [_line_of_execution(record, action, argv, identifier) for action in ("exec_create", "exec_start")]
    _append(directory(store), b"".join(lines))
    return identifier


def exec_instance(store: Store, record: ContainerConfig, action: str, argv: list[str], identifier: str) -> None:
    """exec_create or exec_start of an execution that has its id already."""
    _append(directory(store), _line_of_execution(record, action, argv, identifier))


def _line_of_execution(record: ContainerConfig, action: str, argv: list[str], identifier: str) -> bytes:
    command = f"{argv[0]} {' '.join(argv[1:])}"[:LONGEST_COMMAND]
    return _line("container", f"{action}: {command}", record["id"], {**_of(record), "execID": identifier})


def _line(
    kind: str,
    action: str,
    identifier: str,
    attributes: dict[str, str],
    more: Mapping[str, object] | None = None,
    *,
    whole: Mapping[str, str] = {},
) -> bytes:
    found = {"time_ns": time.time_ns(), "action": action, "type": kind, "id": identifier, **(more or {})}
    found["attributes"] = {**whole, **{key: value for key, value in attributes.items() if value}}
    return jsontext.dumps(found).encode("utf-8", "replace") + b"\n"


def kill(store: Store, record: ContainerConfig, number: int) -> None:
    """Docker's event of a signal; written before the signal is sent, so that it stands before the end."""
    container(store, "kill", record, signal=str(int(number)))


def tail(record: ContainerConfig) -> str:
    """The end of the lines that the monitor writes about the container, its attributes left open."""
    found = {"type": "container", "id": record["id"], **connections(record), "attributes": _of(record)}
    return jsontext.dumps(found)[1:-2]


def tail_of_execution(record: ContainerConfig, execution: str) -> str:
    """The end of the line that the monitor of a detached execution writes, its attributes left open."""
    attributes = {**_of(record), "execID": execution}
    return jsontext.dumps({"type": "container", "id": record["id"], "attributes": attributes})[1:-2]


def connections(record: ContainerConfig) -> dict[str, object]:
    """What a start connects and an end lets go: readers tell Docker's events of it (consequences.py), so
    that neither the start nor the monitor has more to write."""
    volumes = [
        [mount["volume"], mount["target"], not mount["read_only"]]
        for mount in record["mounts"]
        if mount["type"] == "volume"
    ]
    # As with labels: the monitor's line is written in one piece or not at all.
    short = sum(len(str(volume)) for volume in volumes) < 1024
    found: dict[str, object] = {"network": record["network"]["mode"], "volumes": volumes if short else []}
    networks = record["network"].get("networks")
    if networks and len(networks) <= 8:
        found["networks"] = {name: endpoint["id"] for name, endpoint in networks.items()}
    return found


def _whole(record: ContainerConfig, action: str) -> Mapping[str, str]:
    """Every label, in the first and the last line of a container: who reads the log joins them to the others (labels.py)."""
    return record["labels"] if action in ("create", "destroy") else {}


def _of(record: ContainerConfig) -> dict[str, str]:
    # Labels, as Docker gives them, but never so many that a line is no longer written in one piece.
    labels = {key: value for key, value in record["labels"].items() if len(key) + len(value) < 128}
    few = dict(list(labels.items())[:8])
    return {**few, "image": record["image"] or record["rootfs"], "name": record["name"]}


def _append(path: str, line: bytes) -> None:
    try:
        fd = os.open(
            f"{path}/{LOG_NAME}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    except OSError:
        return
    try:
        os.write(fd, line)
        if os.fstat(fd).st_size > MAXIMUM_BYTES:
            _rotate(path, fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def _rotate(path: str, fd: int) -> None:
    """Rename the full log; a second process that wants to finds it done."""
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    here, held = os.stat(f"{path}/{LOG_NAME}"), os.fstat(fd)
    if (here.st_dev, here.st_ino) == (held.st_dev, held.st_ino):
        os.rename(f"{path}/{LOG_NAME}", f"{path}/{LOG_NAME}.1")
