"""One container for several commands, as the ranks of a batch job's step on a node: `run --shared`.

    RUNTIME/shared/<key>      the socket on which PID 1 of the container counts who is in it (helpers/lib/members.h)
    RUNTIME/shared/<key>.id   which container that is
    RUNTIME/shared/lock       held while one of them is made or removed: for microseconds, never while a container starts

Whoever finds nobody listening makes the socket, and a child of his the container, whose PID 1 gets the socket. The others
connect meanwhile, and wait until PID 1 answers. Nobody's death keeps anybody waiting: with its last holder the kernel
closes the socket, so who waits hears of it, and is or finds the next one to try. PID 1 ends with the last member, however that
ended, and the container, which is a --rm one, is removed by its monitor, unless a failed `--save` has made it another.

RUNTIME is this machine's, so no lock here is on a shared file system. Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic, bytecode, jsontext
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.errors import FAILURES, Conflict, RootlessError, raise_data, to_data
from rootless.linux import socket
from rootless.linux.socket import address_in
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import sync
from rootless.storage.containers import containers, members
from rootless.storage.store import Store, make_directory, open_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_LISTEN_FD = 3  # PID 1's, as systemd's services have it
_BACKLOG = 4096
_LONGEST_ANSWER = 16384


class Member(Record):
    """A command that is in the container `id`, as long as its `connection` to PID 1 is open."""

    id: str
    connection: socket.socket


def join(store: Store, key: str, make: Callable[[str], object]) -> Member:
    """Become a member of the container that is shared under `key`, once it runs. Where there is none, `make` is called with
    the id that it is to have, in a child of ours, to create it; the child starts it. Raises what that raised, also where it
    was another command's child."""
    directory = store.runtime + "/shared"
    make_directory(directory)
    placeholder = _occupy()
    try:
        while True:
            connection, listener = _connect_or_listen(directory, key)
            if listener is not None:
                _start_in_child(store, directory, key, connection, listener, make)
            answer = _answer(connection)
            if answer == b"+":
                # It is the container's that we are in: nobody replaces it meanwhile.
                return Member(members.identifier(directory, key), connection)
            connection.close()
            if answer:
                raise_data(jsontext.loads(answer.decode()))
            if listener is not None:
                raise Conflict("the shared container ended as soon as it ran", hint="something has killed it: try again")
    finally:
        if placeholder >= 0:
            os.close(placeholder)


def _occupy() -> int:
    """Have nothing of ours at the number that the socket is to have in PID 1. The caller's descriptor, or -1."""
    bytecode.make_room(_LISTEN_FD)
    try:
        os.fstat(_LISTEN_FD)
    except OSError:
        fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        if fd != _LISTEN_FD:
            os.dup2(fd, _LISTEN_FD, inheritable=False)
            os.close(fd)
        return _LISTEN_FD
    return -1


def _answer(connection: socket.socket) -> bytes:
    """PID 1's: "+"; b"" where it has ended; or why there is none, as to_data has it."""
    try:
        return connection.recv(_LONGEST_ANSWER)
    except ConnectionResetError:
        return b""


def _connect_or_listen(directory: str, key: str) -> tuple[socket.socket, socket.socket | None]:
    """A connection, in which the answer will be; and the socket, where nobody listened and we do now."""
    connection = members.connect(directory, key)
    if connection is not None:
        return connection, None
    lock = open_lock(directory + "/lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = members.connect(directory, key)
        if connection is not None:
            return connection, None
        members.sweep(directory)
        members.unlink(directory, key)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        atomic.write_bytes(f"{directory}/{key}.id", containers.new_id().encode(), durable=False)
        with address_in(directory, key) as address:
            listener.bind(address)
        listener.listen(_BACKLOG)
        # Before anybody can be counted, so that PID 1 never finds nobody while we live.
        connection = members.connect(directory, key)
        assert connection is not None
        return connection, listener
    finally:
        os.close(lock)


def _start_in_child(
    store: Store, directory: str, key: str, connection: socket.socket, listener: socket.socket, make: Callable[[str], object]
) -> None:
    ours, theirs = sync.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        connection.close()
        _run_starter(store, members.identifier(directory, key), listener, make, theirs)
    theirs.close()
    listener.close()
    try:
        ours.expect("executed")
    except BaseException:
        connection.close()
        raise
    finally:
        ours.close()
        os.waitpid(pid, 0)


def _run_starter(
    store: Store, identifier: str, listener: socket.socket, make: Callable[[str], object], to_caller: sync.Channel
) -> NoReturn:
    try:
        # What the other members have no need of.
        from rootless.engine.lifecycle import remove, start

        make(identifier)
        os.dup2(listener.fileno(), _LISTEN_FD)
        # start() hands on what systemd would have handed to us.
        for name in ("LISTEN_FDNAMES", "NOTIFY_SOCKET"):
            os.environ.pop(name, None)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        try:
            start.start(store, identifier)
        except BaseException:
            try:
                remove.remove(store, identifier, force=True, volumes=True)
            except (OSError, RootlessError):
                containers.abandon(store, identifier)
            raise
        try:
            to_caller.send("executed")
        except BrokenPipeError:
            pass  # the caller has been killed: the container is of the others who wait, and they are not refused
    except FAILURES as error:
        _refuse(listener, error)
        to_caller.send_error(error, step="start the shared container")
    finally:
        os._exit(0)


def _refuse(listener: socket.socket, error: BaseException) -> None:
    """Tell those who wait why; who comes later tries himself."""
    data = jsontext.dumps(to_data(error)).encode()[:_LONGEST_ANSWER]
    listener.setblocking(False)
    while True:
        try:
            waiting, _ = listener.accept()
        except OSError:
            return  # no more
        with waiting:
            try:
                waiting.send(data, socket.MSG_NOSIGNAL)
            except OSError:
                continue  # it has gone


def will_save(member: Member) -> None:
    """Be one of those the last of whom saves the container; before anything is done in it."""
    member.connection.send(b"s", socket.MSG_NOSIGNAL)


def is_to_save(member: Member) -> bool:
    """Whether we are the last of those, and members until `leave`. Else the membership has ended. Conflict where the container has."""
    member.connection.send(b"?", socket.MSG_NOSIGNAL)
    answer = _answer(member.connection)
    if not answer:
        raise Conflict("the shared container ended before it could be saved", hint="something has killed it: run the step again")
    return answer == b"-"


def keep(store: Store, member: Member) -> None:
    """Have the container stay when its last member has gone, stopped, for `commit`, `export`, `cp` and `rm`: as one without --rm."""
    directory = containers.directory(store, member.id)
    with containers.lock(store, member.id):
        record = read_config(store, member.id)
        record["auto_remove"] = False
        atomic.write_json(directory + "/config.json", dict(record))
        try:
            os.unlink(directory + "/transient")  # or it is swept after a reboot
        except FileNotFoundError:
            pass


def leave(store: Store, member: Member) -> None:
    """Be a member no longer; where we were the last, return when the container is removed."""
    monitor = running.monitor(store, member.id)
    try:
        with member.connection as connection:
            connection.shutdown(socket.SHUT_WR)
            last = _answer(connection) == b"-"
        if last and monitor is not None:
            running.wait_pidfd(monitor, running.REMOVED_S)
    finally:
        if monitor is not None:
            os.close(monitor)
