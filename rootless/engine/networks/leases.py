"""Who has which address: ROOT/networks/leases/<network's id>/<address>, a file each, made with O_EXCL.

The text names the container and its PID 1: once that has ended the address is free, and nobody has to tidy. So a
kill at any instant, and a reboot, leave nothing that is to be mended. Taken under the directory's lock.
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic
from rootless.engine.networks import ipam, records
from rootless.errors import Conflict, RootlessError
from rootless.linux import process
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.store import make_directory, open_lock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootless.engine.networks.ipam import Pool
    from rootless.engine.networks.records import NetworkConfig
    from rootless.storage.store import Store


class LeaseHolder(Record):
    """The container that an address is for, and its PID 1."""

    container: str
    pid: int
    start_time: int

    def text(self) -> str:
        """What its leases say."""
        words = (self.container, self.pid, self.start_time, process.boot_id(), process.pid_namespace())
        return " ".join(str(word) for word in words)


class LeaseLock:
    """The lock of a network's leases, held until the end of a `with`. `there`: the network has not been removed."""

    def __init__(self, store: Store, network: NetworkConfig) -> None:
        self.directory = f"{store.root}/networks/leases/{network['id']}"
        self._record = f"{store.root}/networks/{network['name']}.json"
        self._fd = -1

    def __enter__(self) -> LeaseLock:
        self._fd = open_lock(self.directory + "/.lock")
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def there(self) -> bool:
        """Whether the network is in the store still: its removal takes this lock, too."""
        return os.path.exists(self._record) and os.path.exists(self.directory)

    def holders(self) -> set[str]:
        """The ids of the containers that have an address, those that are being started among them."""
        found = {_held_by(f"{self.directory}/{address}") for address in os.listdir(self.directory) if address[0] != "."}
        return found - {""}


def take(store: Store, network: NetworkConfig, holder: LeaseHolder, wanted: Iterable[str] = ()) -> list[str]:
    """An address of each pool of the network, in their order: one of `wanted` (canonical) where there is one.

    Conflict where a wanted one is taken, NotFound where the network has just been removed, RootlessError where a pool
    has none left; then none is taken.
    """
    make_directory(f"{store.root}/networks/leases/{network['id']}")
    taken: list[str] = []
    with LeaseLock(store, network) as lock:
        try:
            if not lock.there:
                raise records.not_found(network["name"])
            known = set(os.listdir(lock.directory))
            asked = list(wanted)
            for pool in network["pools"]:
                static = [address for address in asked if (":" in address) == (":" in pool["subnet"])]
                address = _take(lock.directory, known, holder, static or ipam.usable(pool))
                if not address:
                    raise _none_left(network, pool, static=bool(static))
                taken.append(address)
            return taken
        except BaseException:
            for address in taken:
                os.unlink(f"{lock.directory}/{address}")
            raise


def _take(directory: str, known: set[str], holder: LeaseHolder, candidates: Iterable[str]) -> str:
    """The first of the candidates that is free, now the holder's; "" where none is."""
    for address in candidates:
        path = f"{directory}/{address}"
        if address in known:
            if _held_by(path) not in ("", holder.container):
                continue
            os.unlink(path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, holder.text().encode())
        finally:
            os.close(fd)
        return address
    return ""


def _none_left(network: NetworkConfig, pool: Pool, *, static: bool) -> RootlessError:
    if static:
        return Conflict("Address already in use", hint="another container has it: choose another address")
    version = "IPv6" if ":" in pool["subnet"] else "IPv4"
    return RootlessError(
        f"no available {version} addresses on this network's address pools: {network['name']} ({network['id']})",
        hint="a network with a larger --subnet has more",
    )


def _held_by(path: str) -> str:
    """The id of the running container that has the address, "" where it is free. A text that is none is the rest of a
    killed writer."""
    try:
        words = atomic.read_bytes(path).decode("ascii").split()
        container, pid, started, boot, namespace = words
        if boot != process.boot_id():
            return ""
        # A process of another pid namespace cannot be judged from here.
        held = int(namespace) != process.pid_namespace() or process.alive(int(pid), int(started))
        return container if held else ""
    except (OSError, ValueError):
        return ""


def release(store: Store, network: NetworkConfig, address: str, container: str) -> None:
    """Give an address up before its container ends (`network disconnect`); idempotent."""
    with LeaseLock(store, network) as lock:
        try:
            if atomic.read_bytes(f"{lock.directory}/{address}").split()[:1] == [container.encode()]:
                os.unlink(f"{lock.directory}/{address}")
        except FileNotFoundError:
            pass
