"""A Kubernetes file read: every field that is known, and an error by path and line for everything else."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.kube.export_container import literal
from rootless.kube.load.model import Loaded, Pod
from rootless.kube.load.objects import load
from rootless.kube.load.values import expand
from rootless.yamltext.document import documents
from rootless.yamltext.emit import emit

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
WHOLE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, creationTimestamp: null}
data: {MODE: fast, a.txt: "text"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bytes}
immutable: true
binaryData: {raw: "AP8="}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
type: Opaque
data: {pw: Z2VoZWlt}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}, annotations: {note: "x"}}
spec:
  hostname: host
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 5
  shareProcessNamespace: true
  hostUsers: false
  automountServiceAccountToken: false
  enableServiceLinks: false
  hostAliases: [{ip: 10.0.0.1, hostnames: [a, b]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [10.0.0.53], searches: [lan], options: [{name: ndots, value: "2"}, {name: rotate}]}
  securityContext: {runAsUser: 7, runAsNonRoot: true, supplementalGroups: [8], sysctls: [{name: net.core.somaxconn, value: "9"}]}
  initContainers: [{name: first, image: i}]
  containers:
  - name: one
    image: busybox
    imagePullPolicy: Always
    command: [sh]
    args: [-c, "$(MODE) $$(MODE) $(X)"]
    workingDir: /w
    tty: true
    stdin: true
    envFrom: [{configMapRef: {name: conf}, prefix: C_}, {secretRef: {name: none, optional: true}}]
    env:
    - {name: MODE, valueFrom: {configMapKeyRef: {name: conf, key: MODE}}}
    - {name: PW, valueFrom: {secretKeyRef: {name: sec, key: pw}}}
    - {name: BOTH, value: "$(MODE)-$(PW)"}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    - {name: GONE, valueFrom: {configMapKeyRef: {name: conf, key: none, optional: true}}}
    ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1, name: http}, {containerPort: 53, protocol: UDP}]
    resources: {limits: {memory: 64Mi, cpu: 500m}, requests: {memory: 1M, cpu: "0.25"}}
    securityContext:
      runAsUser: 9
      runAsGroup: 10
      privileged: false
      allowPrivilegeEscalation: true
      readOnlyRootFilesystem: true
      capabilities: {add: [NET_ADMIN], drop: [ALL]}
      seccompProfile: {type: Unconfined}
      seLinuxOptions: {type: spc_t}
      procMount: Unmasked
    livenessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 1, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 4}
    volumeMounts:
    - {name: host, mountPath: /h/, mountPropagation: HostToContainer}
    - {name: data, mountPath: /d, subPath: a/b, readOnly: true}
    - {name: conf, mountPath: /c}
  volumes:
  - {name: host, hostPath: {path: /srv, type: Directory}}
  - {name: data, persistentVolumeClaim: {claimName: claim, readOnly: true}}
  - {name: conf, configMap: {name: conf, defaultMode: 0400, items: [{key: a.txt, path: x/a, mode: 0644}]}}
  - {name: bytes, configMap: {name: bytes, defaultMode: 0400}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
"""


def pod(spec: dict[str, Any] | str = "", **container: Any) -> Pod:
    """The pod of a spec, or of one container `c` with these fields."""
    if not isinstance(spec, str):
        found = load(HEAD + emit({"spec": spec}), "f.yaml", [])
    else:
        found = load(HEAD + emit({"spec": {"containers": [{"name": "c", "image": "i", **container}]}}), "f.yaml", [])
    return found.pods[0]


def test_every_field_that_is_known() -> None:
    found: Loaded = load(WHOLE, "f", [])
    assert found.notes == ["f:20: metadata.namespace: has no effect: there is one namespace here"]
    (web,) = found.pods
    assert (web.hostname, web.restart, web.stop_timeout, web.share_pid, web.own_users) == ("host", "OnFailure", 5, True, True)
    assert web.aliases == (("10.0.0.1", ("a", "b")),)
    assert (web.dns, web.searches, web.dns_options) == (("10.0.0.53",), ("lan",), ("ndots:2", "rotate"))
    assert (web.groups, web.sysctls) == ((8,), {"net.core.somaxconn": "9"})
    assert web.init[0].confinement.user == 7, "the pod's"
    (one,) = web.containers
    assert one.args == ("-c", "fast $(MODE) $(X)")
    assert one.env == ("C_MODE=fast", "C_a.txt=text", "MODE=fast", "PW=geheim", "BOTH=fast-geheim", "POD=web", "APP=web")
    assert [(port.container, port.host, port.address, port.protocol) for port in one.ports] == [
        (80, 8080, "127.0.0.1", "tcp"), (53, 0, "", "udp"),
    ]  # fmt: skip
    assert (one.memory, one.milli_cpus, one.memory_reservation, one.milli_cpus_asked) == (64 << 20, 500, 10**6, 250)
    own = one.confinement
    assert (own.user, own.group, own.non_root, own.escalation, own.read_only_root, own.seccomp, own.label, own.unmasked) == (
        9, 10, True, True, True, "unconfined", ("type:spc_t",), True,
    )  # fmt: skip
    assert one.probe is not None
    assert one.probe[1:] == (1, 2, 3, 4)
    assert [(mount.path, mount.read_only, mount.subpath, mount.propagation) for mount in one.mounts] == [
        ("/h", False, "", "rslave"), ("/d", True, "a/b", ""), ("/c", False, "", ""),
    ]  # fmt: skip
    assert web.volumes["conf"].files == (("x/a", b"text", 0o644),)
    assert web.volumes["bytes"].files == (("raw", b"\0\xff", 0o400),)
    assert (web.volumes["memory"].kind, web.volumes["memory"].size) == ("memory", 1 << 20)


def test_a_deployment_and_a_claim() -> None:
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    }  # fmt: skip
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
    found = load(emit(deployment) + "---\n" + emit(claim), "f", [])
    assert (found.pods[0].name, found.pods[0].labels, found.pods[0].restart) == ("app-pod", {"a": "b"}, "Always")
    assert [one.name for one in found.claims] == ["data"]
    assert "storage: has no effect" in found.notes[0]
    spec: Any = deployment["spec"]
    spec["replicas"] = 3
    with pytest.raises(InvalidInput, match=r"f:\d+: spec.replicas: there is one pod"):
        load(emit(deployment), "f", [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Pod\nmetadata: {name: p}\n", "f:1: apiVersion: is required"),
        ("apiVersion: apps/v1\nkind: StatefulSet\n", "f:2: kind: there is no 'StatefulSet'"),
        ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n", "f:2: kind: there is no 'NetworkPolicy'"),
        ("apiVersion: v1\nkind: Service\nspec: {anything: 1}\n", "f: there is no object in it"),
        ("apiVersion: v2\nkind: Service\n", "f:1: apiVersion: there is no 'v2'"),
        ("apiVersion: v2\nkind: Pod\n", "f:1: apiVersion: there is no 'v2'"),
        ("apiVersion: v1\nkind: Pod\nspec: {}\n", "f:1: metadata: is required"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: A_b}\n", "f:3: metadata.name: 'A_b' is no name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\n", "f:3: metadata.name: a text (in quotes"),
        (HEAD + "spec: {containers: []}\n", "f:4: spec.containers: is required"),
        (HEAD, "f:1: spec: is required"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: 1}\n", "f:4: data.a: a text is wanted"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a/b: x}\n", "f:4: data: 'a/b' is no key"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {a: '%'}\n", "f:4: data: a is not in base64"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {io.podman.annotations.userns: host}}\n",
         "f:3: metadata.annotations: io.podman.annotations.userns is not supported"),
        ("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, labels: {com.docker.compose.project: shop}}\n",
         "f:3: metadata.labels: com.docker.compose.project is not supported"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c}\nspec:\n"
         "  template: {metadata: {labels: {com.docker.compose.service: db}}, spec: {}}\n",
         "f:5: spec.template.metadata.labels: com.docker.compose.service is not supported"),
        ("a: 1\na: 2\n", 'f:2: mapping key "a" already defined at line 1'),
        ("a: !reset 1\n", "f:1: yaml: unknown tag !reset"),
        ("[1]\n", "f:1: top-level object must be a mapping"),
        ("# nothing\n", "f: there is no object in it"),
    ],
)  # fmt: skip
def test_objects_that_are_none(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(text, "f", [])
    assert caught.value.message.startswith(says)


@pytest.mark.parametrize(
    ("container", "says"),
    [
        ({"lifecycle": {}}, "lifecycle: is not supported"),
        ({"startupProbe": {}}, "startupProbe: is not supported"),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy: there is no 'Sometimes'"),
        ({"command": "sh"}, "command: a list is wanted"),
        ({"command": [1]}, "command[0]: a text is wanted"),
        ({"tty": "yes"}, "tty: true or false is wanted"),
        ({"env": [{"name": "A=B"}]}, "env[0].name: 'A=B' is no name of a variable"),
        ({"env": [{"name": "A", "value": 1}]}, "env[0].value: a text (in quotes"),
        ({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}, "env[0].valueFrom: may not be there"),
        ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]},
         "env[0].valueFrom.configMapKeyRef.name: there is no ConfigMap called x"),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {}}}]}, "env[0].valueFrom.resourceFieldRef: is not supported"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
         "env[0].valueFrom.fieldRef.fieldPath: status.podIP"),
        ({"ports": [{"containerPort": 70000}]}, "ports[0].containerPort: 70000 is not between 1 and 65535"),
        ({"ports": [{"containerPort": 80, "protocol": "SCTP"}]}, "ports[0].protocol: there is no 'SCTP'"),
        ({"ports": [{"containerPort": 80, "hostIP": "1.2.3.4:5"}, {}]}, "ports[1].containerPort: is required"),
        ({"resources": {"limits": {"memory": "much"}}}, "resources.limits.memory: 'much' is no quantity"),
        ({"resources": {"limits": {"memory": "-1"}}}, "resources.limits.memory: '-1' is no quantity"),
        ({"resources": {"limits": {"memory": "1ki"}}}, "resources.limits.memory: '1ki' is no quantity"),
        ({"resources": {"limits": {"nvidia.com/gpu": 1}}}, 'resources.limits["nvidia.com/gpu"]: is not supported'),
        ({"resources": {"claims": []}}, "resources.claims: is not supported"),
        ({"securityContext": {"runAsUserName": "x"}}, "securityContext.runAsUserName: is not supported"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}, "securityContext.runAsNonRoot: runAsUser is 0"),
        ({"securityContext": {"seccompProfile": {"type": "Localhost"}}},
         "securityContext.seccompProfile.localhostProfile: is the absolute"),
        ({"livenessProbe": {}}, "livenessProbe: one of exec, httpGet and tcpSocket"),
        ({"livenessProbe": {"httpGet": {"port": "http"}}}, "livenessProbe.httpGet.port: 'http' is no number"),
        ({"livenessProbe": {"tcpSocket": {"port": 1, "host": "a;b"}}}, "livenessProbe.tcpSocket.host: 'a;b' is no host"),
        ({"livenessProbe": {"grpc": {"port": 1}}}, "livenessProbe: one of"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}, "volumeMounts: the pod has no volume v"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a/../.."}]}, "volumeMounts[0].mountPath: '/a/../..' is no absolute path"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "../x"}]}, "volumeMounts[0].subPath: '../x' must be a relative"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a", "subPathExpr": "x"}]}, "volumeMounts[0].subPathExpr: is not supported"),
    ],
)  # fmt: skip
def test_containers_that_cannot_be(container: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pod(**container)
    assert f"spec.containers[0].{says}" in caught.value.message
    assert caught.value.message.startswith("f.yaml:")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"nodeSelector": {"a": "b"}}, "spec.nodeSelector: is not supported"),
        ({"serviceAccountName": "x"}, "spec.serviceAccountName: is not supported"),
        ({"enableServiceLinks": True}, "spec.enableServiceLinks: is not supported"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy: there is no"),
        ({"securityContext": {"fsGroup": 1}}, "spec.securityContext.fsGroup: is not supported"),
        ({"hostAliases": [{"ip": "x", "hostnames": []}]}, "spec.hostAliases[0].ip: 'x' is no address"),
        ({"dnsPolicy": "None"}, "spec.dnsPolicy: None wants"),
        ({"volumes": [{"name": "v"}]}, "spec.volumes[0]: one of hostPath"),
        ({"volumes": [{"name": "v", "nfs": {}}]}, "spec.volumes[0].nfs: is not supported"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "../x"}}]}, "spec.volumes[0].hostPath.path: '../x' is no absolute path"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "CharDevice"}}]}, "spec.volumes[0].hostPath.type: there is no"),
        ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]}, "spec.volumes[0].emptyDir.sizeLimit: is not supported but"),
        ({"volumes": [{"name": "v", "configMap": {"name": "x"}}]}, "spec.volumes[0].configMap.name: there is no ConfigMap called x"),
        ({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]},
         "spec.volumes[1].name: there are two volumes called v"),
        ({"initContainers": [{"name": "c", "image": "i"}]}, "spec.containers[0].name: there are two containers called c"),
        ({"initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}]},
         "spec.initContainers[0].restartPolicy: is not supported"),
    ],
)  # fmt: skip
def test_pods_that_cannot_be(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pod({"containers": [{"name": "c", "image": "i"}], **spec})
    assert says in caught.value.message


def test_a_part_of_a_hosts_directory_is_refused() -> None:
    """What a container puts into it could be a link to anywhere on the host (CVE-2017-1002101)."""
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "x"}]}
    with pytest.raises(InvalidInput, match="subPath of a hostPath is not supported"):
        pod({"containers": [container], "volumes": [{"name": "v", "hostPath": {"path": "/srv"}}]})


def test_config_maps_of_other_files() -> None:
    text = HEAD + emit({"spec": {"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "more"}}]}]}})
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {A: b}\n"
    assert load(text, "f", [(other, "g")]).pods[0].containers[0].env == ("A=b",)
    with pytest.raises(InvalidInput, match="g:2: kind: there is no 'Pod'"):
        load(text, "f", [(HEAD, "g")])
    assert load(text, "f", [], needed=False).pods[0].name == "p", "to take it away"


@pytest.mark.parametrize("text", ["a\n  hostPID: true\nb", "\n", "x\n\n", "- a\n", "\n!&"])
def test_a_key_of_several_lines_says_nothing_else(text: str) -> None:
    """A container's label, which may be an image's."""
    tree = {"metadata": {"annotations": {text: "v"}}, "spec": {}}
    assert documents(emit(tree), "f")[0].tree == tree


@pytest.mark.parametrize("text", ["$(HOME)", "$$(HOME)", "a$$b", "$$$", "$x $", "$$$(HOME)$$"])
def test_literally(text: str) -> None:
    assert expand(literal(text), {"HOME": "/root"}) == text
