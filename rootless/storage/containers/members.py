"""The sockets of containers that several commands share, in RUNTIME/shared (engine/lifecycle/shared.py), and which of them are dead.
Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless.linux import socket
from rootless.linux.socket import address_in
from rootless.storage.store import open_lock

_ID = ".id"
_FACTS = ".facts"
"""By which the launcher lets others in (cli/commands/container/rank_facts.py)."""


def connect(directory: str, key: str) -> socket.socket | None:
    """A connection with who listens; None where nobody does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with address_in(directory, key) as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


def identifier(directory: str, key: str) -> str:
    """The id of the container that is shared under `key`. FileNotFoundError."""
    with open(f"{directory}/{key}{_ID}", "rb", buffering=0) as file:
        return file.read().decode()


def is_dead(directory: str, key: str) -> bool:
    """Whether nobody listens there any more. Who does is left at once, uncounted unless it runs already."""
    connection = connect(directory, key)
    if connection is None:
        return True
    connection.close()
    return False


def sweep(directory: str) -> None:
    """Remove what killed commands and containers left. The caller holds the directory's lock."""
    entries = os.listdir(directory)
    for entry in entries:
        if entry.endswith(_FACTS) and entry.split(".")[1] + _ID not in entries:
            unlink(directory, entry.split(".")[1])
        elif entry.endswith(_ID):
            key = entry.removesuffix(_ID)
            running = os.path.isdir(f"{os.path.dirname(directory)}/c/{identifier(directory, key)}")
            if not running and is_dead(directory, key):
                unlink(directory, key)


def forget(directory: str, key: str, container_id: str) -> None:
    """Remove the socket of a container that is gone, unless it is another one's by now."""
    lock = open_lock(directory + "/lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if identifier(directory, key) == container_id:
            unlink(directory, key)
    except FileNotFoundError:
        return
    finally:
        os.close(lock)


def is_abandoned(shared: dict[str, str], container_id: str) -> bool:
    """Whether a container that has been created, and never started, was made by a command that is dead; `shared` is of its
    configuration."""
    directory, key = shared["directory"], shared["key"]
    try:
        return identifier(directory, key) != container_id or is_dead(directory, key)
    except FileNotFoundError:
        return True


def unlink(directory: str, key: str) -> None:
    """Remove it, if it is there. The caller holds the directory's lock."""
    # With those that somebody was killed writing.
    facts = [name for name in os.listdir(directory) if f".{key}{_FACTS}" in name]
    for name in (key, key + _ID, *facts):
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
