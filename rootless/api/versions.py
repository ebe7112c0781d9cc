"""Versions of the Engine API: which are spoken, which one is advertised, and who we say that we are.

Imported by the front: knows no engine. Why 1.44 is advertised: docs/api.md.
"""

from __future__ import annotations

import os
import sys

from rootless import __version__
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

Version = tuple[int, int]

OLDEST: Version = (1, 24)
NEWEST: Version = (1, 51)
"""A path may name any between these."""
ADVERTISED: Version = (1, 44)
"""What a client that asks is told, and a path without a version means."""

SERVER_VERSION = f"27.5.1+rootless.{__version__}"
"""Looks like Docker's: clients refuse less than 1.6.0, and guess from it what there is."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def text(version: Version) -> str:
    """As a path has it: 1.44."""
    return f"{version[0]}.{version[1]}"


def parse(word: str) -> Version:
    """The version that a path names. InvalidInput, in moby's words, for one that is not spoken here."""
    major, dot, minor = word.partition(".")
    if not (major.isdecimal() and len(word) < 12 and (minor.isdecimal() if dot else not minor)):
        raise InvalidInput(f"invalid API version {word[:40]!r}")
    found = (int(major), int(minor or 0))
    if found > NEWEST:
        raise InvalidInput(
            f"client version {word} is too new. Maximum supported API version is {text(NEWEST)}"
        )
    if found < OLDEST:
        raise InvalidInput(
            f"client version {word} is too old. Minimum supported API version is {text(OLDEST)}, "
            "please upgrade your client to a newer version"
        )
    return found


def headers() -> list[tuple[str, str]]:
    """What stands above every answer, errors too."""
    return [
        ("Api-Version", text(ADVERTISED)),
        ("Docker-Experimental", "false"),
        ("Ostype", "linux"),
        ("Server", f"rootless/{__version__} (linux)"),
    ]


def ping_headers() -> list[tuple[str, str]]:
    """What stands above the answer to a ping besides."""
    return [
        ("Builder-Version", "1"),
        ("Swarm", "inactive"),
        ("Cache-Control", "no-cache, no-store, must-revalidate"),
        ("Pragma", "no-cache"),
    ]


def document() -> dict[str, Any]:
    """The answer to GET /version: SystemVersion of the schema."""
    system = os.uname()
    machine = _MACHINES.get(system.machine, system.machine)
    details = {
        "ApiVersion": text(ADVERTISED),
        "Arch": machine,
        "BuildTime": "1970-01-01T00:00:00.000000000+00:00",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "none",
        "KernelVersion": system.release,
        "MinAPIVersion": text(OLDEST),
        "Os": "linux",
        "PythonVersion": sys.version.partition(" ")[0],
    }
    return {
        "Platform": {"Name": f"rootless {__version__}"},
        "Components": [{"Name": "Engine", "Version": SERVER_VERSION, "Details": details}],
        "Version": SERVER_VERSION,
        "ApiVersion": text(ADVERTISED),
        "MinAPIVersion": text(OLDEST),
        "GitCommit": "",
        "GoVersion": "none",
        "Os": "linux",
        "Arch": machine,
        "KernelVersion": system.release,
        "BuildTime": "1970-01-01T00:00:00.000000000+00:00",
    }
