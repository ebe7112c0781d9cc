"""Docker's streams: raw, or stdout and stderr in frames on one connection."""

from __future__ import annotations

import struct

from rootless.api.versions import Version

STDIN, STDOUT, STDERR = 0, 1, 2
_HEADER = struct.Struct(">BxxxI")
_MULTIPLEXED_SINCE: Version = (1, 42)


def content_type(version: Version, *, tty: bool) -> str:
    """Of a stream; before 1.42 the same for both kinds."""
    if tty or version < _MULTIPLEXED_SINCE:
        return "application/vnd.docker.raw-stream"
    return "application/vnd.docker.multiplexed-stream"


def frame(stream: int, data: bytes) -> bytes:
    """`data` with its header: the stream, three zeros, the length as big-endian 32 bits."""
    return _HEADER.pack(stream, len(data)) + data
