"""A scope of systemd for one container, over D-Bus: org.freedesktop.systemd1(5).

The user's own systemd makes it; for real root, whose containers are the machine's, the system's. Not
HOT: jeepney is imported here and nowhere else, and only where this rung is tried. The bus may be gone
or hang: everything together has two seconds, then the caller takes the next rung.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

from rootless.cgroup import subtrees
from rootless.cgroup.limits import MAXIMUM, Setting
from rootless.errors import NotSupported, Unavailable

TIMEOUT_S = 2.0
SYSTEM_BUS = "/run/dbus/system_bus_socket"
_UNLIMITED = (1 << 64) - 1
_STOP_US = 10_000_000
_PEER = 12  # struct ucred


def unit_name(name: str) -> str:
    """The scope of the cgroup that would be called `name`."""
    return name + ".scope"


# Weights count among siblings, and the container's cgroup is alone in its scope: the scope has them, too.
_IDLE = 0  # a CPUWeight of systemd 252


def weights(settings: list[Setting]) -> list[tuple[str, tuple[str, Any]]]:
    """What of `settings` has to hold for the scope as a whole, as systemd's properties."""
    found: dict[str, tuple[str, Any]] = {}
    devices = []
    for one in settings:
        for value in one.values:
            *device, weight = value.split() or [""]
            if not weight.isdecimal():
                continue
            if one.file == "cpu.idle":
                found["CPUWeight"] = ("t", _IDLE if int(weight) else found.get("CPUWeight", ("t", 100))[1])
            elif one.file == "io.weight" and device not in ([], ["default"]):
                devices.append((f"/dev/block/{device[0]}", _io_weight(weight)))
            elif one.file == "io.weight":
                found["IOWeight"] = ("t", _io_weight(weight))
            elif one.file == "cpu.weight":
                found["CPUWeight"] = ("t", int(weight))
    if devices:
        found["IODeviceWeight"] = ("a(st)", devices)
    return list(found.items())


def _io_weight(weight: str) -> int:
    from rootless.cgroup.io_weights import IOCOST, heeded, of_systemd

    return int(weight) if IOCOST in heeded() else of_systemd(int(weight))


# Limits that a scope with nothing but the container in it can have besides, where they are looked for.
_TOTALS = {"memory.max": "MemoryMax", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax"}


def totals(settings: list[Setting]) -> list[tuple[str, tuple[str, Any]]]:
    """What of `settings` can be said of the scope as a whole, as systemd's properties. Pure."""
    found = []
    for one in settings:
        value = one.values[0] if one.values else ""
        if one.file in _TOTALS and (value.isdecimal() or value == MAXIMUM):
            found.append((_TOTALS[one.file], ("t", int(value) if value.isdecimal() else _UNLIMITED)))
    return found


def set_weights(known: subtrees.Facts, unit: str, settings: list[Setting]) -> None:
    """Change those of a scope that is there, until it ends. Raises as `start`."""
    set_properties(known, unit, weights(settings))


def set_properties(known: subtrees.Facts, unit: str, properties: list[tuple[str, tuple[str, Any]]]) -> None:
    """Change properties of a scope that is there, until it ends. Raises as `start`."""
    if properties:
        with _Bus(known.uid, time.monotonic() + TIMEOUT_S) as bus:
            bus.call("SetUnitProperties", "sba(sv)", (unit, True, properties))


def start(
    known: subtrees.Facts,
    name: str,
    *,
    description: str,
    slice_name: str,
    settings: list[Setting],
    pid: int = 0,
    whole: tuple[Setting, ...] = (),
) -> str:
    """Have systemd put the process `pid` (0: this very one) into a new scope; the scope's directory.

    It has the weights of `settings`, and the totals of `whole`. Unavailable where the bus does not answer in
    time, NotSupported where systemd refuses.
    """
    unit = unit_name(name)
    properties: dict[str, tuple[str, Any]] = dict([
        ("Description", ("s", description)),
        ("Delegate", ("b", True)),
        ("PIDs", ("au", [pid or os.getpid()])),
        ("Slice", ("s", slice_name)),
        ("CollectMode", ("s", "inactive-or-failed")),
        # Limits are ours to set, below; the manager's default would be one that nobody asked for.
        ("TasksMax", ("t", _UNLIMITED)),
        ("TimeoutStopUSec", ("t", _STOP_US)),
        *weights(settings),
        *totals(list(whole)),
    ])  # fmt: skip
    deadline = time.monotonic() + TIMEOUT_S
    with _Bus(known.uid, deadline) as bus:
        while True:
            try:
                bus.call("StartTransientUnit", "ssa(sv)a(sa(sv))", (unit, "fail", list(properties.items()), []))
                break
            except _Refused as error:
                # Started again at once: systemd has yet to see that the last scope is empty.
                if not error.name.endswith(".UnitExists") or time.monotonic() + 0.1 > deadline:
                    raise
                time.sleep(0.01)
        own = _wait_for(pid or "self", unit, deadline)
    if own is None:
        raise Unavailable(f"systemd did not make {unit} within {TIMEOUT_S:g} s")
    return known.mount + own


def stop(known: subtrees.Facts, unit: str) -> None:
    """End a scope that is there still. Raises as `start`, but for one that is not."""
    with _Bus(known.uid, time.monotonic() + TIMEOUT_S) as bus:
        try:
            bus.call("StopUnit", "ss", (unit, "replace"))
        except _Refused as error:
            if not error.name.endswith(".NoSuchUnit"):
                raise


def attach(known: subtrees.Facts, unit: str, below: str, pid: int, target: str) -> None:
    """Have systemd move `pid` into `below` (a path in the unit's cgroup), which is `target` in the file
    system. Raises as `start`."""
    deadline = time.monotonic() + TIMEOUT_S
    with _Bus(known.uid, deadline) as bus:
        bus.call("AttachProcessesToUnit", "ssau", (unit, below, [pid]))
    wanted = target.removeprefix(known.mount)
    while time.monotonic() < deadline:
        if _cgroup_of(pid) == wanted:
            return
        time.sleep(0.002)
    raise Unavailable(f"systemd did not move process {pid} into {wanted}")


def _cgroup_of(pid: int | str) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        return subtrees.own_path(file.read())


def _wait_for(pid: int | str, unit: str, deadline: float) -> str | None:
    """The process's cgroup once it is the unit's. The job's end is what we see of the process: no
    signals of the bus are needed to know it."""
    while True:
        own = _cgroup_of(pid)
        if own.endswith("/" + unit):
            return own
        if time.monotonic() > deadline:
            return None
        time.sleep(0.001)


class _Refused(NotSupported):
    """An error that systemd answered with; `name` is D-Bus's for it."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class _Bus:
    """A connection to the bus of the user, or of the system for root; jeepney's messages on a socket with
    a deadline."""

    def __init__(self, uid: int, deadline: float) -> None:
        try:
            from jeepney.low_level import Parser
        except ImportError:
            raise NotSupported("jeepney is not installed", hint="pip install jeepney") from None
        self.parser = Parser()
        self.deadline = deadline
        self.serial = 0
        self.whose = "the user's" if uid else "the system's"
        self.socket = _connect(uid, deadline)
        self._authenticate(uid)

    def __enter__(self) -> _Bus:
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
            raise Unavailable(f"{self.whose} D-Bus did not answer within {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise Unavailable(f"{self.whose} D-Bus broke off: {error.strerror}") from None
        if not data:
            raise Unavailable(f"{self.whose} D-Bus closed the connection")
        return data

    def _authenticate(self, uid: int) -> None:
        # The uid as the host knows it: in the session our own number is 0, and the bus asks the kernel.
        self._send(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += self._receive()
        if not answer.startswith(b"OK "):
            raise Unavailable(f"{self.whose} D-Bus does not let us in")
        self._send(b"BEGIN\r\n")
        self._message("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", ())

    def _send(self, data: bytes) -> None:
        self.socket.settimeout(self._left())
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Unavailable(f"{self.whose} D-Bus broke off: {error.strerror or 'timed out'}") from None

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
                raise _Refused(f"systemd refuses {method}: {why}", name)
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
            raise NotSupported(f"{path}: its systemd lives in another pid namespace")
        return connection
    raise Unavailable(f"no D-Bus of {'this user' if uid else 'the system'}: " + "; ".join(tried))


def _system_sockets() -> tuple[str, ...]:
    named = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
    return (named.removeprefix("unix:path=").partition(",")[0] if named.startswith("unix:path=") else SYSTEM_BUS,)
