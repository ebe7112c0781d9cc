"""A connection to the D-Bus of the user, or of the system for root, to call systemd's manager. Not hot:
jeepney is imported here and nowhere else, and only where a scope of systemd is tried."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

from rootless.cgroup import subtrees
from rootless.errors import NotSupported, Unavailable

TIMEOUT_S = 2.0
"""What the bus has for letting us in, and systemd for an answer that nothing depends on."""
PATIENCE_S = 25.0
"""What systemd has where a limit would be lost without it: as long as D-Bus gives every call."""
SYSTEM_BUS = "/run/dbus/system_bus_socket"
_PEER = 12  # struct ucred


class Refused(NotSupported):
    """An error that systemd answered with; `name` is D-Bus's for it."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class Bus:
    """jeepney's messages on a socket with deadlines: TIMEOUT_S until the bus has let us in, from then on
    `answers_s` for all calls together. Unavailable where one passes."""

    def __init__(self, uid: int, answers_s: float) -> None:
        try:
            from jeepney.low_level import Parser
        except ImportError:
            raise NotSupported("jeepney is not installed", hint="pip install jeepney") from None
        self.parser = Parser()
        self.limit_s = TIMEOUT_S
        self.deadline = time.monotonic() + TIMEOUT_S
        self.serial = 0
        self.whose = "the user's D-Bus" if uid else "the system's D-Bus"
        self.socket = _connect(uid, self.deadline)
        try:
            self._authenticate(uid)
        except BaseException:
            self.socket.close()
            raise
        self.whose = "the user's systemd" if uid else "the system's systemd"
        self.limit_s = answers_s
        self.deadline = time.monotonic() + answers_s

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _left(self) -> float:
        return max(0.001, self.deadline - time.monotonic())

    def _receive(self) -> bytes:
        self.socket.settimeout(self._left())
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise Unavailable(f"{self.whose} did not answer within {self.limit_s:g} s") from None
        except OSError as error:
            raise Unavailable(f"{self.whose} broke off: {error.strerror}") from None
        if not data:
            raise Unavailable(f"{self.whose} closed the connection")
        return data

    def _authenticate(self, uid: int) -> None:
        # The uid as the host knows it: in the session our own number is 0, and the bus asks the kernel.
        self._send(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += self._receive()
        if not answer.startswith(b"OK "):
            raise Unavailable(f"{self.whose} does not let us in")
        self._send(b"BEGIN\r\n")
        self._message("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", ())

    def _send(self, data: bytes) -> None:
        self.socket.settimeout(self._left())
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Unavailable(f"{self.whose} broke off: {error.strerror or 'timed out'}") from None

    def call(self, method: str, signature: str, body: tuple[Any, ...]) -> None:
        """Call a method of systemd's manager and wait for its answer."""
        self._message(
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            method,
            signature,
            body,
        )

    def _message(
        self, bus: str, path: str, interface: str, method: str, signature: str, body: tuple[Any, ...]
    ) -> None:
        from jeepney import DBusAddress, new_method_call
        from jeepney.low_level import HeaderFields, MessageType

        address = DBusAddress(path, bus_name=bus, interface=interface)
        message = new_method_call(address, method, signature or None, body)
        self.serial += 1
        self._send(message.serialise(self.serial))
        while True:
            while (answer := self.parser.get_next_message()) is None:
                self.parser.add_data(self._receive())
            if answer.header.fields.get(HeaderFields.reply_serial) != self.serial:
                continue
            if answer.header.message_type == MessageType.error:
                why = answer.body[0] if answer.body else answer.header.fields.get(HeaderFields.error_name)
                name = str(answer.header.fields.get(HeaderFields.error_name))
                raise Refused(f"systemd refuses {method}: {why}", name)
            return


def _connect(uid: int, deadline: float) -> socket.socket:
    tried = []
    for path in subtrees.bus_sockets(uid) if uid else _system_sockets():
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            connection.connect(path)
        except OSError as error:
            tried.append(f"{path}: {error.strerror or 'timed out'}")
            connection.close()
            continue
        if not int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER)[:4], sys.byteorder):
            # We tell systemd the numbers of processes, which it would take for others.
            connection.close()
            raise NotSupported(
                f"{path}: its systemd lives in another pid namespace",
                hint="start what calls us without a pid namespace of its own (--pidns of rootlesskit), or in a cgroup that is delegated "
                "to it: systemd-run --user -p Delegate=yes",
            )
        return connection
    raise Unavailable(f"no D-Bus of {'this user' if uid else 'the system'}: " + "; ".join(tried))


def _system_sockets() -> tuple[str, ...]:
    named = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
    return (named.removeprefix("unix:path=").partition(",")[0] if named.startswith("unix:path=") else SYSTEM_BUS,)
