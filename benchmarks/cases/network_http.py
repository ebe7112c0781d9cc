"""HTTP by a published port: nginx in a container, wrk on the host; 1,000 requests over 32 connections.

Once with connections that are kept, once with one for each request. nginx is the host's program in the container's network,
as one process. Beside Podman's bridge, slirp4netns and pasta for each container, and nginx on the host itself.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.places import PORT, Place, by_uplink, engines, free_port, host_address, on_one_network
from benchmarks.world import World

ROUNDS = 5
_SECONDS = 2
_WAYS = {"connections kept": (), "a connection each": ("-H", "Connection: close")}
_CONFIGURATION = """\
user root root; daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 2000; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {directory}/1; proxy_temp_path {directory}/2; fastcgi_temp_path {directory}/3;
    uwsgi_temp_path {directory}/4; scgi_temp_path {directory}/5;
    server {{ listen 0.0.0.0:{port}; location / {{ return 200 "hello\\n"; }} }}
}}
"""


def measure(world: World) -> list[Row]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    nginx, wrk = shutil.which("nginx", path=path), shutil.which("wrk", path=path)
    if not nginx or not wrk:
        raise RuntimeError("nginx or wrk is not installed")
    address = host_address()
    servers: dict[str, int] = {}
    with ExitStack() as stack:
        for engine in engines(world):
            servers[engine.name] = free_port()
            one, _ = stack.enter_context(on_one_network(engine, "-p", f"{servers[engine.name]}:{PORT}"))
            stack.enter_context(_nginx(nginx, one, PORT))
        for uplink in ("slirp4netns", "pasta"):
            port = free_port()
            if container := stack.enter_context(by_uplink(engines(world)[0], uplink, port)):
                servers[uplink] = port
                stack.enter_context(_nginx(nginx, container, PORT))
        servers["host"] = free_port()
        stack.enter_context(_nginx(nginx, Place(0, address), servers["host"]))
        return _rows(wrk, address, servers)


def _rows(wrk: str, address: str, servers: dict[str, int]) -> list[Row]:
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for way, options in _WAYS.items():
            for peer, port in servers.items():
                url = f"http://{address}:{port}/"
                words = [wrk, "-t", "1", "-c", "32", "-d", f"{_SECONDS}s", *options, url]
                told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                found = re.search(r"Requests/sec:\s+([0-9.]+)", told)
                if not found or not float(found[1]) or "Socket errors" in told:
                    raise RuntimeError(f"{peer}: {told}")
                times.setdefault((way, peer), []).append(1_000_000 / float(found[1]))
    rows = []
    for (way, peer), theirs in times.items():
        ours = times[way, "rootless"]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        middle = statistics.median(ours), statistics.median(theirs)
        if peer != "rootless":
            rows.append(Row(f"HTTP by a published port: 1,000 requests, {way}", peer, "ms", *middle, ratio, None, ROUNDS))
    return rows


@contextmanager
def _nginx(program: str, place: Place, port: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        configuration = Path(name, "nginx.conf")
        configuration.write_text(_CONFIGURATION.format(directory=name, port=port))
        words = [program, "-e", f"{name}/error.log", "-p", name, "-c", str(configuration)]
        pid = place.spawn(lambda: os.execv(program, words))
        try:
            _wait_for(place, port)
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _wait_for(place: Place, port: int) -> None:
    def connect() -> None:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((place.address, port)).close()
                return
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    if os.waitpid(place.spawn(connect), 0)[1]:
        raise RuntimeError("nginx does not start")
