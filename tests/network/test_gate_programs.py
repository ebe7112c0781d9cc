"""The gate under programs that connect in their own ways."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess

import pytest

from tests.need import need, need_program
from tests.network.internet import Internet, in_internet, received
from tests.network.internet_links import OUTSIDE

need_program("ip")
need_program("tc")


def test_a_program_that_watches_its_socket_before_it_connects() -> None:
    """asyncio registers with epoll first; a socket that was replaced in connect(2) would never be ready."""

    def test(internet: Internet) -> None:
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[0])
        number = server.getsockname()[1]

        async def one(index: int) -> bytes:
            reader, writer = await asyncio.open_connection(OUTSIDE[0], number)
            writer.write(b"%3d" % index)
            answer = await reader.read()
            writer.close()
            return answer

        async def hundred() -> list[bytes]:
            return await asyncio.wait_for(asyncio.gather(*map(one, range(100))), 20)

        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                served, _ = server.accept()
                served.sendall(received(served, 3) * 2)
                served.close()
            os._exit(0)
        with internet.inside("one"):
            answers = asyncio.run(hundred())
        assert answers == [b"%3d" % index * 2 for index in range(100)]
        os.waitpid(pid, 0)

    in_internet(test)


def test_curl() -> None:
    need_program("curl")

    def test(internet: Internet) -> None:
        internet.set_up()

        def serve() -> None:
            from http.server import HTTPServer, SimpleHTTPRequestHandler

            os.chdir("/etc")
            HTTPServer((OUTSIDE[0], 8000), SimpleHTTPRequestHandler).serve_forever()

        internet.serve("outside", serve)
        address = f"http://{OUTSIDE[0]}:8000/passwd"
        with internet.inside("one"):
            words = [
                "curl",
                "-sS",
                "--retry",
                "20",
                "--retry-connrefused",
                "--retry-delay",
                "1",
                address,
                address,
            ]
            done = subprocess.run(words, capture_output=True, timeout=20, check=True)
        with open("/etc/passwd", "rb") as file:
            assert done.stdout == file.read() * 2

    in_internet(test)


@pytest.mark.parametrize("kind", ["TCP_FASTOPEN", "TCP_FASTOPEN_CONNECT", "MPTCP"])
def test_other_ways_to_connect(kind: str) -> None:
    def test(internet: Internet) -> bool:
        internet.set_up()
        server = internet.listen("outside", OUTSIDE[0])
        where = server.getsockname()
        with internet.inside("one"):
            with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as file:
                file.write("0x5")  # data in the SYN without a cookie
            try:
                client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262 if kind == "MPTCP" else 0)
            except OSError:
                return False
        client.settimeout(20)
        if kind == "TCP_FASTOPEN":
            client.sendto(b"question", socket.MSG_FASTOPEN, where)
        else:
            if kind == "TCP_FASTOPEN_CONNECT":
                client.setsockopt(socket.IPPROTO_TCP, 30, 1)
            client.connect(where)
            client.sendall(b"question")
        served, _ = server.accept()
        assert received(served, 8) == b"question"
        served.sendall(b"answer")
        served.close()
        assert received(client) == b"answer"
        return True

    need(in_internet(test), "the kernel has no MPTCP")
