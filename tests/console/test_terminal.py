"""A terminal in a container, by a client of wsproto's; and who gets none."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.harness.command import Rootless
from tests.harness.console import HOST, Browser, Console


class Terminal:
    """A WebSocket to a container's terminal; `refused` where it was not to be had."""

    def __init__(self, console: Console, box: str, *protocols: str, origin: str = f"http://{HOST}") -> None:
        self.sock = console.connect()
        self.messages = WSConnection(ConnectionType.CLIENT)
        self.text, self.told, self.code = "", dict[str, object](), 0
        self.refused = self.accepted = False
        headers = [(b"Origin", origin.encode())]
        request = Request(host=HOST, target=f"/containers/{box}/terminal", subprotocols=list(protocols), extra_headers=headers)
        self.sock.sendall(self.messages.send(request))
        while not self.accepted and not self.refused:
            self.hear()

    def hear(self) -> bool:
        data = self.sock.recv(65536)
        if not data:
            self.refused = self.refused or not self.accepted
            return False
        self.messages.receive_data(data)
        for event in self.messages.events():
            if isinstance(event, AcceptConnection):
                self.accepted = True
                assert event.subprotocol == "rootless.console", "the ticket is not said back"
            elif isinstance(event, RejectConnection):
                self.refused = True
            elif isinstance(event, BytesMessage):
                self.text += event.data.decode()
            elif isinstance(event, TextMessage):
                self.told |= json.loads(event.data)
            elif isinstance(event, CloseConnection):
                self.code = int(event.code)
                with contextlib.suppress(OSError):  # it may have hung up without waiting for that
                    self.sock.sendall(self.messages.send(event.response()))
        return True

    def say(self, data: bytes | str) -> None:
        message = BytesMessage(data=data) if isinstance(data, bytes) else TextMessage(data=data)
        self.sock.sendall(self.messages.send(message))

    def until(self, text: str) -> None:
        while text not in self.text:
            assert self.hear(), self.text

    def rest(self) -> None:
        while self.hear():
            pass
        self.sock.close()


def ticket(browser: Browser) -> str:
    answer = browser.post("/tickets")
    assert answer.status == 200
    return f"ticket.{json.loads(answer.body)['ticket']}"


def test_a_shell_in_a_container(console: Console, browser: Browser, box: str) -> None:
    """Typed, shown, resized; its status at the end."""
    found = Terminal(console, box, "rootless.console", ticket(browser))
    found.say('{"columns": 97, "rows": 31}')
    found.say(b"stty size; echo $TERM $((6 * 7))\r")
    found.until("xterm-256color 42")
    assert "31 97" in found.text
    for nonsense in ("{", "[]", '{"columns": -1, "rows": 1}', '{"columns": 1e9, "rows": 5}', "[" * 100_000):
        found.say(nonsense)
    found.say(b"exit 5\r")
    found.rest()
    assert (found.told, found.code) == ({"exit": 5}, 1000)


def test_no_terminal_without_a_ticket(console: Console, browser: Browser, box: str) -> None:
    """Jupyter's CVE-2024-28179: a WebSocket that nobody asked who he was."""
    used = ticket(browser)
    Terminal(console, box, "rootless.console", used).sock.close()
    wrong: list[tuple[str, ...]] = [(), ("rootless.console",), ("rootless.console", "ticket."), ("rootless.console", "ticket.x"),
                                    ("rootless.console", used), (ticket(browser), ticket(browser))]  # fmt: skip
    for protocols in wrong:
        assert Terminal(console, box, *protocols).refused, protocols
    for origin in ("http://localhost:9999", "null", "https://evil.example"):
        assert Terminal(console, box, "rootless.console", ticket(browser), origin=origin).refused, origin
    last = ticket(browser)
    assert browser.post("/logout").status == 200
    assert Terminal(console, box, "rootless.console", last).refused


def test_a_log_out_ends_the_terminal(console: Console, browser: Browser, box: str) -> None:
    found = Terminal(console, box, "rootless.console", ticket(browser))
    found.say(b"echo $((6 * 7))\r")
    found.until("42")
    assert browser.post("/logout").status == 200
    found.say(b"touch /after\r")
    found.rest()
    assert found.code in (1000, 1005, 1006)


def test_a_container_that_does_not_run_says_so(console: Console, browser: Browser, box: str, rootless: Rootless) -> None:
    rootless("kill", box)
    rootless("wait", box)
    assert "start it first" in browser.page(f"/containers/{box}/terminal")
    found = Terminal(console, box, "rootless.console", ticket(browser))
    found.rest()
    assert "not running" in str(found.told["problem"])


def test_a_flood_waits_until_it_is_shown(console: Console, browser: Browser, box: str) -> None:
    """A browser that shows nothing is sent no more than a window's worth; one that does gets it all."""
    found = Terminal(console, box, "rootless.console", ticket(browser))
    found.say(b"stty -opost; head -c 4000000 /dev/zero | tr '\\0' x; exit\r")
    shown = 0
    while found.hear():
        assert len(found.text) - shown < 1_500_000, "sent what nobody looks at"
        if len(found.text) - shown > 1_000_000:
            found.say(json.dumps({"shown": len(found.text) - shown}))
            shown = len(found.text)
    assert found.text.count("x") >= 4_000_000


@pytest.mark.parametrize("data", [b"\x00" * 100_000, b"\xff\x1b[200~"])
def test_bytes_are_bytes(console: Console, browser: Browser, box: str, data: bytes) -> None:
    """A paste of any length and any bytes reaches the program as it is."""
    found = Terminal(console, box, "rootless.console", ticket(browser))
    found.say(b"stty raw -echo; echo go; head -c %d | sha256sum; exit\r" % len(data))
    found.until("\r\ngo")  # what was typed is echoed first
    found.say(data)
    found.rest()
    assert hashlib.sha256(data).hexdigest() in found.text
