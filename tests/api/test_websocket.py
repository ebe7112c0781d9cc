"""attach/ws: a process's streams as the messages of a websocket (RFC 6455), by a client of wsproto's."""

from __future__ import annotations

import socket

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from tests.api.test_attach import ALL
from tests.harness.api import Make, Service, start

HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip


class Client:
    """A websocket that is open."""

    def __init__(self, service: Service, identifier: str, query: str) -> None:
        self.sock = service.connect()
        self.messages = WSConnection(ConnectionType.CLIENT)
        self.say(Request(host="docker", target=f"/v1.44/containers/{identifier}/attach/ws?{query}"))
        self.heard: list[bytes] = []
        self.pongs: list[bytes] = []
        self.code = 0
        self.accepted = False
        while not self.accepted:
            self.hear()

    def say(self, event: Request | BytesMessage | TextMessage | Ping | CloseConnection) -> None:
        self.sock.sendall(self.messages.send(event))

    def hear(self) -> bool:
        """More of what the service says; False at its end."""
        data = self.sock.recv(65536)
        if not data:
            return False
        self.messages.receive_data(data)
        for event in self.messages.events():
            if isinstance(event, AcceptConnection):
                self.accepted = True
            elif isinstance(event, BytesMessage):
                self.heard.append(bytes(event.data))
            elif isinstance(event, Pong):
                self.pongs.append(bytes(event.payload))
            elif isinstance(event, CloseConnection):
                self.code = int(event.code)
        return True

    def until(self, text: bytes) -> None:
        while text not in b"".join(self.heard):
            assert self.hear(), self.heard

    def rest(self) -> bytes:
        with self.sock:
            while self.hear():
                pass
        return b"".join(self.heard)


def test_input_and_output_are_messages(service: Service, make: Make) -> None:
    """Before the start, in pieces of all kinds, with a ping between them; output of both streams, without frames, to the end."""
    identifier = make("sh", "-c", "echo ready; read a; echo \"<$a>\" >&2; read b; echo \"<$b>\"", OpenStdin=True, StdinOnce=True)
    client = Client(service, identifier, ALL)
    start(service, identifier)
    client.until(b"ready\n")
    client.say(TextMessage(data="on", message_finished=False))
    client.say(Ping(payload=b"still there?"))
    client.say(TextMessage(data="e\n"))
    client.until(b"<one>\n")
    assert client.pongs == [b"still there?"]
    client.say(BytesMessage(data=b"two\n"))
    assert client.rest() == b"ready\n<one>\n<two>\n"
    assert client.code == 1000


def test_a_client_that_closes_leaves_the_container_running(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo ready; exec sleep 1000")
    start(service, identifier)
    client = Client(service, identifier, f"{ALL}&logs=1")
    client.until(b"ready\n")
    client.say(CloseConnection(code=1001))
    assert client.rest() == b"ready\n"
    assert client.code == 1001
    assert service("GET", f"/containers/{identifier}/json").json["State"]["Running"]


def test_what_is_sent_with_the_close_is_input(service: Service, make: Make) -> None:
    """In one packet, in two messages."""
    identifier = make("sh", "-c", "read a; read b; echo \"<$a$b>\"", OpenStdin=True)
    start(service, identifier)
    client = Client(service, identifier, ALL)
    sent = (BytesMessage(data=b"one\n"), TextMessage(data="two\n"), CloseConnection(code=1000))
    client.sock.sendall(b"".join(client.messages.send(event) for event in sent))
    client.rest()
    assert client.code == 1000
    service("POST", f"/containers/{identifier}/wait")
    assert b"<onetwo>" in service("GET", f"/containers/{identifier}/logs?stdout=1").body


def test_what_is_no_message_is_the_end(service: Service, make: Make) -> None:
    """Not masked, too long for a ping, of no kind there is: said, and closed; the container and the service stay."""
    identifier = make("sleep", "1000")
    start(service, identifier)
    for damage in (b"\x81\x01x", b"\x89\xfe\x10\x00" + bytes(4), b"\x8f\x80" + bytes(4), b"\xff" * 64):
        client = Client(service, identifier, ALL)
        client.sock.sendall(damage)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b""
        assert client.code == 1002, damage
    assert service("GET", f"/containers/{identifier}/json").json["State"]["Running"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Upgrade": "tcp"}, "bad handshake"),
        ({"Sec-WebSocket-Key": ""}, "bad handshake"),
        ({"Sec-WebSocket-Version": "8"}, "Sec-WebSocket-Version"),
        ({"Origin": "https://docs.example"}, "a page of the web"),
        ({"Origin": "http://localhost:8000"}, "a page of the web"),
        ({"Origin": "null"}, "a page of the web"),
    ],
)
def test_who_asks_for_none_and_pages_of_the_web_are_refused(service: Service, make: Make, changed: dict[str, str], words: str) -> None:
    refused = service("GET", f"/containers/{make('true')}/attach/ws?{ALL}", headers={**HANDSHAKE, **changed}, status=400)
    assert words in refused.message
