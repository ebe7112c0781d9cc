"""livenessProbe as a health check: a command that is executed in the container."""

from __future__ import annotations

import shlex

from rootless.kube.load.model import Probe
from rootless.kube.load.node import Node

_SECONDS = 1 << 20


def probe(container: Node) -> Probe | None:
    """The probe of the container; None where it has none. InvalidInput."""
    node = container.node("livenessProbe")
    if node is None:
        return None
    tests = []
    action = node.node("exec")
    if action is not None:
        words = action.texts("command")
        action.close()
        if not words:
            raise node.error("exec", "command is required")
        tests.append(("CMD", *words))
    http = node.node("httpGet")
    if http is not None:
        tests.append(("CMD-SHELL", _http(http)))
    tcp = node.node("tcpSocket")
    if tcp is not None:
        tests.append(("CMD-SHELL", _tcp(tcp)))
    if len(tests) != 1:
        raise container.error("livenessProbe", "one of exec, httpGet and tcpSocket is wanted")
    found = Probe(
        tests[0],
        node.number("initialDelaySeconds", 0, _SECONDS) or 0,
        node.number("periodSeconds", 1, _SECONDS) or 10,
        node.number("timeoutSeconds", 1, _SECONDS) or 1,
        node.number("failureThreshold", 1, 1000) or 3,
    )
    node.number("successThreshold", 1, 1)
    node.close()
    return found


def _port(node: Node) -> int:
    word = node.scalar("port")
    if not (word.isascii() and word.isdigit() and 0 < int(word[:6]) < 65536):
        raise node.error("port", f"{word!r} is no number of a port")
    return int(word)


def _http(node: Node) -> str:
    """With curl, or with wget, whichever the image has; a certificate is nobody's to check."""
    scheme = (node.text("scheme", "HTTP", "HTTPS") or "HTTP").lower()
    host, path = node.text("host") or "localhost", node.text("path") or "/"
    if any(not letter.isprintable() or letter in " /" for letter in host) or any(not letter.isprintable() for letter in path):
        raise node.error("host", "host or path has letters that no address has")
    url = shlex.quote(f"{scheme}://{host}:{_port(node)}{path if path.startswith('/') else '/' + path}")
    node.close()
    return (
        f"if command -v curl >/dev/null; then curl -fsSk -o /dev/null {url}; "
        f"else wget -q {'--no-check-certificate ' * (scheme == 'https')}-O /dev/null {url}; fi || exit 1"
    )


def _tcp(node: Node) -> str:
    host = node.text("host") or "localhost"
    if not all(letter.isalnum() or letter in "-._:" for letter in host) or host.startswith("-"):
        raise node.error("host", f"{host!r} is no host")
    port = _port(node)
    node.close()
    return f"if command -v nc >/dev/null; then nc -z {host} {port}; else bash -c ': </dev/tcp/{host}/{port}'; fi || exit 1"
