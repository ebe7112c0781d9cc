"""A small internet of network namespaces round netd, for one forked child.

    outside --veth-- host [the helper's main thread]      owned by a user namespace in which the test is root
                     hub  [the helper's hub thread]       owned by a user namespace below, as the session's are
                      |-- a bridge -- one, two            containers of a network
                      `-- a bridge -- other               a container of another network

So the helper has no capability over the host's namespace, as in real life. Everything is IPv4 and IPv6.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from rootless.linux import namespace
from rootless.network.hub import netd
from rootless.network.hub.rules import port_rules, send_rules
from rootless.network.hub.settings import OnNetwork, Port, Settings, set_container
from tests.harness.forked import become_root_of_own_namespace, forked
from tests.network import internet_links
from tests.network.internet_links import CONTAINERS, GATEWAY, OTHER_GATEWAY, OUTSIDE, run

T = TypeVar("T")


class Internet:
    """Made in a child that is single-threaded and dies with it: `forked(work)`."""

    def __init__(self) -> None:
        become_root_of_own_namespace()
        self.pids: list[int] = []
        self.stopped = 0
        self.internal: set[str] = set()  # containers that are on internal networks
        self.namespaces: dict[str, int] = {}
        namespace.unshare(namespace.CLONE_NEWNET)
        self.namespaces["outside"] = os.open("/proc/self/ns/net", os.O_RDONLY)
        namespace.unshare(namespace.CLONE_NEWNET)
        self.namespaces["host"] = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._make_session()
        internet_links.lay(self)
        self.container_pids = {name: self.serve(name, signal.pause) for name in CONTAINERS}
        self.pidfds = {name: os.pidfd_open(pid) for name, pid in self.container_pids.items()}
        self.runtime = tempfile.TemporaryDirectory()
        self.netd = netd.Netd(self.runtime.name, self.namespaces["hub"])

    def _make_session(self) -> None:
        """The user namespace below, and the namespaces that belong to it."""
        names = ["hub", *CONTAINERS]
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            try:
                become_root_of_own_namespace()
                user = os.open("/proc/self/ns/user", os.O_RDONLY)
                fds = [user]
                for _ in names:
                    namespace.unshare(namespace.CLONE_NEWNET)
                    fds.append(os.open("/proc/self/ns/net", os.O_RDONLY))
                socket.send_fds(theirs, [b"x"], fds)
                theirs.recv(1)
            finally:
                os._exit(0)
        theirs.close()
        _, fds, _, _ = socket.recv_fds(ours, 1, 16)
        ours.close()
        os.waitpid(pid, 0)
        self.user_namespace, *networks = fds
        self.namespaces.update(zip(names, networks, strict=True))

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """The calling thread is in that network namespace."""
        namespace.setns(self.namespaces[name], namespace.CLONE_NEWNET)
        try:
            yield
        finally:
            namespace.setns(self.namespaces["host"], namespace.CLONE_NEWNET)

    def link_path(self, name: str) -> str:
        return f"/proc/{os.getpid()}/fd/{self.namespaces[name]}"

    def ip(self, name: str, text: str, *, family: str = "-0") -> None:
        """Commands of ip(8), one a line. family: -4 or -6; -0: links, and addresses of either."""
        with self.inside(name):
            run("ip", *([] if family == "-0" else [family]), "-batch", "-", text=text)

    def in_session(self, work: Callable[[], T]) -> T:
        """What `work` returns in a child that is in the session's user namespace and the host's network namespace."""

        def enter() -> T:
            namespace.setns(self.user_namespace, namespace.CLONE_NEWUSER)
            return work()

        return forked(enter)

    def helper(self, argv: list[str], *, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        """A program in the session's user namespace and the host's network namespace."""

        def enter() -> None:
            namespace.setns(self.user_namespace, namespace.CLONE_NEWUSER)

        return subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=pass_fds, preexec_fn=enter
        )

    def set_containers(self, **ports: list[Port]) -> None:
        """Tells netd of all containers; `ports` are those of some of them."""

        def work() -> None:
            for number, (name, (four, six)) in enumerate(CONTAINERS.items(), 1):
                set_container(
                    self.netd,
                    Settings(
                        f"{number:064x}",
                        pidfd=self.pidfds[name],
                        networks=(OnNetwork("other" if name == "other" else "app", four, six, (name,)),),
                        ports=tuple(ports.get(name, ())),
                        internal=name in self.internal,
                    ),
                )

        self.in_session(work)

    def set_up(self) -> None:
        """Containers, and the gate."""
        self.set_containers()
        self.open_gate()

    def through_gate(self, family: int = 0, who: str = "one") -> tuple[socket.socket, socket.socket]:
        """A container's connection to a server outside, and what that accepted."""
        server = self.listen("outside", OUTSIDE[family])
        client = self.connect(who, OUTSIDE[family], server.getsockname()[1])
        served, _ = server.accept()
        served.settimeout(20)
        return client, served

    def open_gate(self) -> None:
        """Has netd make its device, and SYNs sent there."""
        self.switch_gate("on")
        internet_links.redirect_syns(self)

    def switch_gate(self, word: str) -> None:
        self.in_session(lambda: netd.ask(self.netd, f"gate {word}"))

    def publish(self, name: str, address: str, target: str, port: int) -> tuple[Port, socket.socket]:
        """A port of the host that leads to the container, and its socket."""
        made = self.listen("host", address)
        rules = port_rules(internet_links.endpoint(name), "tcp", port, port)
        self.in_session(lambda: send_rules(self.namespaces["hub"], [rule.add for rule in rules]))
        gateways = OTHER_GATEWAY if name == "other" else GATEWAY
        return Port(made.fileno(), "tcp", target, port, gateways[":" in target]), made

    def netd_pid(self) -> int:
        return int(self.in_session(lambda: netd.status(self.netd.runtime))["pid"])

    def stop_netd(self) -> None:
        """Until continue_netd() it does nothing."""
        self.stopped = self.netd_pid()
        os.kill(self.stopped, signal.SIGSTOP)

    def continue_netd(self) -> None:
        os.kill(self.stopped or self.netd_pid(), signal.SIGCONT)

    def kill_netd(self) -> None:
        pid = self.netd_pid()
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for_end = select.poll()
        wait_for_end.register(pidfd, select.POLLIN)
        wait_for_end.poll()
        os.close(pidfd)

    def flows(self) -> dict[str, int]:
        """How many each container has."""
        lines = self.in_session(lambda: netd.ask(self.netd, "list"))
        counts = [line.split() for line in lines]
        return {
            list(CONTAINERS)[int(words[0], 16) - 1]: int(words[words.index("flows") + 1]) for words in counts
        }

    def end_container(self, name: str) -> None:
        os.kill(self.container_pids[name], signal.SIGKILL)

    def make_socket(
        self, name: str, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0
    ) -> socket.socket:
        with self.inside(name):
            made = socket.socket(family, kind, protocol)
        made.settimeout(20)
        return made

    def listen(self, name: str, address: str, port: int = 0, *, backlog: int = 1024) -> socket.socket:
        made = self.make_socket(name, family_of(address))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(backlog)
        return made

    def connect(self, name: str, address: str, port: int) -> socket.socket:
        made = self.make_socket(name, family_of(address))
        try:
            made.connect((address, port))
        except OSError:
            made.close()
            raise
        return made

    def serve(self, name: str, work: Callable[[], None]) -> int:
        """Runs `work` in a child in that namespace, until close(). Returns its pid."""
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent()
                namespace.setns(self.namespaces[name], namespace.CLONE_NEWNET)
                work()
            except BaseException as error:  # noqa: BLE001 - the test sees what is missing
                print(f"in {name}: {error!r}", file=sys.stderr)
            finally:
                os._exit(0)
        self.pids.append(pid)
        return pid

    def __enter__(self) -> Internet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.kill(self.netd_pid(), signal.SIGKILL)
        except netd.NoNetd:
            pass
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.runtime.cleanup()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def in_internet(test: Callable[[Internet], T], *, timeout_s: float = 15) -> T:
    """What the test returns, of an internet of its own."""

    def work() -> T:
        # Thousands of connections are made here, of which each is a descriptor: what the caller's shell allows is not the subject.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with Internet() as internet:
            return test(internet)

    return forked(work, timeout_s=timeout_s)


def received(connection: socket.socket, size: int = sys.maxsize) -> bytes:
    """What comes until the end, or until it is so much."""
    found = bytearray()
    while len(found) < size and (chunk := connection.recv(min(65536, size - len(found)))):
        found += chunk
    return bytes(found)
