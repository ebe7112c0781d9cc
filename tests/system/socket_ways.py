"""Ways in which programs connect, tried from inside a container: `socket_ways.py serve`, or `socket_ways.py ADDRESS...`

Each is against port 7 of the address, which tells who has connected and sends back what comes. Says "ADDRESS WAY" for each that
works, and how another failed. A program by itself: Python 3.11 is all that it needs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import socketserver
import struct
import sys
import threading
import traceback
from collections.abc import Callable

PORT, NOBODY = 7, 9
WAIT_S = 20
WAYS: dict[str, Callable[[str], None]] = {}


def way(function: Callable[[str], None]) -> Callable[[str], None]:
    WAYS[function.__name__] = function
    return function


def made(address: str, protocol: int = 0) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, protocol)
    connection.settimeout(WAIT_S)
    return connection


def all_of(connection: socket.socket) -> bytes:
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def use(connection: socket.socket, words: bytes = b"hello") -> None:
    """What is sent comes back, with the first line before it, and then the end."""
    connection.setblocking(True)
    connection.settimeout(WAIT_S)
    connection.sendall(words)
    connection.shutdown(socket.SHUT_WR)
    told, _, rest = all_of(connection).partition(b"\n")
    assert told, "nobody told who it was"
    assert rest == words, rest[:100]
    connection.close()


def start(connection: socket.socket, address: str, port: int = PORT) -> None:
    connection.setblocking(False)
    assert connection.connect_ex((address, port)) == errno.EINPROGRESS


def events_of(poll: select.epoll, wanted: int) -> int:
    """The events of the one descriptor, together, until all of the wanted ones were there."""
    seen = 0
    while seen & wanted != wanted:
        ready = poll.poll(WAIT_S)
        assert ready, f"epoll says {seen:#x} only"
        for _, events in ready:
            seen |= events
    return seen


def child(work: Callable[[], None]) -> int:
    if (pid := os.fork()) == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def end_of(pid: int) -> None:
    assert os.waitpid(pid, 0)[1] == 0, "the other process failed"


@way
def epoll_edges_before_connect(address: str) -> None:
    """As Go, libuv and tokio do."""
    connection, poll = made(address), select.epoll()
    poll.register(connection, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
    start(connection, address)
    events_of(poll, select.EPOLLOUT | select.EPOLLIN)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert connection.getpeername()[0] == address
    assert connection.recv(100).endswith(b"\n")
    connection.send(b"x")
    events_of(poll, select.EPOLLIN)
    assert connection.recv(100) == b"x"
    connection.shutdown(socket.SHUT_WR)
    events_of(poll, select.EPOLLRDHUP)
    assert connection.recv(100) == b""


@way
def epoll_of_a_refusal(address: str) -> None:
    connection, poll = made(address), select.epoll()
    poll.register(connection, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    start(connection, address, NOBODY)
    events_of(poll, select.EPOLLERR | select.EPOLLHUP)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


@way
def dup(address: str) -> None:
    """Of which one is watched, and the other one connects and is closed."""
    connection, poll = made(address), select.epoll()
    copy = connection.dup()
    poll.register(copy, select.EPOLLOUT | select.EPOLLET)
    start(connection, address)
    connection.close()
    events_of(poll, select.EPOLLOUT)
    use(copy)


@way
def a_child_connects(address: str) -> None:
    connection = made(address)
    end_of(child(lambda: connection.connect((address, PORT))))
    use(connection)


@way
def scm_rights(address: str) -> None:
    """Another process is given the socket, and connects; the connection is then given back as one more descriptor."""
    connection = made(address)
    connection.setblocking(True)
    ours, theirs = socket.socketpair()

    def other() -> None:
        connection.close()
        _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
        socket.socket(fileno=os.dup(fd)).connect((address, PORT))
        socket.send_fds(theirs, [b"x"], [fd])

    pid = child(other)
    socket.send_fds(ours, [b"x"], [connection.fileno()])
    theirs.close()
    _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
    connection.close()
    end_of(pid)
    use(socket.socket(fileno=fd))


@way
def fast_open(address: str) -> None:
    first, second = made(address), made(address)
    first.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    first.connect((address, PORT))
    second.setblocking(True)
    second.sendto(b"he", socket.MSG_FASTOPEN, (address, PORT))
    use(first)
    second.sendall(b"llo")
    second.shutdown(socket.SHUT_WR)
    assert all_of(second).endswith(b"hello")


@way
def mptcp(address: str) -> None:
    try:
        connection = made(address, 262)
    except OSError as error:
        if error.errno not in (errno.EPROTONOSUPPORT, errno.EINVAL):
            raise
        return  # a kernel without it
    connection.connect((address, PORT))
    use(connection)


@way
def bind_before_connect(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        own = probe.getsockname()[0]
    connection = made(address)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    connection.bind((own, 0))
    port = connection.getsockname()[1]
    connection.connect((address, PORT))
    assert connection.getsockname()[:2] == (own, port)
    use(connection)
    late = made(address)
    late.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    late.bind((own, 0))
    late.connect((address, PORT))
    use(late)


@way
def a_socket_of_both_families(address: str) -> None:
    connection = made("::")
    connection.connect((address if ":" in address else f"::ffff:{address}", PORT))
    use(connection)


@way
def disconnect_and_connect_again(address: str) -> None:
    connection = made(address)
    connection.connect((address, PORT))
    nothing = struct.pack("=H14x", socket.AF_UNSPEC)
    assert ctypes.CDLL(None).connect(connection.fileno(), nothing, len(nothing)) == 0
    connection.connect((address, PORT))
    use(connection)


@way
def options_before_connect(address: str) -> None:
    connection = made(address)
    for level, name, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20000), (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),
        (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500),
    ):  # fmt: skip
        connection.setsockopt(level, name, value)
    connection.connect((address, PORT))
    use(connection, bytes(200_000))


@way
def much_after_the_other_end_was_told_the_end(address: str) -> None:
    """Both directions at once, with a file sent by the kernel; then one is closed and the other one goes on."""
    words = os.urandom(3_000_000)
    connection = made(address)
    connection.connect((address, PORT))
    with open("/tmp/much", "wb") as file:
        file.write(words)

    def send() -> None:
        with open("/tmp/much", "rb") as file:
            connection.sendfile(file)
        connection.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send)
    sending.start()
    assert all_of(connection).partition(b"\n")[2] == words
    sending.join()


@way
def two_hundred_at_once(address: str) -> None:
    poll = select.epoll()
    waiting = {}
    for _ in range(200):
        connection = made(address)
        poll.register(connection, select.EPOLLOUT)
        connection.setblocking(False)
        assert connection.connect_ex((address, PORT)) in (0, errno.EINPROGRESS)
        waiting[connection.fileno()] = connection
    done = []
    while waiting:
        ready = poll.poll(WAIT_S)
        assert ready, f"{len(waiting)} of them are nowhere"
        for fd, _ in ready:
            poll.unregister(fd)
            done.append(waiting.pop(fd))
    for number, connection in enumerate(done):
        use(connection, b"%d" % number)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(f"{self.client_address[0]}\n".encode())
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    request_queue_size = 256


def main() -> int:
    if sys.argv[1:] == ["serve"]:
        Server(("::", PORT), Echo).serve_forever()
    for address in sys.argv[1:]:
        for name, function in WAYS.items():
            try:
                function(address)
            except (OSError, AssertionError):
                traceback.print_exc()
                print(address, name, "FAILED")
            else:
                print(address, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
