"""What `bootstrap` knows about Debian and its relatives: suites, mirrors, keys.

Pure knowledge plus a look at the host's own apt sources; fetches nothing.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from typing import NamedTuple

from rootless.errors import InvalidInput, NotFound
from rootless.image.platforms import Platform, debian_architecture

# Suites by what people also call them. Unknown words are passed on as suites: new releases come.
_VERSIONS = {
    "debian": {
        "10": "buster",
        "11": "bullseye",
        "12": "bookworm",
        "13": "trixie",
        "14": "forky",
        "latest": "stable",
    },
    "ubuntu": {
        "20.04": "focal",
        "22.04": "jammy",
        "24.04": "noble",
        "25.10": "questing",
        "26.04": "resolute",
        "latest": "noble",
    },
    "devuan": {"4": "chimaera", "5": "daedalus", "6": "excalibur", "latest": "stable"},
}
_ROLLING = ("sid", "unstable", "experimental", "rc-buggy", "ceres", "devel")
_UBUNTU_MAIN_PORTS = ("amd64", "i386")


class Distribution(NamedTuple):
    """One way to bootstrap: `sources` are lines of sources.list."""

    name: str
    suite: str
    tag: str
    mirror: str
    sources: tuple[str, ...]
    keyrings: tuple[str, ...]
    keyring_package: str


def parse_name(text: str) -> tuple[str, str, str]:
    """(distribution, suite, tag) of `debian:bookworm`, `ubuntu:24.04`, `devuan`. InvalidInput otherwise."""
    name, _, tag = text.partition(":")
    tag = tag or "latest"
    if name not in _VERSIONS:
        raise InvalidInput(
            f"cannot bootstrap {text!r}",
            hint="one of debian:SUITE, ubuntu:SUITE, devuan:SUITE or busybox; `rootless import` takes any tarball",
        )
    if not all(character.isalnum() or character in ".-" for character in tag) or tag[0] in ".-":
        raise InvalidInput(f"{tag!r} is no name of a release", hint=f"for example {name}:{_example(name)}")
    suite = tag.removesuffix("-slim")
    return name, _VERSIONS[name].get(suite, suite), tag


def describe(text: str, platform: Platform, *, mirror: str | None, components: str | None) -> Distribution:
    """Where and how to get `text` for `platform`; the host's own mirrors where it has any.

    An explicit `mirror` is used alone, without updates and security, as debootstrap would.
    """
    name, suite, tag = parse_name(text)
    wanted = (components or _components(name)).replace(",", " ")
    architecture = debian_architecture(platform)
    base = mirror or _host_mirror(name, architecture) or _default_mirror(name, architecture)
    lines = [f"deb {base} {suite} {wanted}"]
    if mirror is None and suite not in _ROLLING:
        if name == "debian":
            security = _host_security_mirror()
            lines.append(f"deb {base} {suite}-updates {wanted}")
            if security:
                lines.append(f"deb {security} {suite}-security {wanted}")
        elif name == "ubuntu":
            security = base if "ports" in base else "http://security.ubuntu.com/ubuntu"
            lines.append(f"deb {base} {suite}-updates {wanted}")
            lines.append(f"deb {security} {suite}-security {wanted}")
        else:
            lines += [f"deb {base} {suite}-updates {wanted}", f"deb {base} {suite}-security {wanted}"]
    patterns = {
        "debian": "debian-archive-*",
        "ubuntu": "ubuntu-archive-*",
        "devuan": "devuan-*",
    }
    keyrings = sorted(
        path
        for directory in ("/usr/share/keyrings", "/etc/apt/trusted.gpg.d")
        for path in glob.glob(f"{directory}/{patterns[name]}")
        if path.endswith((".gpg", ".asc", ".pgp")) and "removed" not in path
    )
    package = {
        "debian": "debian-archive-keyring",
        "ubuntu": "ubuntu-keyring",
        "devuan": "devuan-keyring",
    }[name]
    return Distribution(name, suite, tag, base, tuple(lines), tuple(keyrings), package)


def _example(name: str) -> str:
    return {"debian": "bookworm", "ubuntu": "noble", "devuan": "daedalus"}[name]


def _components(name: str) -> str:
    return "main universe" if name == "ubuntu" else "main"


def _default_mirror(name: str, architecture: str) -> str:
    if name == "debian":
        raise NotFound(
            "this host's apt sources name no Debian mirror",
            hint="name one near you: --mirror URL (see https://www.debian.org/mirror/list)",
        )
    if name == "devuan":
        return "http://deb.devuan.org/merged"
    if architecture in _UBUNTU_MAIN_PORTS:
        return "http://archive.ubuntu.com/ubuntu"
    return "http://ports.ubuntu.com/ubuntu-ports"


def _host_mirror(name: str, architecture: str) -> str | None:
    ending = {"debian": "/debian", "ubuntu": "/ubuntu", "devuan": "/merged"}[name]
    if name == "ubuntu" and architecture not in _UBUNTU_MAIN_PORTS:
        ending = "/ubuntu-ports"
    return next((uri for uri in _host_uris() if uri.endswith(ending) and "security." not in uri), None)


def _host_security_mirror() -> str | None:
    return next((uri for uri in _host_uris() if uri.endswith("/debian-security")), None)


def _host_uris() -> Iterator[str]:
    """URIs of the host's binary package sources (sources.list(5)), both formats, in order."""
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(1 << 20)
        except OSError:
            continue
        if path.endswith(".sources"):
            yield from _deb822_uris(text)
        elif path.endswith(".list"):
            yield from _one_line_uris(text)


def _one_line_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        for word in words[1:]:
            if "://" in word and not word.startswith("["):
                yield _plain(word)
                break


def _deb822_uris(text: str) -> Iterator[str]:
    for stanza in text.split("\n\n"):
        fields = {}
        for line in stanza.splitlines():
            if not line.startswith("#"):
                key, _, value = line.partition(":")
                fields[key.strip().lower()] = value.split()
        if "deb" in fields.get("types", ()) and [*fields.get("enabled", ()), "yes"][0].lower() != "no":
            yield from (_plain(uri) for uri in fields.get("uris", ()) if "://" in uri)


def _plain(uri: str) -> str:
    return uri.rstrip("/")
