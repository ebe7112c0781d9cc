"""doctor: can this host's kernel make the networks of the hub, and what do the user's go by now."""

from __future__ import annotations

import os

from rootless import paths
from rootless.engine.doctor.result import ProbeResult, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.errors import NotSupported, RootlessError
from rootless.linux import namespace
from rootless.network.hub import attach, gate, netd
from rootless.network.hub import namespace as hub_namespace
from rootless.network.hub.endpoint import Bridge, Endpoint
from rootless.network.uplink.slirp4netns import diagnosis
from rootless.session import connection

EFFECT = "networks of your own are an error, and the default one is slirp4netns for each container alone"
MODULES = "sudo modprobe -a bridge veth && printf 'bridge\\nveth\\n' | sudo tee -a /etc/modules-load.d/rootless.conf"
GATE_MODULES = (
    "sudo modprobe -a sch_ingress cls_u32 act_mirred && printf 'sch_ingress\\ncls_u32\\nact_mirred\\n' | sudo tee -a "
    "/etc/modules-load.d/rootless.conf    (package linux-modules-extra-$(uname -r) on Ubuntu, kernel-modules-extra on Fedora and RHEL)"
)
# Addresses of documentation, RFC 5737 and RFC 3849: in a hub of the doctor's own.
_BRIDGE = Bridge("d0c" + "0" * 61, "192.0.2.0/24", "192.0.2.1", "2001:db8::/64", "2001:db8::1")
_ENDPOINT = Endpoint(_BRIDGE, "eth0", link="veth-doctor", mac="02:42:00:00:00:02", address4="192.0.2.2", default4=True)


def bridges(scene: Scene) -> list[ProbeResult]:
    """A bridge and a pair of links in a hub of the doctor's own, and what the gate needs of traffic control there."""
    running = _running()
    now = _now(running)
    limit = hub_namespace.limit()  # of the host: inside the session there is another one
    if limit == 0:
        what = "this host allows no network namespaces: user.max_net_namespaces is 0"
        return [warning("bridges", what, EFFECT, "", hub_namespace.LIMIT_FIX), *now]
    scene.join()
    try:
        hub = hub_namespace.open_hub()
        network = _new_namespace(limit)
        try:
            made = attach.attach(hub, network, [_ENDPOINT], first=True)
        finally:
            os.close(network)
    except RootlessError as problem:
        fix = MODULES if "does not let you make" in problem.message else ""
        return [warning("bridges", problem.message, EFFECT, "" if fix else problem.hint or "", fix), *now]
    found = [ok("bridges", "a bridge and virtual Ethernet devices can be made, with routing rules of their own")]
    os.close(made.resolver_udp)
    os.close(made.resolver_tcp)
    lacking = gate.lacking(hub, _BRIDGE)
    os.close(hub)
    if lacking:
        now = _now(running, gate_works=False)
        what = f"this kernel's traffic control lacks what shows new connections to the network helper: {lacking}"
        found.append(not_available("gate", what, "outgoing TCP of containers on bridges goes by slirp4netns, slower", "", GATE_MODULES))
    elif diagnosis.tun_device() is None:  # else the network's line says so
        found.append(ok("gate", "outgoing TCP of containers on bridges can be made by the host's own sockets"))
    return found + now


def _new_namespace(limit: int) -> int:
    """A network namespace that is kept by this descriptor alone."""
    ready, tell = os.pipe()
    hold, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end)
            namespace.unshare(namespace.CLONE_NEWNET)
            os.write(tell, b"1")
            os.read(hold, 1)
        finally:
            os._exit(0)
    os.close(tell)
    os.close(hold)
    try:
        if not os.read(ready, 1):
            raise NotSupported(
                f"this host makes no more network namespaces: user.max_net_namespaces is {limit}",
                hint=f"stop containers, or an administrator allows more: {hub_namespace.LIMIT_FIX}",
            )
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(end)
        os.waitpid(pid, 0)


def _running() -> ProbeResult | dict[str, str] | None:
    """What netd says of itself, or why there can be none; None: there is none. Before the session of the doctor's own."""
    runtime = paths.runtime_dir()
    try:
        hub, holder = connection.hub_from_holder(runtime)
    except (connection.NoHolder, OSError):
        return None  # no session: the next command makes it, with a hub
    if hub < 0:
        what = "the session was started where it could have no network namespace for bridges"
        return warning("networks", what, EFFECT, f"kill {holder}    (the next command starts it again, containers go on)")
    os.close(hub)
    try:
        return netd.status(runtime)
    except (netd.NoNetd, RootlessError):
        return None  # no container is on a bridge


def _now(status: ProbeResult | dict[str, str] | None, *, gate_works: bool = True) -> list[ProbeResult]:
    """What the user's networks go by. Without the kernel's part of the gate, that of netd gets nothing to see."""
    if not isinstance(status, dict):
        return [status] if status else []
    count = status["containers"]
    if status["uplink"] != "on":
        return [warning("networks", f"{count} containers are on bridges, and the way out (slirp4netns) does not run",
                        "UDP and ping reach nothing outside", "it is started again within ten seconds; if not, the network's "
                        "line says why")]  # fmt: skip
    tcp = "the host's own sockets" if status["gate"] == "on" and gate_works else "slirp4netns"
    return [ok("networks", f"{count} containers are on bridges; their outgoing TCP is by {tcp}, the rest by slirp4netns")]


PROBES = (Probe("bridges", bridges, needs="user namespace"),)
