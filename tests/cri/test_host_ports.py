"""hostPort, by CNI's portmap, which an ordinary user's root may tell the firewall of his own network namespace."""

from __future__ import annotations

from collections.abc import Callable

from tests.cri.containerd import Containerd
from tests.cri.pod import Pod
from tests.cri.test_pods import READY, SERVE
from tests.need import need_program

UDP = 1  # Protocol
OUTSIDE = "10.0.2.100"  # of slirp4netns
# A server in the network namespace $0, which busybox has none of, asked until it is there.
ECHO = """nsenter --net=/run/netns/$0 socat UDP-RECVFROM:53,fork EXEC:cat & server=$!
for i in $(seq 50); do heard=$(echo word | socat -t 0.5 - UDP:127.0.0.1:18053 2>&1); [ "$heard" = word ] && break; done
kill $server; echo $heard"""


def test_ports_of_the_host(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """From the node by each of its addresses, from another pod and from itself; one of an address alone; UDP; and gone with the pod."""
    need_program("iptables")
    need_program("curl")
    ports = [
        {"container_port": 8080, "host_port": 18080},
        {"container_port": 8080, "host_port": 18081, "host_ip": "127.0.0.1"},
        {"container_port": 53, "host_port": 18053, "protocol": UDP},
    ]
    web = pod("web", ports=ports)
    server = web.run("server", SERVE + "exec sleep 1000")
    assert containerd.inside("sh", "-c", ECHO, containerd.inside("ls", "/run/netns").stdout.strip()).stdout == "word\n"
    visitor = pod("visitor")
    client = visitor.run("client", "exec sleep 1000")
    assert web.exec(server, "sh", "-c", READY)[0] == 0

    def fetch(address: str) -> str:
        return containerd.inside("curl", "-s", f"http://{address}/").stdout

    assert [fetch(f"{host}:18080") for host in ("127.0.0.1", OUTSIDE)] == ["pod\n", "pod\n"]
    assert [fetch(f"{host}:18081") for host in ("127.0.0.1", OUTSIDE)] == ["pod\n", ""]
    for box, container in ((visitor, client), (web, server)):
        assert box.exec(container, "wget", "-qO-", f"http://{OUTSIDE}:18080/") == (0, "pod\n")
    containerd.call("StopPodSandbox", pod_sandbox_id=web.id)
    assert fetch("127.0.0.1:18080") == ""
    assert "DNAT --to" not in containerd.inside("iptables", "-t", "nat", "-S").stdout
