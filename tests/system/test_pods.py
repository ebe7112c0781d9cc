"""Pods, as users have them: what their containers share, how they start and end as one, and what is left behind: nothing."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.harness.pods import Pods
from tests.harness.processes import wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetch(port: int) -> str:
    """What the server at the published port says; "" while there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_what_containers_of_a_pod_share(pods: Pods) -> None:
    port = free_port()
    pods.create("app", "-p", f"{port}:80")
    assert pods.status("app") == "Created"
    serve = "echo from the pod > /index.html; exec httpd -f -p 80 -h /"
    pods.run("app", "web", command=("sh", "-c", serve))
    pods.run("app", "other")
    assert pods.status("app") == "Running"
    wait_until(lambda: fetch(port) == "from the pod\n", "the server")
    assert pods.inside("other", "wget", "-qO-", "http://localhost/") == "from the pod\n"
    assert pods.inside("other", "wget", "-qO-", "http://web/") == "from the pod\n"
    # One host name, one /dev/shm and System V IPC, one network; processes and files are each container's own.
    assert pods.inside("web", "hostname") == pods.inside("other", "hostname") == "app\n"
    assert pods.inside("web", "sh", "-c", "echo $HOSTNAME") == "app\n"
    pods.inside("web", "sh", "-c", "echo shared > /dev/shm/file")
    assert pods.inside("other", "cat", "/dev/shm/file") == "shared\n"
    for kind, same in (("net", True), ("ipc", True), ("uts", True), ("user", True), ("pid", False), ("mnt", False)):
        links = {pods.inside(name, "readlink", f"/proc/self/ns/{kind}") for name in ("web", "other")}
        assert (len(links) == 1) is same, kind
    assert "/index.html" not in pods.inside("other", "ls", "-d", "/index.html", status=None)
    rows = pods.rootless("ps", "--pod", "--format", "{{.Names}} {{.PodName}} {{.Ports}}").lines
    assert f"web app 0.0.0.0:{port}->80/tcp" in [row.partition(",")[0] for row in rows]
    assert f"80/tcp -> 0.0.0.0:{port}" in pods.rootless("port", "other").lines
    pods.rootless("pod", "rm", "-f", "-t", "0", "app")
    assert pods.rootless("ps", "-aq").lines == []
    assert pods.rootless("pod", "ps", "-q").lines == []


def test_a_containers_own_words_are_the_pods(pods: Pods) -> None:
    """Podman's refusals; nothing is made."""
    pods.create("app", "--network", "none")
    network = "network cannot be configured when it is shared with a pod"
    for option, words in {
        "-p=80:80": f"published or exposed ports must be defined when the pod is created: {network}",
        "-P": f"published or exposed ports must be defined when the pod is created: {network}",
        "--network=host": f"networks must be defined when the pod is created: {network}",
        "--ip=10.0.0.5": f"networks must be defined when the pod is created: {network}",
        "--network-alias=x": f"networks must be defined when the pod is created: {network}",
        "--mac-address=02:42:00:00:00:01": f"networks must be defined when the pod is created: {network}",
        "--add-host=a:10.0.0.1": f"extra host entries must be specified on the pod: {network}",
        "--dns=10.0.0.1": f"DNS servers, search domains and options must be specified on the pod: {network}",
        "--hostname=x": "cannot set hostname when joining the pod UTS namespace",
        "--shm-size=1m": "cannot set shm-size when /dev/shm is shared with a pod",
        "--userns=keep-id": "--userns and --pod cannot be set together",
    }.items():
        for verb in ("run", "create"):
            refused = pods.rootless(verb, "--pod", "app", option, pods.image, "true", status=125)
            assert words in refused.stderr, option
    assert pods.rootless("ps", "-aq").lines == [pods.infra("app")[:12]]
    assert "no pod with name or ID nosuch found: no such pod" in pods.rootless("run", "--pod", "nosuch", pods.image, status=125).stderr
    # What is not shared is the container's to choose.
    assert pods.rootless("run", "--rm", "--pod", "app", "--uts", "private", "--hostname", "own", pods.image, "hostname").stdout == "own\n"
    assert pods.rootless("run", "--rm", "--pod", "app", "--ipc", "private", "--shm-size", "1m", pods.image, "ls", "/dev/shm").stdout == ""


def test_start_stop_and_status(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    pods.rootless("create", "--init", "--pod", "app", "--name", "one", pods.image, "sleep", "1000")
    pods.rootless("create", "--init", "--pod", "app", "--name", "two", pods.image, "sleep", "1000")
    identifier = pods.inspect("app")["Id"]
    assert pods.status("app") == "Created"
    assert pods.rootless("pod", "start", "app").lines == [identifier]
    assert pods.states("app") == {"infra": "running", "one": "running", "two": "running"}
    assert pods.status("app") == "Running"
    pods.rootless("stop", "one")
    assert pods.status("app") == "Degraded"
    pods.rootless("pod", "pause", "app")
    assert (pods.status("app"), pods.states("app")["two"]) == ("Stopped", "paused")
    pods.rootless("pod", "unpause", "app")
    assert pods.rootless("pod", "stop", identifier[:12]).lines == [identifier]
    assert pods.status("app") == "Exited"
    assert pods.state(pods.infra("app"))["ExitCode"] == 0, "the infra ends when it is asked to"
    # A container brings its pod's infra up, and no other.
    pods.rootless("start", "two")
    assert pods.states("app") == {"infra": "running", "one": "exited", "two": "running"}
    assert pods.rootless("pod", "restart", "app").lines == [identifier]
    assert pods.states("app") == {"infra": "running", "one": "running", "two": "running"}
    assert pods.rootless("pod", "kill", "app").lines == [identifier]
    assert set(pods.states("app").values()) == {"exited"}
    assert "is running" not in pods.rootless("pod", "rm", "app").stderr
    assert pods.rootless("ps", "-aq").lines == []


def test_rm_refuses_what_runs(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    pods.run("app", "one")
    infra = pods.infra("app")
    refused = pods.rootless("pod", "rm", "app", status=125).stderr
    assert "cannot remove pod app as container one is running - running or paused containers cannot be removed without force" in refused
    assert pods.states("app") == {"infra": "running", "one": "running"}, "nothing is removed by halves"
    for words in (("rm", infra), ("rm", "-f", infra)):
        refused = pods.rootless(*words, status=1).stderr
        assert f"container {infra} is the infra container of pod" in refused
        assert "cannot be removed without removing the pod" in refused
    pods.rootless("container", "prune", "-f")
    assert pods.states("app") == {"infra": "running", "one": "running"}
    pods.rootless("stop", "one")
    pods.rootless("pod", "rm", "app")
    assert "no pod with name or ID app found: no such pod" in pods.rootless("pod", "rm", "app", status=1).stderr
    assert pods.rootless("pod", "rm", "-f", "app").stdout == ""
    assert pods.rootless("pod", "rm", "--ignore", "app").stdout == ""


def test_names_of_pods_and_containers_are_one_namespace(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    pods.run("app", "one")
    assert 'name "app" is in use: pod already exists' in pods.rootless("pod", "create", "app", status=125).stderr
    assert 'name "one" is in use: container already exists' in pods.rootless("pod", "create", "one", status=125).stderr
    assert 'name "app" is in use: pod already exists' in pods.rootless("create", "--name", "app", pods.image, status=125).stderr
    assert 'name "app" is in use: pod already exists' in pods.rootless("rename", "one", "app", status=1).stderr
    assert "one is a container, not a pod: no such pod" in pods.rootless("pod", "inspect", "one", status=125).stderr
    assert "No such container: app" in pods.rootless("start", "app", status=1).stderr
    pods.create("app", "--network", "none", "--replace")
    assert pods.states("app") == {"infra": "created"}


def test_new_pod_of_run(pods: Pods) -> None:
    port = free_port()
    pods.rootless("run", "-d", "--init", "--pod", "new:app", "--name", "web", "-p", f"{port}:80", "-h", "front", pods.image,
                  "sh", "-c", "echo new > /index.html; exec httpd -f -p 80 -h /")  # fmt: skip
    wait_until(lambda: fetch(port) == "new\n", "the server")
    assert pods.inside("web", "hostname") == "front\n"
    assert pods.states("app") == {"infra": "running", "web": "running"}
    taken = pods.rootless("run", "-d", "--pod", "new:app", pods.image, "true", status=125).stderr
    assert 'adding pod to state: name "app" is in use: pod already exists' in taken
    assert "new pod name must be at least one character" in pods.rootless("run", "--pod", "new:", pods.image, status=125).stderr
    # A pod that was made for a container which cannot be made goes again.
    pods.rootless("run", "--pod", "new:gone", "-w", "relative", pods.image, "true", status=125)
    pods.rootless("pod", "exists", "gone", status=1)


def test_a_volume_of_a_pod_is_in_use(pods: Pods) -> None:
    """Before any container has it, too."""
    pods.rootless("volume", "create", "data")
    pods.create("app", "-v", "data:/data")
    assert pods.rootless("volume", "prune", "-af").lines == ["Total reclaimed space: 0B"]
    assert "volume is in use" in pods.rootless("volume", "rm", "data", status=1).stderr
    pods.rootless("pod", "rm", "-f", "-t", "0", "app")
    pods.rootless("volume", "rm", "data")


def test_id_file(pods: Pods, tmp_path: Path) -> None:
    path = tmp_path / "pod.id"
    identifier = pods.create("app", "--network", "none", "--pod-id-file", str(path))
    assert path.read_text() == identifier
    assert "pod id file exists" in pods.rootless("pod", "create", "--pod-id-file", str(path), status=125).stderr
    pods.rootless("create", "--pod-id-file", str(path), "--name", "one", pods.image, "true")
    assert pods.states("app") == {"infra": "created", "one": "created"}
    for verb in ("start", "stop", "rm"):
        assert pods.rootless("pod", verb, "--pod-id-file", str(path)).lines == [identifier]


@pytest.mark.parametrize("who", ["infra", "monitor"])
def test_a_killed_infra(pods: Pods, who: str) -> None:
    """Its containers go on; what starts anew would be in other namespaces, so all of the pod does."""
    port = free_port()
    pods.create("app", "-p", f"{port}:80")
    pods.run("app", "web", command=("sh", "-c", "echo again > /index.html; exec httpd -f -p 80 -h /"))
    pods.run("app", "other")
    wait_until(lambda: fetch(port) == "again\n", "the server")
    state = pods.state(pods.infra("app"))
    os.kill(state["Pid"] if who == "infra" else state["MonitorPid"], signal.SIGKILL)
    wait_until(lambda: pods.status("app") == "Degraded", "the end of the infra")
    assert pods.states("app") == {"infra": "exited", "web": "running", "other": "running"}
    assert pods.inside("other", "wget", "-qO-", "http://localhost/") == "again\n"
    for words in (("pod", "start", "app"), ("run", "--rm", "--pod", "app", pods.image, "true")):
        refused = pods.rootless(*words, status=125).stderr
        assert "containers of the pod still run in the namespaces that it had" in refused
        assert "rootless pod restart app" in refused
    pods.rootless("pod", "restart", "app")
    assert pods.status("app") == "Running"
    wait_until(lambda: fetch(port) == "again\n", "the server")


def test_shared_pids(pods: Pods) -> None:
    pods.create("app", "--network", "none", "--share", "+pid")
    assert pods.inspect("app")["SharedNamespaces"] == ["ipc", "net", "pid", "uts"]
    pods.run("app", "one")
    seen = pods.inside("one", "ps", "-o", "pid,args")
    assert "rootless-init -P" in next(line for line in seen.splitlines() if line.split()[0] == "1")
    pods.run("app", "two")
    assert "sleep 1000" in pods.inside("one", "ps", "-o", "args")
    assert len(pods.rootless("pod", "top", "app", "-o", "pid,args").lines) == 6
