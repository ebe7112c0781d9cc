"""Pods that are to end, and what files for a cluster have beside pods."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.kube.load.objects import load
from rootless.yamltext.emit import emit
from tests.kube.conftest import Kube

JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      terminationGracePeriodSeconds: 0
      containers:
      - {name: first, image: busybox, command: [sh, -c, "test -e /d/again && exit 0; touch /d/again; exit 9"],
         volumeMounts: [{name: d, mountPath: /d}]}
      - {name: second, image: busybox, command: [sh, -c, "COMMAND"], volumeMounts: [{name: d, mountPath: /d}]}
      volumes: [{name: d, persistentVolumeClaim: {claimName: made-for-it}}]
"""


def test_a_job_and_a_daemon_set() -> None:
    """And what a cluster's file has beside them: said to have no effect, or an error at its path."""
    one = {"name": "c", "image": "i", "readinessProbe": {"x": 1}}
    template: dict[str, Any] = {"spec": {"restartPolicy": "OnFailure", "containers": [one]}}
    job: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
                           "spec": {"backoffLimit": 4, "completions": 1, "template": template}}  # fmt: skip
    every = {**job, "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "each"}, "spec": {"template": template}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    found = load("---\n".join(map(emit, (job, every, service))), "f", [])
    assert [(one.name, one.restart) for one in found.pods] == [("once-pod", "OnFailure"), ("each-pod", "OnFailure")]
    assert [note.partition(": ")[2].partition(":")[0] for note in found.notes] == [
        "kind", "spec.backoffLimit", "spec.template.spec.containers[0].readinessProbe",
        "spec.template.spec.containers[0].readinessProbe",
    ]  # fmt: skip
    assert all("has no effect" in note for note in found.notes)
    for path, value, says in (
        ("completions", 3, "spec.completions: there is one pod"), ("parallelism", 2, "spec.parallelism: there is one pod"),
        ("activeDeadlineSeconds", 5, "spec.activeDeadlineSeconds: is not supported"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=says):
            load(emit({**job, "spec": {**job["spec"], path: value}}), "f", [])
    template["spec"]["restartPolicy"] = "Always"
    with pytest.raises(InvalidInput, match="restartPolicy: of a job is OnFailure or Never"):
        load(emit(job), "f", [])


def test_wait(kube: Kube) -> None:
    """Until all have ended for good, then nothing is left but what was there before."""
    rootless = kube.rootless
    kube.file(JOB.replace("COMMAND", "until [ -e /d/again ]; do sleep 0.1; done"))
    said = kube("play", "--wait").lines
    assert said[0] == "Pod:"
    assert said[-2:] == ["Volumes removed:", "made-for-it"]
    rootless("volume", "create", "made-for-it")
    kube.file(JOB.replace("COMMAND", "exit 7").replace("OnFailure", "Never"))
    assert kube("play", "--wait", status=None).status in (7, 9)
    assert rootless("volume", "ls", "-q").lines == ["made-for-it"], "it was there before"
    assert rootless("pod", "ps", "-q").lines == rootless("ps", "-aq").lines == []
    kube.file(JOB.replace("COMMAND", "sleep 1000"))
    waiting = rootless.start("kube", "play", "--wait", kube.path)
    assert waiting.stdout is not None
    while waiting.stdout.readline().strip() != b"Containers:":
        pass
    waiting.send_signal(signal.SIGTERM)
    told, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 128 + signal.SIGTERM
    assert b"Pods removed:" in told
    assert rootless("pod", "ps", "-q").lines == rootless("ps", "-aq").lines == []
    assert "--wait and --start=false" in kube("play", "--wait", "--start=false", status=125).stderr
