"""Programs that keep credentials: docker-credential-NAME, as github.com/docker/docker-credential-helpers specifies.

Each is asked with one word (get, store, erase, list), takes the server on stdin and answers in JSON. Secrets go
over pipes only: never into arguments, messages or files of ours.
"""

from __future__ import annotations

import json
import subprocess
from typing import NamedTuple

from rootless import inherited
from rootless.errors import InvalidInput, Unavailable

TOKEN_USER = "<token>"
"""The user name beside an identity token."""
_TIMEOUT_S = 30
_ANSWER_LIMIT_BYTES = 1 << 20


class Kept(NamedTuple):
    """What a helper keeps for one server; `username` may be TOKEN_USER."""

    username: str
    secret: str

    def __repr__(self) -> str:
        return f"Kept({self.username!r}, ...)"


def get(name: str, server: str) -> Kept | None:
    """What the helper keeps for `server`, or None. Unavailable, naming the helper, where it is missing or fails."""
    answer = _ask(name, "get", server)
    if answer is None:
        return None
    try:
        document = json.loads(answer)
        return Kept(str(document["Username"]), str(document["Secret"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unavailable(f"{_program(name)} gave no proper answer") from None


def store(name: str, server: str, kept: Kept) -> None:
    """Have the helper keep `kept` for `server`. Raises as `get`."""
    document = {"ServerURL": server, "Username": kept.username, "Secret": kept.secret}
    if _ask(name, "store", json.dumps(document)) is None:
        raise Unavailable(f"{_program(name)} does not keep the credentials")


def erase(name: str, server: str) -> bool:
    """Have the helper forget `server`; whether it knew it. Raises as `get`."""
    # Most helpers take it as done where there was nothing.
    return get(name, server) is not None and _ask(name, "erase", server) is not None


def servers(name: str) -> dict[str, str]:
    """All servers that the helper keeps something for, with the user names. Raises as `get`."""
    answer = _ask(name, "list", "")
    try:
        document = json.loads(answer or "{}")
        return {str(server): str(user) for server, user in document.items()}
    except (ValueError, AttributeError, RecursionError):
        raise Unavailable(f"{_program(name)} gave no proper answer") from None


def _program(name: str) -> str:
    if "/" in name or not name:
        raise InvalidInput(f"credential helper {name!r} is no plain name")
    return f"docker-credential-{name}"


def _ask(name: str, verb: str, sent: str) -> str | None:
    """The helper's answer; None where it says that it knows nothing of the server."""
    program = _program(name)
    try:
        done = subprocess.run(
            [program, verb], input=sent.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False,
            umask=inherited.umask,
        )  # fmt: skip
    except (FileNotFoundError, PermissionError):
        raise Unavailable(
            f"the credential helper {program} is not installed",
            hint="install it, or take `credsStore` or `credHelpers` out of the configuration that names it",
        ) from None
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"{program} did not answer within {_TIMEOUT_S} s",
            hint="secretservice wants a session bus: is there one (DBUS_SESSION_BUS_ADDRESS)?",
        ) from None
    except OSError as error:
        raise Unavailable(f"{program} cannot be run: {error.strerror}") from None
    if done.returncode == 0:
        return done.stdout[:_ANSWER_LIMIT_BYTES].decode(errors="replace")
    said = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    reason = said[0][:200] if said else f"exit status {done.returncode}"
    if "not found" in reason:
        return None
    raise Unavailable(f"{program} failed: {''.join(filter(str.isprintable, reason))}")
