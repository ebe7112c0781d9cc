"""Systemd's journal as a container's log: --log-driver journald."""

from __future__ import annotations

import os
import re
import socket

from rootless.engine.state.config import ContainerConfig
from rootless.engine.state.logs import options
from rootless.errors import NotSupported

SOCKET = "/run/systemd/journal/socket"
_OURS = ("MESSAGE", "PRIORITY", "CONTAINER_PARTIAL_MESSAGE")
_TAG = "{{.ID}}"


def connect(path: str = SOCKET) -> int:
    """A datagram socket connected to the journal, the caller's; NotSupported where none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(path)
        except OSError as error:
            raise NotSupported(
                f"--log-driver journald: no journal answers at {path} ({error.strerror})",
                hint="it needs systemd-journald; leave --log-driver out, and the log is a file",
            ) from None
        return sock.detach()


def fields(record: ContainerConfig) -> tuple[str, ...]:
    """Docker's fields of every entry, NAME=VALUE; the labels and variables that --log-opt chose come first."""
    chosen = options.attributes(record)
    chosen.pop("tag", None)
    tag = options.tag_of(record, record["log"].get("options", {}).get("tag") or _TAG)
    own = {
        "CONTAINER_ID": record["id"][:12],
        "CONTAINER_ID_FULL": record["id"],
        "CONTAINER_NAME": record["name"],
        "CONTAINER_TAG": tag,
        "SYSLOG_IDENTIFIER": tag,
        "IMAGE_NAME": record["image"],
    }
    named = {field_name(key): value for key, value in chosen.items()}
    more = {name: value for name, value in named.items() if name and name not in (*own, *_OURS)}
    return tuple(f"{name}={value}" for name, value in {**more, **own}.items())


def fields_file(record: ContainerConfig) -> int:
    """The fields as the journal's native protocol has them, in a file in memory, the caller's. No argument of the
    monitor's, since everybody may read those and a variable's value may be a secret."""
    fd = os.memfd_create("journal-fields", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.writelines(map(encode, fields(record)))
    return fd


def encode(field: str) -> bytes:
    """NAME=VALUE of one line, or with a length where the value has several."""
    name, _, value = field.encode("utf-8", "surrogateescape").partition(b"=")
    if b"\n" in value:
        return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name + b"=" + value + b"\n"


def field_name(key: str) -> str:
    """A label's or a variable's name as the journal allows it: capitals, digits, underscores, the first no
    underscore and no digit, 64 at most. "" where nothing is left."""
    return re.sub("[^A-Z0-9]", "_", key.upper()).lstrip("_0123456789")[:64]
