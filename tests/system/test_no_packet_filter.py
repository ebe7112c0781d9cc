"""Networks need no netfilter: no program of it is run, no socket of it made, no firewall's daemon spoken to."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL

from tests.harness.own_host import FAR, HOST, VISITORS
from tests.harness.processes import wait_until
from tests.need import need_program
from tests.system.own_net import LIMIT, Net, asked, net
from tests.system.test_network_churn import pids

__all__ = ["net"]
pytestmark = LIMIT
FILTERS = re.compile(r"nft|(ip6?|eb|arp|x)tables.*|firewall.*|ufw|ipset|conntrack|modprobe|sysctl|ip|tc|bridge")
SERVE = ("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80")


def test_two_runtimes_without_a_packet_filter(net: Net, tmp_path: Path) -> None:
    """Everything that networks have, in a hub for each of two RUNTIMEs; seen by strace from the first program on."""
    net.host.internet_servers()
    second = tmp_path / "runtime"
    second.mkdir(mode=0o700)
    places: tuple[dict[str, str], ...] = ({}, {"XDG_RUNTIME_DIR": str(second)})
    for place in places:
        net.rootless("unshare", "true", env=place)  # the session: newuidmap has no powers under strace
    calls = "trace=execve,execveat,socket,connect"
    strace = [need_program("strace"), "-D", "-ff", "-qq", "-e", calls, "-o", str(tmp_path / "calls")]
    untraced = net.rootless.argv

    def traced(*words: str, env: Mapping[str, str] = places[0]) -> None:
        """The tracer stays with what the command leaves, and has the command's streams."""
        net.rootless.argv = [*strace, *untraced]
        process = net.rootless.start(*words, env=dict(env), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        net.rootless.argv = untraced
        assert process.wait(60) == 0, words

    traced("network", "create", "--ipv6", "app")
    traced("network", "create", "other")
    for number, place in enumerate(places):
        port, one, two = 8080 + number, f"one{number}", f"two{number}"
        traced("run", "-d", "--name", one, "--network", "app", "-p", f"{port}:80", net.image, *SERVE, env=place)
        traced("run", "-d", "--name", two, net.image, "sleep", "600", env=place)
        traced("network", "connect", "app", two, env=place)
        served = f"for i in $(seq 100); do curl -sS http://{one}/ >/dev/null && break; sleep 0.1; done"
        out = f"curl -sS http://{FAR[0]}/who; echo x | socat -T9 - UDP4:{FAR[0]}:7"
        assert net.sh(two, f"{served}; {out}") == f"{HOST[0]}\n" * 2
        traced("network", "disconnect", "bridge", two, env=place)
        assert net.sh(two, f"curl -sS http://{FAR[0]}/who") == f"{HOST[0]}\n"
        assert "Directory listing" in asked(net.host, VISITORS[0], f"http://{HOST[0]}:{port}/")
    for pid in pids("rootless: networks"):
        with contextlib.suppress(ProcessLookupError):  # the two of each end together
            os.kill(pid, signal.SIGKILL)
    for number in range(len(places)):
        wait_until(lambda: "Directory" in asked_again(net, 8080 + number), "the repair")  # noqa: B023
        # One is repaired after the other.
        found = f"{{ getent hosts one{number} || true; }} | wc -l"
        wait_until(lambda: net.sh(f"two{number}", found) == "1\n", "the repair of who asks")  # noqa: B023
    traced("rm", "-f", *net.rootless("ps", "-aq").lines)
    traced("network", "rm", "app", "other")
    told = "".join(file.read_text(errors="replace") for file in tmp_path.glob("calls.*"))
    programs = {os.path.basename(path) for path in re.findall(r'execve(?:at)?\((?:\w+, )?"([^"]+)"', told)}
    assert {"slirp4netns", "rootless-netd", "rootless-monitor"} <= programs
    assert "NETLINK_ROUTE" in told
    assert not [program for program in programs if FILTERS.fullmatch(program)]
    assert "NETLINK_NETFILTER" not in told
    assert "system_bus_socket" not in told


def asked_again(net: Net, port: int) -> str:
    """What the published port says, also where nobody answers there."""
    return net.host.run("sh", "-c", f"curl -sS --interface {VISITORS[0]} http://{HOST[0]}:{port}/ || true", where=net.host.outside)
