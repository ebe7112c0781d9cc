"""Kernels that lack a part of what networks are made of: the next rung of the ladder is taken, and said."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.own_host import FAR, HOST, VISITORS
from tests.harness.processes import wait_until
from tests.need import need_program
from tests.system.own_net import LIMIT, Net, asked, net

__all__ = ["net"]
pytestmark = LIMIT


@pytest.fixture
def lacking(net: Net, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Net]:
    """`net` on a kernel that does not know the kind of link, queueing discipline, classifier or action that is the parameter
    (kernel_lacks.c)."""
    library = tmp_path / "kernel_lacks.so"
    source = Path(__file__).with_name("kernel_lacks.c")
    subprocess.run(
        [need_program("cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-Wall", "-Werror", source, "-o", library], check=True, timeout=100
    )
    before = net.rootless.argv
    net.rootless.argv = ["env", f"LD_PRELOAD={library}", f"KERNEL_LACKS={request.param}", *before]
    yield net
    net.rootless.argv = before


def doctor(net: Net, name: str) -> list[dict[str, str]]:
    found = json.loads(net.rootless("doctor", "--json", status=None).stdout)["findings"]
    return [each for each in found if each["name"] == name]


@pytest.mark.parametrize("lacking", ["ingress", "u32", "mirred"], indirect=True)
def test_without_traffic_control_tcp_goes_by_the_uplink(lacking: Net) -> None:
    net = lacking
    net.host.internet_servers()
    net.rootless("network", "create", "app")
    serve = ("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80")
    net.run("one", "--network", "app", "-p", "8080:80", command=serve)
    net.run("default")
    for name, network in (("one", "app"), ("default", "bridge")):
        assert net.sh(name, f"curl -sS http://{FAR[0]}/who; curl -sS http://{FAR[0]}/size/3000000 | wc -c") == f"{HOST[0]}\n3000000\n"
        assert "refused" in net.rootless("exec", name, "nc", "-vzw9", FAR[0], "9", status=1).stderr
        assert net.sh(name, f"echo x | socat -T9 - UDP4:{FAR[0]}:7") == f"{HOST[0]}\n"
        assert net.endpoint(name, network)["Outgoing"] == net.network(network)["Outgoing"] == "slirp4netns"
    net.run("two", "--network", "app")
    wait_until(lambda: net.rootless("exec", "two", "curl", "-sS", "http://one/", status=None).status == 0, "a neighbour, by its name")
    assert "Directory listing" in asked(net.host, VISITORS[0], f"http://{HOST[0]}:8080/")
    (gate,) = doctor(net, "gate")
    assert gate["status"] == "not available"
    assert gate["what"].startswith("this kernel's traffic control lacks what shows new connections to the network helper: ")
    assert "modprobe -a sch_ingress cls_u32 act_mirred" in gate["fix_admin"]
    (networks,) = doctor(net, "networks")
    assert "3 containers are on bridges; their outgoing TCP is by slirp4netns" in networks["what"]


@pytest.mark.parametrize("lacking", ["bridge", "veth"], indirect=True)
def test_without_bridges_the_default_network_is_slirp4netns(lacking: Net) -> None:
    """And a network that was named is an error."""
    net = lacking
    net.host.internet_servers()
    net.run("one", "-p", "8080:80", command=("sh", "-c", "mkdir /w; cd /w; exec python3 -m http.server 80"))
    assert net.sh("one", f"curl -sS http://{FAR[0]}/who") == f"{HOST[0]}\n"
    reason = net.endpoint("one", "bridge")["InsteadOfBridge"]
    assert reason.startswith("no network: this host does not let you make ")
    wait_until(lambda: "Directory listing" in asked(net.host, VISITORS[0], f"http://{HOST[0]}:8080/"), "the web server")
    net.rootless("network", "create", "app")
    refused = net.rootless("run", "--rm", "--network", "app", net.image, "true", status=125).stderr
    assert refused.splitlines()[0] == f"rootless: {reason}"
    (bridges,) = doctor(net, "bridges")
    assert (bridges["status"], bridges["what"]) == ("warning", reason)
    assert "modprobe -a bridge veth" in bridges["fix_admin"]
    assert net.rootless("ps", "-q").lines == net.rootless("ps", "-aq").lines


def test_without_tun_the_default_network_says_so(net: Net) -> None:
    """Neither a bridge's way out nor a slirp4netns can be had then."""
    net.host.run("mount", "-t", "tmpfs", "none", "/dev/net")
    refused = net.rootless("run", "--rm", net.image, "true", status=125).stderr.splitlines()
    assert refused[0] == "rootless: no network: /dev/net/tun does not exist"
    assert refused[1].startswith("hint: ")
    assert net.rootless("ps", "-aq").lines == []
    net.host.run("umount", "/dev/net")
    net.rootless("run", "--rm", net.image, "true")
