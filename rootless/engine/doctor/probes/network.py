"""doctor: does slirp4netns connect a namespace, serve a published port, answer names."""

from __future__ import annotations

import os
import select
import signal
import socket
import time

from rootless.engine.doctor.result import ProbeResult, ProbeStatus, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.errors import RootlessError
from rootless.finding import Finding
from rootless.linux import namespace
from rootless.linux.interface import loopback_up
from rootless.linux.process import set_pdeathsig
from rootless.network import privileged_ports
from rootless.network.etc import resolv
from rootless.network.ports import PortMapping
from rootless.network.uplink.pasta import diagnosis as pasta_diagnosis
from rootless.network.uplink.pasta import start as pasta_start
from rootless.network.uplink.slirp4netns import diagnosis, start
from rootless.session.diagnosis import read_fact

_GREETING = b"rootless doctor\n"
_DNS_TIMEOUT_S = 3.0
# A query for the root's name servers: every resolver answers that, if only by refusing.
_QUERY = b"\x52\x4c\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"


def connection(scene: Scene) -> list[ProbeResult]:
    """A throw-away namespace with a service in it, slirp4netns started, its port used from here."""
    if start.find() is None:
        return [ProbeResult("network", ProbeStatus.WARNING, diagnosis.missing_program())]
    tun = diagnosis.tun_device()
    if tun is not None:
        return [ProbeResult("network", ProbeStatus.WARNING, tun)]
    scene.join()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    try:
        return _use(ours, pid, scene)
    finally:
        ours.close()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(control: socket.socket) -> None:
    """In a namespace of its own: greet every client, and ask the uplink's resolver once the supervisor sends its address."""
    try:
        set_pdeathsig(signal.SIGKILL)
        namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNET)
        control.sendall(b"u")
        control.recv(1)  # the maps are written
        loopback_up()
        listener = socket.create_server(("0.0.0.0", 80))
        control.sendall(b"l")
        forwarder = control.recv(64).decode()
        asking = _ask(forwarder)
        while True:
            ready, _, _ = select.select([listener, asking], [], [])
            if asking in ready:
                control.sendall(b"d" if _answered(asking) else b"n")
                asking.close()
                asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            if listener in ready:
                peer, _ = listener.accept()
                peer.sendall(_GREETING)
                peer.close()
    finally:
        os._exit(1)


def _ask(server: str) -> socket.socket:
    query = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    query.connect((server, 53))
    query.send(_QUERY)
    return query


def _answered(query: socket.socket) -> bool:
    try:
        return query.recv(512)[:2] == _QUERY[:2]
    except OSError:
        return False


def _use(control: socket.socket, pid: int, scene: Scene) -> list[ProbeResult]:
    control.settimeout(3)
    control.recv(1)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(text)
    control.sendall(b"m")
    control.recv(1)
    began = time.monotonic()
    try:
        data = start.start(pid, run_dir=scene.scratch, ports=[PortMapping("127.0.0.1", 0, 80, "tcp")])
    except RootlessError as problem:
        cause = problem.finding or Finding("", fix_user=problem.hint or "")
        return [warning("network", problem.message, diagnosis.EFFECT, cause.fix_user, cause.fix_admin)]
    took_ms = (time.monotonic() - began) * 1000
    control.sendall(str(data["dns"]).encode())
    found = [ok("network", f"slirp4netns connects a container ({took_ms:.0f} ms)")]
    found += [warning("network", text, "one layer of protection less") for text in data["warnings"]]
    found.append(_published(int(data["ports"][0][1])))
    found.append(_names(control))
    return found


def _published(port: int) -> ProbeResult:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.settimeout(2)
            if client.recv(64) == _GREETING:
                return ok("ports", "a published port was served")
            what = "a published port answers with something else"
    except OSError as problem:
        what = f"a published port cannot be reached: {problem.strerror or problem}"
    return warning("ports", what, "-p does not work", "look for a local firewall that drops loopback traffic",
                   "iptables -L OUTPUT -v -n; nft list ruleset")  # fmt: skip


def _names(control: socket.socket) -> ProbeResult:
    """Whether the container's query came back; compared with what the host itself gets."""
    servers = [
        line.split()[1]
        for line in resolv.read_host().splitlines()
        if line.startswith("nameserver") and len(line.split()) > 1
    ]
    if not servers:
        return not_available("names", "the host's /etc/resolv.conf names no server", "no names in containers",
                             "--dns ADDRESS", "put a nameserver into /etc/resolv.conf")  # fmt: skip
    host = _ask(servers[0].partition("%")[0])
    deadline = time.monotonic() + _DNS_TIMEOUT_S
    answers: dict[str, bool] = {}
    while len(answers) < 2 and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select(
            [each for each, key in ((host, "host"), (control, "inside")) if key not in answers], [], [], left
        )
        if host in ready:
            answers["host"] = _answered(host)
        if control in ready:
            answers["inside"] = control.recv(1) == b"d"
        if answers.get("inside"):
            break
    host.close()
    if answers.get("inside"):
        return ok("names", "the host's resolver answers containers")
    if answers.get("host"):
        effect = "names do not resolve in containers"
        hint = "--dns ADDRESS, with a server that is reached from here"
        if not resolv.visible_to_sandbox():
            what = f"/etc/resolv.conf leads to {os.path.realpath(resolv.HOST_PATH)}, outside slirp4netns's sandbox"
            return warning("names", what, effect, hint, "make /etc/resolv.conf a file")
        return warning("names", f"{servers[0]} answers the host but not a container", effect, hint)
    return not_available("names", f"the host's own resolver {servers[0]} does not answer",
                         "names do not resolve, here and in containers", "--dns ADDRESS")  # fmt: skip


def rights(_: Scene) -> list[ProbeResult]:
    """What ordinary users may do on this host's network."""
    first = privileged_ports.unprivileged_port_start()
    found = [ok("low ports", f"ports from {first} on can be published")]
    if first > 80:
        admin = privileged_ports.port_start_fix(80)
        found = [not_available("low ports", f"ports below {first} are reserved for root",
                               "-p 80:80 is refused", "-p 8080:80", admin)]  # fmt: skip
    words = (read_fact("/proc/sys/net/ipv4/ping_group_range") or "1 0").split()
    groups = {os.getgid(), *os.getgroups()}
    if any(int(words[0]) <= group <= int(words[1]) for group in groups):
        found.append(ok("ping", "allowed"))
    else:
        found.append(not_available("ping", f"net.ipv4.ping_group_range is {words[0]} {words[1]}",
                                   "ping does not leave a container", "",
                                   privileged_ports.sysctl_fix("net.ipv4.ping_group_range=0 2147483647")))  # fmt: skip
    return found


def pasta(_: Scene) -> list[ProbeResult]:
    """What --network pasta can do here; nobody needs it."""
    program = pasta_start.find()
    if program is None:
        cause = pasta_diagnosis.missing_program()
        return [not_available("pasta", cause.what, cause.effect, cause.fix_user, cause.fix_admin)]
    if pasta_start.publishes(program):
        return [ok("pasta", "--network pasta can be used")]
    old = pasta_diagnosis.cannot_publish()
    return [not_available("pasta", "pasta is older than August 2024", "-p does not work with --network pasta", old.hint or "")]


PROBES = (
    Probe("network", connection, needs="user namespace"),
    Probe("low ports", rights),
    Probe("pasta", pasta),
)
