"""What the internet of tests/harness/own_host.py serves: names, files, who asked. `python -m tests.harness.internet_servers [DIRECTORY]`

DNS   on port 53: far.example and its other types; all else of `example` does not exist
HTTP  on port 80: /who is the client's address, /echo what was posted, /size/N is N bytes; else a file of DIRECTORY
TCP   on port 7: tells who has connected, and sends back what comes, until the end of that
UDP   on port 7: sends back who has sent
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import dns.message
import dns.rcode

from tests.harness.own_host import FAR, INTERNET
from tests.network.dns_upstream import Upstream, answer
from tests.system.socket_ways import Echo

RECORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "far.example.": {"A": (FAR[0],), "AAAA": (FAR[1],), "MX": ("10 far.example.",), "TXT": ('"far"',)},
    "long.example.": {"TXT": tuple(f'"{"x" * 200}{number}"' for number in range(30))},
}


def resolve(query: dns.message.Message, _: int) -> bytes:
    asked = query.question[0]
    found = RECORDS.get(asked.name.to_text().lower())
    if found is None:
        made = dns.message.make_response(query)
        made.set_rcode(dns.rcode.NXDOMAIN)
        return made.to_wire()
    kind = dns.rdatatype.to_text(asked.rdtype)
    return answer(query, *(f"{kind} {each}" for each in found.get(kind, ())))


class Web(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/who":
            self._say(self.client_address[0].encode() + b"\n")
        elif self.path.startswith("/size/"):
            self._say(bytes(int(self.path[6:])))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is nobody's to read."""


class Web6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 256


class EchoServer6(EchoServer):
    address_family = socket.AF_INET6


def echo_udp(address: str) -> None:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 7))
    while True:
        _, peer = made.recvfrom(65536)
        made.sendto(f"{peer[0]}\n".encode(), peer)


def main() -> None:
    directory = sys.argv[1] if len(sys.argv) > 1 else "/nonexistent"

    def web(request: socket.socket, address: tuple[str, int], server: ThreadingHTTPServer) -> Web:
        return Web(request, address, server, directory=directory)

    Upstream(resolve, INTERNET[0])
    Upstream(resolve, FAR[0])
    servers = [
        ThreadingHTTPServer((FAR[0], 80), web), Web6((FAR[1], 80), web),
        EchoServer((FAR[0], 7), Echo), EchoServer6((FAR[1], 7), Echo),
    ]  # fmt: skip
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for address in FAR:
        threading.Thread(target=echo_udp, args=(address,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
