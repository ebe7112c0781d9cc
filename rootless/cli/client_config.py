"""What Docker's client keeps in config.json and its users count on: proxies, detachKeys, formats.

Looked for in $DOCKER_CONFIG (or --config), else ~/.docker. A file that is not there costs one failed open;
logins in it are image/registry/auth_file.py's to read. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless import paths
from rootless.record import TYPE_CHECKING
from rootless.storage import served_mounts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MOST_BYTES = 1 << 20
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_PROXIES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ftpProxy": "FTP_PROXY",
    "allProxy": "ALL_PROXY",
}


def read() -> dict[str, Any]:
    """The file's object; {} where there is none. One that cannot be read is reported and not used, as by Docker."""
    directory = os.environ.get("DOCKER_CONFIG") or paths.home() + "/.docker"
    for place in (directory, paths.config_home()):  # what ours says is asked for later, by whom a server is not waited for
        served_mounts.wait(os.path.abspath(place))
    try:
        descriptor = os.open(directory + "/config.json", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return {}
    from rootless import jsontext

    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_MOST_BYTES)
        document = jsontext.loads(data or b"{}")
        if isinstance(document, dict):
            return _whole(document) if b"\\ud" in data.lower() else document
    except (OSError, ValueError, RecursionError):
        pass
    print(f"rootless: cannot read {directory}/config.json: it is no JSON object, and not used", file=sys.stderr)
    return {}


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """The object without halves of surrogate pairs, which no record could keep and no program be given."""
    from rootless.image import run_config

    return run_config.text(document)  # type: ignore[no-any-return]


def text(key: str, config: dict[str, Any] | None = None) -> str:
    """The string that the file has for `key`, or ""."""
    value = (read() if config is None else config).get(key)
    return value if isinstance(value, str) else ""


def proxies(config: dict[str, Any], given: Iterable[str]) -> list[str]:
    """The variables that `proxies` gives a new container, in capitals and small letters, but for those that
    the user's own words (`NAME=VALUE` or `NAME`) name."""
    found = config.get("proxies")
    if not isinstance(found, dict):
        return []
    chosen = found.get(os.environ.get("DOCKER_HOST") or _DEFAULT_HOST) or found.get("default")
    if not isinstance(chosen, dict):
        return []
    names = {word.partition("=")[0] for word in given}
    return [
        f"{name}={value}"
        for key, upper in _PROXIES.items()
        if isinstance(value := chosen.get(key), str) and value and "\0" not in value
        for name in (upper, upper.lower())
        if name not in names
    ]


def platform(given: str | None) -> str:
    """--platform, or $DOCKER_DEFAULT_PLATFORM where it was not given."""
    return given or os.environ.get("DOCKER_DEFAULT_PLATFORM", "")
