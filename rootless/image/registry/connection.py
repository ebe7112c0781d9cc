"""How a host is reached: TLS trust, client certificates, proxies and plain http.

Trust is the system's (SSL_CERT_FILE and SSL_CERT_DIR honoured by OpenSSL) plus, per
registry, the certs.d directories of podman and docker (containers-certs.d(5)). Knows urllib3,
nothing of registries' protocol. One pool per host; not to be shared over a fork.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl

import urllib3
from urllib3.util import Url, make_headers, parse_url

from rootless import __version__, paths
from rootless.errors import InvalidInput, NotSupported

CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 60.0
_PROBE_TIMEOUT_S = 5.0
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL calls an answer that is none of TLS; which one depends on its version."""
USER_AGENT = f"rootless/{__version__}"


def is_loopback(host: str) -> bool:
    """Whether `host` (no port) is this machine: what Docker, too, talks plain http to."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def tls_context(host: str, *, verify: bool = True) -> ssl.SSLContext:
    """The context for `host` (with port where it has one), with its certs.d material loaded.

    Raises InvalidInput naming a file that is no proper certificate or key.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for directory in _certs_directories(host):
        _load_certs(context, directory)
    return context


def speaks_tls(url: Url) -> bool:
    """Whether TLS is answered there; True where that cannot be told.

    Nothing is sent and nobody trusted: it spares the system's certificates, 20 ms of reading, where there is no TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    address = ((url.host or "").strip("[]"), url.port or 443)
    try:
        with (
            socket.create_connection(address, timeout=_PROBE_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=url.host),
        ):
            return True
    except ssl.SSLError as error:
        return error.reason not in _NO_TLS
    except (OSError, ValueError):
        return True


def needs_tls(url: Url) -> bool:
    """Whether on the way there anybody may be spoken TLS with: there, or a proxy."""
    return url.scheme == "https" or _proxy_for(url) is not None


def reason(error: Exception) -> str:
    """Why there is no connection, in the kernel's or the resolver's words: without classes, addresses and numbers."""
    text = str(getattr(error, "reason", None) or getattr(error, "original_error", None) or error)
    if "[Errno" in text:
        words = text.rpartition("] ")[2]
        words = words if "(" in words else words.rstrip(")'\"")
    else:
        words = text.rpartition(": ")[2]
    return words[:200].lower() or type(error).__name__


def open_pool(url: Url, context: ssl.SSLContext | None) -> tuple[urllib3.PoolManager, dict[str, str]]:
    """A pool that goes straight or through the environment's proxy, and headers for a plain-http proxy.

    `context` may be None where TLS is not needed.
    """
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
    proxy = _proxy_for(url)
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context, timeout=timeout, retries=False), {}
    address = parse_url(proxy if "://" in proxy else "http://" + proxy)
    if address.scheme not in ("http", "https"):
        raise NotSupported(
            f"proxies of type {address.scheme} are not supported", hint="use an http or https proxy"
        )
    proxy_headers = make_headers(proxy_basic_auth=address.auth) if address.auth else {}
    bare = Url(address.scheme, None, address.host, address.port).url
    manager = urllib3.ProxyManager(
        bare, proxy_headers=proxy_headers, ssl_context=context, timeout=timeout, retries=False
    )
    return manager, dict(proxy_headers) if url.scheme == "http" else {}


def _certs_directories(host: str) -> list[str]:
    bases = [
        os.path.join(paths.config_home(), "containers/certs.d"),
        "/etc/containers/certs.d",
        "/etc/docker/certs.d",
    ]
    return [os.path.join(base, host) for base in bases]


def _load_certs(context: ssl.SSLContext, directory: str) -> None:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            if name.endswith(".crt"):
                context.load_verify_locations(cafile=path)
            elif name.endswith(".cert"):
                context.load_cert_chain(path, path.removesuffix(".cert") + ".key", password="")
        except (ssl.SSLError, OSError) as error:
            raise InvalidInput(
                f"{path}: no proper certificate or key: {error.strerror or error}",
                hint="a CA is NAME.crt, a client's pair NAME.cert and NAME.key, all in PEM",
            ) from None


def _proxy_for(url: Url) -> str | None:
    host = (url.host or "").strip("[]")
    if is_loopback(host):
        return None
    if url.scheme == "https":
        names = ["https_proxy", "HTTPS_PROXY"]
    else:
        # A CGI program's HTTP_PROXY is a header of its client's.
        names = ["http_proxy"] + ([] if "REQUEST_METHOD" in os.environ else ["HTTP_PROXY"])
    names += ["all_proxy", "ALL_PROXY"]
    proxy = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if proxy is None:
        return None
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return None if _is_excepted(host, url.port, exceptions) else proxy


def _is_excepted(host: str, port: int | None, exceptions: str) -> bool:
    """NO_PROXY as Go's httpproxy reads it: names with their subdomains, addresses, CIDR, `*`, ports."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for word in exceptions.replace(",", " ").split():
        entry = word.lower()
        if entry == "*":
            return True
        if address is not None:
            try:
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                pass
        if entry.count(":") == 1:
            entry, _, entry_port = entry.partition(":")
            if entry_port != str(port or ""):
                continue
        name = entry.removeprefix("*").removeprefix(".")
        if name and (host.lower() == name or host.lower().endswith("." + name)):
            return True
    return False
