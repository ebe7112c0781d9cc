"""What the init does besides under `rootless-oci`: hooks, and the wait for `start` at a socket.

Runs in the init, before its command. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import RootlessError
from rootless.linux import signal, socket
from rootless.linux.process import set_pdeathsig
from rootless.oci.state import CREATED, CREATING
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import namespaces
from rootless.runtime.descriptors import close_all
from rootless.runtime.hooks import run_hooks
from rootless.runtime.process import credentials
from rootless.runtime.process.sealed_exec import exec_sealed
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.launch.init import InitConfig


class OciInitCallbacks(Record):
    """The InitCallbacks of rootless-oci. `listener` and `record` are descriptors of the start socket, listening,
    and of the container's record; -1: `run`, which starts at once over the channel."""

    spec: dict[str, Any]
    state: dict[str, Any]  # less the pid, which only the outside knows
    listener: int
    record: int
    detach: bool
    held: list[int]  # what before_pivot opens for the wait

    def descriptors(self) -> tuple[int, ...]:
        """Both; not the creator's lock, which must not be held by what outlives the creator."""
        return (self.listener, self.record)

    def before_pivot(self, channel: Channel) -> None:
        """Hooks of the runtime's namespaces, then those of the container's, before pivot_root."""
        if self.listener >= 0:
            # While there is a /proc that the container has not mounted.
            self.held.append(os.open("/proc/self/ns", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        points = {point for point, hooks in (self.spec.get("hooks") or {}).items() if hooks}
        if not points & {"prestart", "createRuntime", "createContainer"}:
            return
        channel.send("mounted")
        pid = channel.expect("hooked").data["pid"]
        run_hooks(self.spec, "createContainer", {**self.state, "status": CREATING, "pid": pid})

    def wait_for_start(self, channel: Channel, terminal: tuple[int, ...]) -> Channel:
        """Wait to be started."""
        channel.send("ready", {}, terminal)
        for fd in terminal:
            os.close(fd)
        if self.listener < 0:
            channel.expect("start")
            if self.detach:
                set_pdeathsig(0)
            return channel
        channel.expect("created")
        # Until here we die with `create`; from here on its record decides.
        set_pdeathsig(0)
        channel.send("waiting")
        channel.receive()  # the end: `create` has done its work, or was killed
        channel.close()
        # The second name is state.json's. We look at the file, not at its directory, which our user may not be
        # allowed to enter.
        if os.fstat(self.record).st_nlink < 2:
            os._exit(0)
        os.close(self.record)
        return self._accept_start()

    def _accept_start(self) -> Channel:
        # A PID 1 is sent nothing that it does not handle: without this, who stops a created container waits until he kills it.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: os._exit(128 + received))
        # From here on the interpreter only sleeps; what is left of it in memory is its heap.
        with socket.socket(fileno=self.listener) as listener:
            while True:
                connection = Channel(listener.accept()[0])
                try:
                    message = connection.receive("start", "join")
                    if message is not None and message.kind == "start":
                        close_all(self.held)
                        return connection
                    if message is not None:
                        self._send_namespaces(connection)
                except RootlessError:
                    pass  # not a message of ours
                connection.close()  # `state` and the like connect to see whether we wait

    def _send_namespaces(self, connection: Channel) -> None:
        """Hand our namespaces to `exec`: we are undumpable, so nobody else can open them."""
        for kind, fd in namespaces.open_own(self.held[0]).items():
            try:
                connection.send("namespace", {"type": kind}, (fd,))
            finally:
                os.close(fd)

    def before_exec(self, config: InitConfig, environment: dict[str, str]) -> None:
        """Hooks inside the container, as its user and with its capabilities and filter."""
        process, confinement = config.spec["process"], config.confinement

        def execute(path: str, arguments: list[str], own: dict[str, str]) -> None:
            listener = credentials.confine(process, confinement.capabilities, confinement.seccomp)
            if listener >= 0:
                os.close(listener)
            exec_sealed(config.program, None, path, arguments, own, seccomp=confinement.seccomp)

        state = {**self.state, "status": CREATED, "pid": os.getpid()}
        run_hooks(self.spec, "startContainer", state, environment=environment, execute=execute)
