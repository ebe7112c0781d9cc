"""testcontainers: a server on a network of its own, waited for, copied into, asked from here and by its neighbour; ryuk removes a third."""

from __future__ import annotations

import os
import socket
import urllib.request

from testcontainers.core.container import DockerContainer, Reaper
from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy
from testcontainers.core.waiting_utils import wait_for_logs

SERVER = "mkdir /www; cp /etc/given /www/index.html; echo up; exec httpd -f -p 80 -h /www"

with Network() as network:
    web = DockerContainer("busybox").with_command(["sh", "-c", SERVER]).with_exposed_ports(80).with_env("A", "b")
    web.with_network(network).with_network_aliases("web").with_copy_into_container(b"served\n", "/etc/given")
    with web.waiting_for(LogMessageWaitStrategy("up")):
        HttpWaitStrategy(80).wait_until_ready(web)
        address = f"http://{web.get_container_host_ip()}:{web.get_exposed_port(80)}/"
        assert urllib.request.urlopen(address, timeout=60).read() == b"served\n"
        done = web.exec(["sh", "-c", "echo $A; exit 3"])
        assert (done.exit_code, done.output) == (3, b"b\n"), done
        assert web.get_logs()[0] == b"up\n"
        with DockerContainer("busybox").with_network(network).with_command("wget -qO- http://web/") as neighbour:
            wrapped = neighbour.get_wrapped_container()
            assert wrapped.wait()["StatusCode"] == 0, neighbour.get_logs()
            assert neighbour.get_logs()[0] == b"served\n"

# What a test that dies leaves behind: ryuk finds it by its label, once this program's connection has gone.
left = DockerContainer("busybox").with_command("sleep 1000").with_name("left")
left.start()
client = left.get_docker_client().client
labels = left.get_wrapped_container().labels
client.volumes.create("left", labels=labels)
client.networks.create("left", labels=labels)
left.get_wrapped_container().commit("left", "1", changes=[f"LABEL {key}={value}" for key, value in labels.items()])
reaper = Reaper._container
assert reaper is not None
# Its own connection may have come before the stand-in, a Python program, listened: testcontainers does not wait.
wait_for_logs(reaper, "Started!", timeout=60)
connection = socket.create_connection((reaper.get_container_host_ip(), int(reaper.get_exposed_port(8080))), 60)
connection.sendall(f"label={LABEL_SESSION_ID}={SESSION_ID}\r\n".encode())
assert connection.recv(4) == b"ACK\n"
print(reaper.get_wrapped_container().id, flush=True)
os._exit(0)  # as a test that is killed: an orderly end would stop ryuk
