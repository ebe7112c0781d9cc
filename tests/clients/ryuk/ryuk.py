"""Stands in for testcontainers/ryuk, an image that no registry of packages has: its protocol, and its eight calls in its order.

Clients connect and name labels, a line each, which is answered by ACK. Once the last has gone, and a time with it, everything
that has such a label is removed through the socket that is mounted into the container.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import urllib.parse
from typing import Any

SOCKET = "/var/run/docker.sock"


class Connection(http.client.HTTPConnection):
    """To the API."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def call(method: str, path: str, **query: str) -> Any:
    """One request; what JSON came back. An error ends all."""
    connection = Connection("localhost")
    connection.request(method, f"{path}?{urllib.parse.urlencode(query)}")
    answer = connection.getresponse()
    body = answer.read()
    print(method, path, answer.status, flush=True)
    if answer.status >= 400 and answer.status != 404:
        raise SystemExit(f"{method} {path}: {answer.status} {body!r}")
    return json.loads(body) if method == "GET" else None


def prune(label: str) -> None:
    """Remove what has `label`."""
    filters = json.dumps({"label": {label: True}})
    for found in call("GET", "/containers/json", all="1", filters=filters):
        if found["Id"].startswith(socket.gethostname()):
            continue  # itself: Node's client gives it the label, too
        call("DELETE", f"/containers/{found['Id']}", force="1", v="1")
    for found in call("GET", "/networks", filters=filters):
        call("DELETE", f"/networks/{found['Id']}")
    for found in call("GET", "/volumes", filters=filters)["Volumes"]:
        call("DELETE", f"/volumes/{found['Name']}", force="1")
    for found in call("GET", "/images/json", filters=filters):
        call("DELETE", f"/images/{found['Id']}", force="1")


class Clients:
    """Those that are connected, and the labels that they have named."""

    def __init__(self) -> None:
        self.labels: set[str] = set()
        self.connected = self.seen = 0
        self.changed = threading.Condition()

    def accept(self, listening: socket.socket) -> None:
        """Serve each in a thread, for ever."""
        while True:
            client, _ = listening.accept()
            with self.changed:
                self.connected += 1
                self.seen += 1
                self.changed.notify()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Take labels until it goes, and be it by a reset."""
        try:
            with client, client.makefile("rw") as lines:
                for line in lines:
                    self.labels.add(urllib.parse.unquote(line.strip()).removeprefix("label="))
                    lines.write("ACK\n")
                    lines.flush()
        except ConnectionError:
            pass
        finally:
            with self.changed:
                self.connected -= 1
                self.changed.notify()

    def wait_until_gone(self, seconds: float) -> None:
        """Until all have been away for `seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: self.seen)
            while True:
                self.changed.wait_for(lambda: not self.connected)
                if not self.changed.wait_for(lambda: self.connected, seconds):
                    return


clients = Clients()
listening = socket.create_server(("", 8080))
threading.Thread(target=clients.accept, args=(listening,), daemon=True).start()
print("2026/01/01 00:00:00 Started!", flush=True)
clients.wait_until_gone(float(os.environ.get("RYUK_RECONNECTION_TIMEOUT", "10s").removesuffix("s")))
for each in sorted(clients.labels):
    prune(each)
