"""What stands on the wire before any container comes into it: heads, versions, errors, connections."""

from __future__ import annotations

import json
import socket

import h2.connection
import h2.events
import pytest

from tests.harness.api import Service


def read_answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one answer with a Content-Length, and nothing of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"the connection ended: {head!r}"
        head += byte
    length = next((int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:")), 0)
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    return head, body


def to_the_end(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("path", ["/_ping", "/v1.24/_ping", "/v1.51/_ping"])
def test_a_ping_says_which_version_is_spoken(idle: Service, path: str) -> None:
    asked = idle("HEAD", path)
    assert asked.headers["api-version"] == "1.44"
    assert asked.headers["ostype"] == "linux"
    assert asked.headers["docker-experimental"] == "false"
    assert asked.headers["builder-version"] == "1"
    assert asked.headers["swarm"] == "inactive"
    assert asked.headers["cache-control"].startswith("no-cache")
    assert asked.body == b""
    assert idle("GET", path).body == b"OK"


def test_errors_are_json_and_carry_the_versions(idle: Service) -> None:
    """Go's clients compare the Content-Type for equality."""
    answer = idle("GET", "/nothing/there", status=404)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"message": "page not found"}
    assert (answer.headers["api-version"], answer.headers["ostype"]) == ("1.44", "linux")
    assert "server" in answer.headers


@pytest.mark.parametrize("version", ["1.24", "1.41", "1.44", "1.51"])
def test_versions_of_ten_years_are_spoken(idle: Service, version: str) -> None:
    assert idle("GET", f"/v{version}/info").json["OSType"] == "linux"


def test_other_versions_are_refused_in_mobys_words(idle: Service) -> None:
    assert idle("GET", "/v1.52/info", status=400).message == (
        "client version 1.52 is too new. Maximum supported API version is 1.51"
    )
    assert "client version 1.23 is too old. Minimum supported API version is 1.24" in idle(
        "GET", "/v1.23/info", status=400
    ).message


def test_without_a_version_the_advertised_one_is_meant(idle: Service) -> None:
    with idle.connect() as sock:
        sock.sendall(b"GET /info HTTP/1.1\r\nHost: api.moby.localhost\r\n\r\n")
        head, body = read_answer(sock)
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(body)["ServerVersion"].startswith("27.5.1+rootless")


def test_what_clients_read_of_version_and_info(idle: Service) -> None:
    version = idle("GET", "/version").json
    assert version["Components"][0]["Name"] == "Engine"
    assert (version["ApiVersion"], version["MinAPIVersion"], version["Os"]) == ("1.44", "1.24", "linux")
    assert version["Platform"]["Name"].startswith("rootless")
    info = idle("GET", "/info").json
    kinds: dict[type, str] = {
        int: "MemTotal NCPU", list: "Labels DriverStatus Warnings SecurityOptions", dict: "Runtimes RegistryConfig",
        str: "ID Name OSType Architecture ServerVersion IndexServerAddress Driver CgroupDriver CgroupVersion",
    }  # fmt: skip
    for kind, fields in kinds.items():
        assert [field for field in fields.split() if type(info.get(field)) is not kind or (kind in (int, str) and not info[field])] == []
    assert info["DefaultRuntime"] in info["Runtimes"]
    assert all(len(pair) == 2 for pair in info["DriverStatus"])
    assert info["RegistryConfig"]["IndexConfigs"]["docker.io"]["Official"] is True
    assert (info["ServerVersion"], info["CgroupDriver"] in ("systemd", "cgroupfs", "none")) == (version["Version"], True)
    assert "rootless" in info["OperatingSystem"]
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert {"name=rootless", "name=seccomp,profile=builtin", "name=cgroupns"} <= set(info["SecurityOptions"])


@pytest.mark.parametrize("path", ["/swarm", "/nodes", "/nodes/x", "/services", "/services/x/logs", "/secrets", "/configs/y"])
def test_a_swarm_is_refused_in_mobys_words(idle: Service, path: str) -> None:
    assert idle("GET", path, status=503).message.startswith("This node is not a swarm manager.")


def test_plugins_checkpoints_and_buildkit(idle: Service) -> None:
    assert idle("GET", "/plugins").json == []
    assert "plugins" in idle("POST", "/plugins/pull", status=501).message
    assert "checkpoints" in idle("GET", "/containers/x/checkpoints", status=501).message
    assert "DOCKER_BUILDKIT=0" in idle("POST", "/grpc", status=501).message, "without an upgrade"


def test_buildkits_calls_are_refused_in_its_own_protocol(idle: Service) -> None:
    """buildx shows the words of a gRPC status, and of no other answer."""
    upgrade = b"POST /v1.44/grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with idle.connect() as sock:
        sock.sendall(upgrade)
        head, rest = read_answer(sock)
        assert head.startswith(b"HTTP/1.1 101")
        assert b"Upgrade: h2c" in head
        client = h2.connection.H2Connection()
        client.initiate_connection()
        client.ping(b"12345678")
        told: dict[int, dict[bytes, bytes]] = {}
        for _ in range(2):
            stream = client.get_next_available_stream_id()
            call = [(":method", "POST"), (":scheme", "http"), (":path", "/moby.buildkit.v1.Control/ListWorkers"), (":authority", "docker")]
            client.send_headers(stream, [*call, ("content-type", "application/grpc"), ("te", "trailers")])
            client.send_data(stream, b"\0\0\0\0\0", end_stream=True)
        sock.sendall(client.data_to_send())
        seen, ended = [], 0
        while ended < 2:
            for event in client.receive_data(rest or sock.recv(4096)):
                seen.append(type(event))
                if isinstance(event, h2.events.ResponseReceived):
                    assert event.stream_id is not None
                    assert event.headers is not None
                    told[event.stream_id] = {bytes(name): bytes(value) for name, value in event.headers}
                ended += isinstance(event, h2.events.StreamEnded)
            rest = b""
        assert {h2.events.PingAckReceived, h2.events.SettingsAcknowledged} <= set(seen)
        for headers in told.values():
            assert headers[b":status"] == b"200"
            assert headers[b"content-type"] == b"application/grpc"
            assert headers[b"grpc-status"] == b"12"
            assert b"DOCKER_BUILDKIT=0" in headers[b"grpc-message"]
        assert list(told) == [1, 3]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\nxxxxxxxx", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\1\0\0\0\0\1", b""])
def test_what_is_no_http2_ends_the_connection(idle: Service, sent: bytes) -> None:
    with idle.connect() as sock:
        sock.sendall(b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        head, _ = read_answer(sock)
        assert head.startswith(b"HTTP/1.1 101")
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


def test_a_connection_is_used_again(idle: Service) -> None:
    with idle.connect() as sock:
        for path in (b"/_ping", b"/plugins", b"/version", b"/nothing", b"/info"):
            sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: docker\r\n\r\n")
            head, _ = read_answer(sock)
            assert head.startswith(b"HTTP/1.1 404" if path == b"/nothing" else b"HTTP/1.1 200")


def test_requests_sent_at_once_are_answered_in_their_order(idle: Service) -> None:
    with idle.connect() as sock:
        one = b"GET /%s HTTP/1.1\r\nHost: docker\r\n\r\n"
        sock.sendall(one % b"plugins" + one % b"_ping" + one % b"nothing" + one % b"_ping")
        bodies = [read_answer(sock)[1] for _ in range(4)]
    assert bodies == [b"[]\n", b"OK", b'{"message": "page not found"}\n', b"OK"]


def test_a_head_may_come_byte_by_byte(idle: Service) -> None:
    with idle.connect() as sock:
        for byte in b"GET /plugins HTTP/1.1\r\nHost: docker\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert read_answer(sock)[1] == b"[]\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Content-Length: 3, 4",
        b"Content-Length: +3",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Host: other",
        b"Con\x00tent: x",
    ],
)
@pytest.mark.parametrize("path", [b"/_ping", b"/auth"])
def test_what_two_readers_would_understand_in_two_ways_is_refused(idle: Service, path: bytes, head: bytes) -> None:
    """And the connection ends: what comes behind is nobody's request."""
    with idle.connect() as sock:
        smuggled = b"GET /plugins HTTP/1.1\r\nHost: docker\r\n\r\n"
        sock.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: docker\r\n" + head + b"\r\n\r\n0\r\n\r\n" + smuggled)
        said = to_the_end(sock)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), said
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunk", [b"-1\r\n", b"0x3\r\nabc\r\n", b"3 \r\nabcd\r\n", b"ffffffffffffffffffffff\r\n", b"3\r\nabcX0\r\n\r\n"])
def test_damaged_chunks_are_refused(idle: Service, chunk: bytes) -> None:
    with idle.connect() as sock:
        sock.sendall(b"POST /auth HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        sock.shutdown(socket.SHUT_WR)
        said = to_the_end(sock)
    assert said.startswith(b"HTTP/1.1 400"), said


def test_a_head_has_at_most_64_kib(idle: Service) -> None:
    with idle.connect() as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Long: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            sock.sendall(b"x" * 1_000_000)
    assert idle("GET", "/_ping").body == b"OK"


JUNK = (b"\r\n\r\n\r\n\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@pytest.mark.parametrize("junk", JUNK)
def test_what_is_no_http_ends_its_connection_alone(idle: Service, junk: bytes) -> None:
    with idle.connect() as sock:
        sock.sendall(junk)
        sock.shutdown(socket.SHUT_WR)
        assert b"200" not in to_the_end(sock).split(b"\r\n")[0]
    assert idle("GET", "/_ping").body == b"OK"


def test_a_body_that_breaks_off_is_an_error_and_nothing_is_done(idle: Service) -> None:
    with idle.connect() as sock:
        sock.sendall(b'POST /auth HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"user')
        sock.shutdown(socket.SHUT_WR)
        assert b"unexpected EOF" in to_the_end(sock)


def test_a_client_that_waits_for_100_continue_gets_it(idle: Service) -> None:
    body = b'{"username": 3}'
    with idle.connect() as sock:
        sock.sendall(
            b"POST /auth HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        assert read_answer(sock)[0].startswith(b"HTTP/1.1 100")
        sock.sendall(body)
        said = to_the_end_of_answer(sock)
    assert b"username is a number" in said


def to_the_end_of_answer(sock: socket.socket) -> bytes:
    found = b""
    while b"}" not in found:
        data = sock.recv(4096)
        assert data, found
        found += data
    return found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "invalid JSON"),
        (b"[]", "has to be an object"),
        (b"7", "has to be an object"),
        (b'{"username": {}}', "has to be a string"),
        (b'{"username": "a\\u0000b"}', "NUL"),
        (b'{"username": "\\ud800"}', "surrogate"),
        (b"[" * 200_000, "invalid JSON"),
        (b'{"a": NaN}', "NaN"),
        (b"\xff\xfe", "invalid JSON"),
    ],
)
def test_bad_bodies_are_named(idle: Service, body: bytes, words: str) -> None:
    answer = idle("POST", "/auth", body, headers={"Content-Type": "application/json"}, status=400)
    assert words in answer.message


def test_bodies_of_another_type_are_refused(idle: Service) -> None:
    answer = idle("POST", "/auth", b"{}", headers={"Content-Type": "text/plain"}, status=400)
    assert "must be 'application/json'" in answer.message


@pytest.mark.parametrize("path", ["/system/df?type=%ff", "/system/df?type=%00", "/events?filters=%7B&until=1", "/events?filters=7&until=1",
                                  '/events?filters={"nothing":["x"]}&until=1', "/events?since=junk&until=1",
                                  '/events?filters={"type":["nonsense"]}&until=1'])  # fmt: skip
def test_bad_queries_are_400(idle: Service, path: str) -> None:
    assert idle("GET", path.replace('"', "%22"), status=400).message
