"""Kubernetes files played: one real pod that has most of it, what fails and leaves nothing, and the way there and back."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.registry import free_port
from tests.kube.conftest import Kube

APP = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: appdata}}
spec: {{accessModes: [ReadWriteOnce]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: sec}}
stringData: {{pw: geheim}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec:
  selector: {{matchLabels: {{app: x}}}}
  template:
    metadata: {{labels: {{app: x}}}}
    spec:
      hostname: inside
      terminationGracePeriodSeconds: 0
      hostAliases: [{{ip: 10.9.8.7, hostnames: [far]}}]
      initContainers:
      - name: first
        image: busybox
        command: [sh, -c, "echo made > /e/f && echo kept > /d/k"]
        volumeMounts: [{{name: e, mountPath: /e}}, {{name: d, mountPath: /d, subPath: a/b}}]
      containers:
      - name: web
        image: busybox
        args: [sh, -c, "httpd -f -p 80 -h /e"]
        ports: [{{containerPort: 80, hostPort: {port}, hostIP: 127.0.0.1}}]
        env: [{{name: PW, valueFrom: {{secretKeyRef: {{name: sec, key: pw}}}}}}]
        livenessProbe: {{httpGet: {{port: 80, path: /f}}, periodSeconds: 1, timeoutSeconds: 20}}
        securityContext: {{readOnlyRootFilesystem: true, capabilities: {{drop: [ALL], add: [NET_BIND_SERVICE]}}}}
        volumeMounts:
        - {{name: e, mountPath: /e}}
        - {{name: s, mountPath: /s}}
        - {{name: s, mountPath: /pw, subPath: pw}}
        - {{name: h, mountPath: /host, readOnly: true}}
      - name: side
        image: busybox
        command: [sleep, "1000"]
        volumeMounts: [{{name: e, mountPath: /e}}, {{name: d, mountPath: /data}}, {{name: m, mountPath: /m}}]
      volumes:
      - {{name: e, emptyDir: {{}}}}
      - {{name: m, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
      - {{name: s, secret: {{secretName: sec, defaultMode: 0400}}}}
      - {{name: d, persistentVolumeClaim: {{claimName: appdata}}}}
      - {{name: h, hostPath: {{path: {directory}, type: Directory}}}}
"""
ONE = """\
apiVersion: v1
kind: Pod
metadata: {{name: one}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{{name: c, image: busybox, command: {command}}}]
{more}
"""


def one(command: str = '[sleep, "1000"]', more: str = "") -> str:
    """A pod with one container, and more of its spec."""
    return ONE.format(command=command, more=more)


def fetched(port: int) -> str:
    """/f from what listens on the host's port; "" where nothing does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(b"GET /f HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: sock.recv(4096), b"")).decode().rpartition("\r\n\r\n")[2]
    except OSError:
        return ""


def test_a_deployment(kube: Kube, tmp_path: Path) -> None:
    rootless, port, directory = kube.rootless, free_port(), tmp_path / "host"
    directory.mkdir()
    (directory / "file").write_text("of the host")
    kube.file(APP.format(port=port, directory=directory))
    said = kube("play").lines
    assert said[:3] == ["Volumes:", "appdata", ""]
    assert said[3] == "Pod:"
    assert said[5] == "Containers:"
    assert len(said) == 9, "two containers: the first has gone"
    pod = json.loads(rootless("pod", "inspect", "app-pod").stdout)
    pod = pod[0] if isinstance(pod, list) else pod
    assert pod["Id"] == said[4]
    assert sorted(rootless("ps", "--format", "{{.Names}}", "--filter", "label=app=x").lines) == ["app-pod-side", "app-pod-web"]
    wait_until(lambda: fetched(port) == "made\n", "the web server answers")
    assert kube.execute("app-pod-web", "sh", "-c", "cat /pw /s/pw; echo $PW; cat /host/file; hostname").split() == [
        "geheimgeheimgeheim", "of", "the", "hostinside",
    ]  # fmt: skip
    assert "10.9.8.7" in kube.execute("app-pod-side", "cat", "/etc/hosts")
    assert kube.execute("app-pod-web", "stat", "-c", "%a", "/s/pw", "/e").split() == ["400", "777"]
    for path in ("/s/x", "/x", "/host/x"):
        kube.execute("app-pod-web", "touch", path, status=1)
    assert kube.execute("app-pod-side", "cat", "/data/a/b/k", "/e/f").split() == ["kept", "made"]
    assert "tmpfs" in kube.execute("app-pod-side", "grep", " /m ", "/proc/mounts")
    wait_until(lambda: "healthy" in rootless("ps", "--filter", "name=app-pod-web", "--format", "{{.Status}}").stdout, "healthy")

    assert "pod already exists" in kube("play", status=125).stderr
    before = set(rootless("volume", "ls", "-q").lines)
    kube("play", "--replace")
    after = set(rootless("volume", "ls", "-q").lines)
    assert before & after == {"appdata"}, "the others are new"
    assert len(before) == len(after)

    # One container removed with its volumes leaves those that another one mounts.
    rootless("rm", "-fv", "-t", "0", "app-pod-web")
    assert kube.execute("app-pod-side", "cat", "/e/f") == "made\n"
    done = kube("down").lines
    assert done[0] == "Pods stopped:"
    assert done[2] == "Pods removed:"
    assert done[4:] == ["Secrets removed:", "Volumes removed:"]
    assert rootless("volume", "ls", "-q").lines == ["appdata"]
    assert kube("down", "--force").lines == ["Pods stopped:", "Pods removed:", "Secrets removed:", "Volumes removed:", "appdata"]
    assert rootless("ps", "-aq").lines == rootless("volume", "ls", "-q").lines == []


def test_what_fails_leaves_nothing(kube: Kube, tmp_path: Path) -> None:
    rootless = kube.rootless

    def refused(text: str, says: str, *words: str, status: int = 125) -> None:
        kube.file(text)
        assert says in kube("play", *words, status=status).stderr
        assert rootless("pod", "ps", "-q").lines == rootless("ps", "-aq").lines == rootless("volume", "ls", "-q").lines == []

    refused(one(more="  lifecycle: {}"), "spec.lifecycle: is not supported")
    refused(one().replace("busybox", "no.invalid/x").replace("command", "imagePullPolicy: Never, command"), "no.invalid/x")
    missing = f"  volumes: [{{name: h, hostPath: {{path: {tmp_path}/none, type: File}}}}]"
    refused(one(more=missing), f"{tmp_path}/none does not exist")
    mounts = one().replace("command", "volumeMounts: [{name: e, mountPath: /e}, {name: h, mountPath: /h}], command")
    lost = f"  volumes: [{{name: e, emptyDir: {{}}}}, {{name: h, hostPath: {{path: {tmp_path}/none}}}}]"
    refused(mounts + lost, f"bind source path does not exist: {tmp_path}/none")
    init = "  initContainers: [{name: i, image: busybox, command: ['true']}]"
    refused(one(more=init), "spec.initContainers: run before the others", "--start=false")
    root = one().replace("command", "securityContext: {runAsNonRoot: true}, command")
    refused(root, "runAsNonRoot: the image runs as 'root'")
    refused(one(more="  hostNetwork: true"), "spec.hostNetwork: is the network", "--network", "none")
    assert "no such file" in kube.rootless("kube", "play", tmp_path / "none.yaml", status=125).stderr


def test_an_init_container_that_fails(kube: Kube) -> None:
    kube.file(one(more="  initContainers: [{name: i, image: busybox, command: [sh, -c, 'echo why; exit 3']}]"))
    said = kube("play", status=125).stderr
    assert "init container one-i ended with 3: the pod is not started" in said
    assert kube.rootless("logs", "one-i").stdout == "why\n"
    assert kube.rootless("ps", "-a", "--filter", "name=one-c", "--format", "{{.State}}").stdout == "created\n"
    kube("down")


def test_a_link_in_a_claim_leads_nowhere(kube: Kube, rootless: Rootless, tmp_path: Path) -> None:
    """CVE-2017-1002101: a container leaves a link at the place that the next one mounts a part of."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "file").write_text("of the host")
    rootless("run", "--rm", "--network", "none", "-v", "claim:/d", "busybox", "ln", "-s", outside, "/d/sub")
    mounts = "volumeMounts: [{name: c, mountPath: /c, subPath: sub/below}], command"
    claim = "  volumes: [{name: c, persistentVolumeClaim: {claimName: claim}}]"
    for text in (mounts, mounts.replace("/below", "")):
        kube.file(one("['ls', '/c']").replace("command", text) + claim)
        assert "cannot access path sub" in kube("play", status=125).stderr
        assert rootless("logs", "one-c", status=None).stdout == ""
        kube("down")
    assert os.listdir(outside) == ["file"]
    assert outside.stat().st_mode & 0o777 == 0o700


def test_standard_input_and_the_words_of_a_command_line(rootless: Rootless, kube: Kube, tmp_path: Path) -> None:
    port = free_port()
    maps = tmp_path / "maps.yaml"
    maps.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {A: from-a-map}\n")
    text = one().replace("command", "envFrom: [{configMapRef: {name: more}}], command")
    words = ("--configmap", str(maps), "-p", f"127.0.0.1:{port}:80", "--log-driver", "none", "--start=false")
    rootless("play", "kube", *words, "-", stdin=text)
    found = json.loads(rootless("container", "inspect", "one-c").stdout)[0]
    assert found["State"]["Status"] == "created"
    assert "A=from-a-map" in found["Config"]["Env"]
    assert found["HostConfig"]["LogConfig"]["Type"] == "none"
    rootless("pod", "start", "one")
    assert str(port) in rootless("port", "one-c").stdout
    assert rootless("kube", "down", "-", stdin=text).lines[0] == "Pods stopped:", "without the map"
    assert rootless("pod", "ps", "-q").lines == []


def test_there_and_back(kube: Kube, rootless: Rootless, tmp_path: Path) -> None:
    rootless("volume", "create", "named")
    value = "$(HOME) $y"
    rootless(
        "create", "--name", "box", "-e", f"X={value}", "-e", "HTTPS_PROXY=http://me:geheim@proxy",
        "-w", "/tmp", "-v", "named:/data", "-v", f"{tmp_path}:/host:ro", "--tmpfs",
        "/m:size=1m", "-p", "127.0.0.1::80", "--cap-drop", "ALL", "--read-only", "-u", "5:6", "--restart", "always", "-l", "a=b",
        "-l", "c=not a label", "--health-cmd", "true", "--health-interval", "2s", "--ulimit", "nofile=100", "--stop-timeout", "0",
        "busybox", "sleep", "1000",
    )  # fmt: skip
    done = rootless("kube", "generate", "box", warns=True)
    assert "box: ulimits has no counterpart" in done.stderr
    assert "box: HTTPS_PROXY is this host's" in done.stderr
    assert "geheim" not in done.stdout
    rootless("rm", "box")
    kube.file(done.stdout)
    kube("play", warns=True)
    assert kube.execute("box-pod-box", "sh", "-c", "echo $X; pwd; id -u; id -g").split("\n") == [value, "/tmp", "5", "6", ""]
    found = json.loads(rootless("container", "inspect", "box-pod-box").stdout)[0]
    assert found["Config"]["Cmd"] == ["sleep", "1000"]
    assert found["Config"]["Labels"]["a"] == "b"
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["CAP_ALL"] or found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert found["Config"]["Healthcheck"]["Interval"] == 2 * 10**9
    mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
    assert mounts["/data"]["Name"] == "named"
    assert (mounts["/host"]["Source"], mounts["/host"]["RW"]) == (os.path.realpath(tmp_path), False)
    again = rootless("kube", "generate", "box-pod", warns=True).stdout
    assert "name: box-pod\n" in again
    assert "name: box\n" in again, "the container's, without the pod's"
    assert "is in a pod" in rootless("kube", "generate", "box-pod-box", status=125).stderr
    deployment = rootless("kube", "generate", "-t", "deployment", "box-pod", warns=True).stdout
    kube("down", "--force")
    kube.file(deployment)
    kube("play", "--start=false", warns=True)
    assert rootless("pod", "ps", "--format", "{{.Name}}").lines == ["box-pod"]
    target = tmp_path / "out.yaml"
    rootless("kube", "generate", "-f", target, "box-pod", warns=True)
    assert target.read_text().startswith("# Save the output")
    assert target.stat().st_mode & 0o777 == 0o600, "variables may be passwords"
    assert "file exists" in rootless("kube", "generate", "-f", target, "box-pod", status=125, warns=True).stderr


def test_a_compose_project(kube: Kube, rootless: Rootless, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "name: shop\nservices:\n  web: {image: busybox, command: [sleep, '1000'], volumes: ['data:/d'], stop_grace_period: 0s}\n"
        "  db: {image: busybox, command: [sleep, '1000'], stop_grace_period: 0s}\nvolumes: {data: {}}\n"
    )
    rootless("compose", "-f", tmp_path / "compose.yaml", "create")
    # What an image says of itself makes nothing the project's.
    rootless("create", "--name", "seed", "busybox", "true")
    labels = " ".join(f"com.docker.compose.{key}" for key in ("project=shop", "service=db", "config-hash=x"))
    rootless("commit", "-q", "-c", f"LABEL {labels}", "seed", "mole:1")
    rootless("create", "--name", "mole", "mole:1", "true")
    done = rootless("kube", "generate", "--project", "shop", warns=True)
    assert "mole" not in done.stdout
    rootless("rm", "seed", "mole")
    rootless("rmi", "mole:1")
    assert "rootless kube play --network shop FILE" in done.stderr
    rootless("compose", "-f", tmp_path / "compose.yaml", "down", "-v")
    kube.file(done.stdout)
    rootless("network", "create", "shop")
    try:
        kube("play", "--network", "shop", warns=True)
        assert sorted(rootless("pod", "ps", "--format", "{{.Name}}").lines) == ["db", "web"]
        names = rootless("ps", "--format", "{{.Names}}").lines
        (web,) = [name for name in names if name.startswith("web-")]
        wait_until(lambda: rootless("exec", web, "nslookup", "db", status=None).status == 0, "db is found by its name")
        kube("down", "--force")
    finally:
        rootless("network", "rm", "shop")
    assert "no container of a project" in rootless("kube", "generate", "--project", "none", status=125).stderr
