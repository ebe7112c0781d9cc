"""A DNS server of the tests, as a forked process: answers by dnspython, over UDP and TCP."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
from collections.abc import Callable

import dns.message
import dns.rrset

Handler = Callable[[dns.message.Message, int], "bytes | list[bytes] | None"]


def answer(query: dns.message.Message, *records: str) -> bytes:
    """To the query, with these records ("A 192.0.2.1") of its name."""
    made = dns.message.make_response(query)
    for record in records:
        kind, data = record.split(" ", 1)
        made.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, data))
    return made.to_wire(max_size=65535)


class Upstream:
    """handler(query, port of the client) returns the answer's bytes, several datagrams, or None for silence."""

    def __init__(self, handler: Handler, address: str = "127.0.0.53", port: int = 53) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind((address, port))
        tcp = socket.create_server((address, port), family=family)
        self.pid = os.fork()
        if self.pid == 0:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            try:
                self._serve(udp, tcp, handler)
            finally:
                os._exit(1)
        udp.close()
        tcp.close()

    @staticmethod
    def _serve(udp: socket.socket, tcp: socket.socket, handler: Handler) -> None:
        silent = []
        while True:
            for ready in select.select([udp, tcp], [], [])[0]:
                if ready is udp:
                    message, where = udp.recvfrom(65535)
                    made = handler(dns.message.from_wire(message), where[1])
                    for each in [made] if isinstance(made, bytes) else made or []:
                        udp.sendto(each, where)
                    continue
                connection, where = tcp.accept()
                with connection.makefile("rb") as stream:
                    message = stream.read(int.from_bytes(stream.read(2), "big"))
                made = handler(dns.message.from_wire(message), where[1])
                if not isinstance(made, bytes):
                    silent.append(connection)
                else:
                    connection.sendall(len(made).to_bytes(2, "big") + made)
                    connection.close()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
