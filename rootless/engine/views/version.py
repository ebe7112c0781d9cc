"""`version`: who we are, in the shape of Docker's. There is no server: client and engine are one program."""

from __future__ import annotations

import os
import sys
from typing import Any

from rootless import __version__
from rootless.engine.views.types import gotypes
from rootless.engine.views.types import system as system_types

API_VERSION = "1.51"
"""The version of Docker's API whose objects `inspect` and its fellows show."""
OLDEST_API_VERSION = "1.24"
PLATFORM = "rootless"
CONTEXT = "default"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """This machine's, as Go names it."""
    machine = os.uname().machine
    return _MACHINES.get(machine, machine)


def client() -> dict[str, Any]:
    """The client's fields; Python's version and the kernel's stand behind Docker's."""
    return {
        "Platform": {"Name": PLATFORM},
        "Version": __version__,
        "ApiVersion": API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "Os": "linux",
        "Arch": architecture(),
        "Context": CONTEXT,
    }


def version() -> gotypes.Object:
    """What `version --format` takes its fields from."""
    system = os.uname()
    own = {"PythonVersion": sys.version.partition(" ")[0], "KernelVersion": system.release}
    details = {
        "ApiVersion": API_VERSION,
        "Arch": architecture(),
        "KernelVersion": system.release,
        "Os": "linux",
    }
    server = {
        "Platform": {"Name": PLATFORM},
        "Components": [{"Name": "Engine", "Version": __version__, "Details": details}],
        "Version": __version__,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": OLDEST_API_VERSION,
        "Os": "linux",
        "Arch": architecture(),
        "KernelVersion": system.release,
    }
    return gotypes.build(
        system_types.TYPES, "system.versionInfo", {"Client": {**client(), **own}, "Server": server}
    )
