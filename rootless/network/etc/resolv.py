"""A container's /etc/resolv.conf, from the host's and from --dns, --dns-search, --dns-option.

Pure text in, text out (`host_text` reads the host's). Never falls back to a public server:
that would leak names and break split DNS. resolv.conf(5). Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST_PATH = "/etc/resolv.conf"
MAX_TEXT_BYTES = 1 << 16


def read_host(path: str = HOST_PATH) -> str:
    """The host's resolv.conf, "" where there is none or it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_TEXT_BYTES)
    except OSError:
        return ""


def resolv_conf(
    mode: str,
    *,
    host_text: str,
    dns: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    forwarder: str | None = None,
    resolver: str | None = None,
    has_names: bool = True,
) -> str:
    """The text of /etc/resolv.conf for a container with network `mode`.

    mode: "host" (the host's file as it stands, unless something was asked for), "none",
    "bridge", "slirp4netns" or a network's name. forwarder: the address of slirp's own resolver (10.0.2.3, from the data
    that slirp.start returned or slirp.Options.addresses()), which asks the host's first server
    from the host's side: so 127.0.0.53, VPNs and split DNS work. The host's other servers that
    are no loopback address follow, so that one dead server is no dead network.
    resolver: the address of netd's own resolver for a container on networks, the only server then: it asks those of
    `dns`, or the host's. What has no dot is a container's name first (ndots:0), unless host or user say otherwise, and
    unless there are no such names (`has_names`), on the default network.
    As Docker, `--dns-search .` means: no search list.
    """
    if mode == "host" and not (dns or search or options):
        return host_text
    for name, words in (("--dns-search", search), ("--dns-option", options)):
        for word in words:
            check_line(word, name)
    host_servers, host_search, host_options = _parse(host_text)
    lines = []
    if resolver:
        servers = [resolver]
        for text in dns:
            _address(text)
    elif dns:
        servers = [_address(text) for text in dns]
    elif mode == "host":
        servers = host_servers
    else:
        servers = [server for server in host_servers if not _is_loopback(server)]
        if forwarder:
            first = next((server for server in host_servers if ":" not in server), None)
            servers = [forwarder, *(server for server in servers if server != first)]
    domains = list(search) if search else host_search
    if domains and domains != ["."]:
        lines.append("search " + " ".join(domains))
    lines += [f"nameserver {server}" for server in servers]
    wanted_options = list(options) if options else host_options
    if resolver and has_names and not any(option.partition(":")[0] == "ndots" for option in wanted_options):
        wanted_options = [*wanted_options, "ndots:0"]
    if wanted_options:
        lines.append("options " + " ".join(wanted_options))
    return "".join(f"{line}\n" for line in lines)


def check_line(word: str, name: str) -> None:
    """Raise InvalidInput for a word that would be lines of their own, in the file that the option `name` gives it a place in."""
    if not word.isprintable():
        raise InvalidInput(f'invalid argument "{word}" for "{name}" flag: it has control characters')


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    """nameservers, search list, options; the last `search` or `domain` line wins (resolv.conf(5))."""
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        values = words[1:]
        if words[0] == "nameserver" and values:
            servers.append(values[0])
        elif words[0] in ("search", "domain"):
            search = values
        elif words[0] == "options":
            options += values
    return servers, search, options


def _is_loopback(server: str) -> bool:
    # fe80::...%eth0 names an interface of the host: as unreachable from inside as a loopback one.
    return server.startswith("127.") or server in ("::1", "0.0.0.0", "::") or "%" in server


def _address(text: str) -> str:
    from rootless.linux import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, ValueError):
            continue
    raise InvalidInput(f"{text} is not an ip address", hint="--dns takes IPv4 or IPv6 addresses")


def visible_to_sandbox(path: str = HOST_PATH) -> bool:
    """Whether slirp4netns's sandbox, which holds /etc and /run only, can read the host's file.

    WSL and NixOS may link it elsewhere; then slirp's resolver finds no server.
    """
    return os.path.realpath(path).startswith(("/etc/", "/run/"))
