"""A small gRPC client over a unix socket: unary calls by h2, messages as dictionaries by the tables of cri.proto."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, NamedTuple

import h2.connection
import h2.events


class Field(NamedTuple):
    """A message's field. `kind` is the name of a scalar or of another message."""

    number: int
    kind: str
    repeated: bool


Table = dict[str, dict[str, Field]]
_MESSAGE = re.compile(r"^message (\w+) \{(.*?)\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"(repeated )?(\w+) (\w+) = (\d+);")
_NUMBERS = ("bool", "int32", "int64")


def read_table(path: Path) -> Table:
    """The messages of a .proto file, with their fields by name."""
    return {
        name: {field: Field(int(number), kind, bool(repeated)) for repeated, kind, field, number in _FIELD.findall(body)}
        for name, body in _MESSAGE.findall(path.read_text())
    }


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def encode(table: Table, message: str, value: dict[str, Any]) -> bytes:
    """`value` as protobuf has it; KeyError for a field that the table does not know."""
    encoded = b""
    for name, found in value.items():
        field = table[message][name]
        for item in found if field.repeated else [found]:
            if field.kind in _NUMBERS:
                encoded += _varint(field.number << 3) + _varint(int(item))
                continue
            if field.kind in table:
                item = encode(table, field.kind, item)
            elif isinstance(item, str):
                item = item.encode()
            encoded += _varint(field.number << 3 | 2) + _varint(len(item)) + item
    return encoded


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def decode(table: Table, message: str, data: bytes) -> dict[str, Any]:
    """The fields of `message` that the table knows, with those absent as protobuf's zero values."""
    known = {field.number: (name, field) for name, field in table[message].items()}
    value = {name: _zero(table, field) for name, field in table[message].items()}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        item: Any
        if key & 7 == 0:
            item, at = _read_varint(data, at)
        elif key & 7 == 2:
            size, at = _read_varint(data, at)
            item, at = data[at : at + size], at + size
        else:
            at += 8 if key & 7 == 1 else 4
            continue
        if key >> 3 not in known:
            continue
        name, field = known[key >> 3]
        if field.kind in table:
            item = decode(table, field.kind, item)
        elif field.kind == "string":
            item = item.decode()
        elif field.kind in _NUMBERS and item >> 63:
            item -= 1 << 64
        if field.repeated:
            value[name].append(item)
        else:
            value[name] = item
    return value


def _zero(table: Table, field: Field) -> Any:
    if field.repeated:
        return []
    if field.kind in table:
        return {}
    return {"string": "", "bytes": b""}.get(field.kind, 0)


class CallError(Exception):
    """A call that the server refused: `code` is gRPC's, `message` the server's words."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: code {code}: {message}")
        self.code = code
        self.message = message


class Channel:
    """One HTTP/2 connection to a server on a unix socket; one call at a time."""

    def __init__(self, path: Path, table: Table, *, timeout_s: float = 90) -> None:
        self._table = table
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(path))
        self._http = h2.connection.H2Connection()
        self._http.initiate_connection()
        self._send()

    def close(self) -> None:
        self._socket.close()

    def call(self, method: str, request: str, response: str, value: dict[str, Any]) -> dict[str, Any]:
        """The answer of `method` ("package.Service/Name"); CallError where it is refused."""
        stream = self._http.get_next_available_stream_id()
        headers = [
            (":method", "POST"), (":scheme", "http"), (":path", f"/{method}"), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ]  # fmt: skip
        body = encode(self._table, request, value)
        self._http.send_headers(stream, headers)
        self._http.send_data(stream, b"\0" + len(body).to_bytes(4, "big") + body, end_stream=True)
        self._send()
        answer, trailers = self._answer(method, stream)
        code = int(trailers.get("grpc-status", "2"))
        if code:
            raise CallError(method, code, trailers.get("grpc-message", "no status"))
        return decode(self._table, response, answer[5:])

    def _answer(self, method: str, stream: int) -> tuple[bytes, dict[str, str]]:
        answer = b""
        trailers: dict[str, str] = {}
        while True:
            received = self._socket.recv(65536)
            if not received:
                raise CallError(method, 14, "the server closed the connection")
            for event in self._http.receive_data(received):
                if isinstance(event, h2.events.DataReceived):
                    self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
                    answer += event.data or b""
                elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    trailers |= {_text(name): _text(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.StreamReset):
                    raise CallError(method, 13, f"stream reset: {event.error_code}")
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    self._send()
                    return answer, trailers
            self._send()

    def _send(self) -> None:
        self._socket.sendall(self._http.data_to_send())


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
