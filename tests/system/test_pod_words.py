"""The words of `rootless pod`, beside Podman's own: options, refusals, what a pod's status is, what is listed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.pods import Pods
from tests.need import need

# What Podman's have and ours refuse by name, or as another command.
REFUSED = {
    "create": {
        "--blkio-weight", "--blkio-weight-device", "--cgroup-parent", "--cpu-shares", "--cpus", "--cpuset-cpus", "--cpuset-mems",
        "--device", "--device-read-bps", "--device-write-bps", "--gidmap", "--infra-command", "--infra-conmon-pidfile",
        "--infra-image", "--memory", "--memory-swap", "--pid", "--security-opt", "--share-parent", "--subgidname",
        "--subuidname", "--uidmap", "--uts", "--volumes-from",
    },
}  # fmt: skip
OTHER = {"create": {"--no-hosts"}, "logs": {"--color"}, "stats": {"--no-reset"}}
"""What we have no word for: every container has /etc/hosts, and nothing of ours is coloured or reset."""


def options(text: str) -> set[str]:
    """The long options in a command's help."""
    words = [word.rstrip(",") for line in text.splitlines() if line.startswith("  ") for word in line.split()[:2]]
    return {word for word in words if word.startswith("--") and word[2:].replace("-", "").isalpha()}


def test_every_option_of_podman_is_ours_or_refused(rootless: Rootless, podman: Podman) -> None:
    for verb in ("create", "exists", "inspect", "kill", "logs", "pause", "prune", "ps", "restart", "rm", "start", "stats", "stop",
                 "top", "unpause"):  # fmt: skip
        ours, theirs = options(rootless("pod", verb, "--help").stdout), options(podman("pod", verb, "--help"))
        missing = theirs - ours - {"--help"} - OTHER.get(verb, set())
        assert missing == REFUSED.get(verb, set()), verb
        for option in missing:
            refused = rootless("pod", verb, f"{option}=1", "x", status=125).stderr
            assert f"{option} is not supported: " in refused
            assert "hint: " in refused
    assert "pod clone is not supported: " in rootless("pod", "clone", "a", "b", status=1).stderr


class Theirs:
    """The same with Podman, whose pods need catatonit for their infra."""

    def __init__(self, podman: Podman, archive: Path) -> None:
        programs = ("/usr/libexec/podman/catatonit", "/usr/bin/catatonit")
        need(any(os.access(path, os.X_OK) for path in programs), "catatonit is not installed")
        need(shutil.which("slirp4netns") is not None, "slirp4netns is not installed")
        self.podman = podman
        podman("load", "-i", archive)

    def run(self, *words: str) -> tuple[int, str, str]:
        argv = self.podman.argv(*(("localhost/busybox:latest" if word == "IMAGE" else word) for word in words))
        done = subprocess.run(
            argv, env=self.podman.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        return done.returncode, done.stdout, errors[0].removeprefix("Error: ") if errors else ""


@pytest.fixture
def theirs(podman: Podman, busybox_archive: Path) -> Iterator[Theirs]:
    found = Theirs(podman, busybox_archive)
    yield found
    podman("pod", "rm", "-f", "-a", "-t", "0")
    podman("rmi", "-f", "-a")


REFUSALS = (
    ("pod", "create", "--name", "app"), ("pod", "create", "--name", "box"), ("pod", "create", "bad name"),
    ("pod", "create", "--name", "x", "y"), ("pod", "create", "--exit-policy", "foo", "z"), ("pod", "create", "--share", "net,foo", "z"),
    ("pod", "create", "--infra=false", "-p", "80:80", "z"), ("pod", "create", "--infra=false", "--network", "none", "z"),
    ("pod", "create", "--infra=false", "--share", "pid", "z"), ("pod", "create", "--infra=false", "--dns", "1.1.1.1", "z"),
    ("pod", "create", "--network", "none", "-p", "80:80", "z"), ("pod", "create", "--replace"),
    ("run", "--pod", "app", "-p", "80:80", "IMAGE"), ("run", "--pod", "app", "-P", "IMAGE"),
    ("run", "--pod", "app", "--ip", "10.0.0.2", "IMAGE"),
    ("run", "--pod", "app", "--network-alias", "x", "IMAGE"), ("run", "--pod", "app", "--mac-address", "92:d0:c6:0a:29:33", "IMAGE"),
    ("run", "--pod", "app", "--hostname", "x", "IMAGE"), ("run", "--pod", "app", "--add-host", "a:1.2.3.4", "IMAGE"),
    ("run", "--pod", "app", "--userns", "keep-id", "IMAGE"), ("run", "--pod", "nosuch", "IMAGE"), ("run", "--pod", "new:app", "IMAGE"),
    ("run", "--pod", "new:", "IMAGE"), ("create", "--name", "app", "IMAGE"),
    ("pod", "rm", "nosuch"), ("pod", "stop", "nosuch"), ("pod", "start", "nosuch"), ("pod", "rm", "box"), ("pod", "start"), ("pod", "rm"),
    ("pod", "ps", "--filter", "status=foo"), ("pod", "rm", "-t", "1", "app"),
)  # fmt: skip


def test_refusals_are_podmans(pods: Pods, theirs: Theirs) -> None:
    """The same status, and their words in ours."""
    made: tuple[tuple[str, ...], ...] = (
        ("pod", "create", "--name", "app", "--network", "none"), ("create", "--name", "box", "--network", "none", "IMAGE"),
    )  # fmt: skip
    for words in made:
        pods.rootless(*(pods.image if word == "IMAGE" else word for word in words))
        assert theirs.run(*words)[0] == 0
    for words in REFUSALS:
        status, _, message = theirs.run(*words)
        assert status, words
        ours = pods.rootless(*(pods.image if word == "IMAGE" else word for word in words), status=None)
        assert ours.status == status, words
        told = ours.stderr.splitlines()[0].removeprefix("rootless: ")
        assert message in told or told in message or told.removeprefix("invalid config provided: ") in message, (words, message, told)
    for name in ("app", "nosuch", "box"):
        assert pods.rootless("pod", "exists", name, status=None).status == theirs.run("pod", "exists", name)[0]


STEPS = (
    ("pod", "create", "--name", "app", "--network", "none"),
    ("create", "--init", "--pod", "app", "--name", "one", "IMAGE", "sleep", "1000"),
    ("run", "-d", "--init", "--pod", "app", "--name", "two", "IMAGE", "sleep", "1000"),
    ("pod", "start", "app"),
    ("stop", "-t", "5", "one"),
    ("start", "one"),
    ("pod", "kill", "app"),
    ("start", "two"),
    ("pod", "restart", "app"),
    ("pod", "stop", "-t", "5", "app"),
    ("rm", "one", "two"),
    ("pod", "start", "app"),
    ("pod", "stop", "app"),
    ("pod", "rm", "app"),
)


def test_statuses_are_podmans(pods: Pods, theirs: Theirs) -> None:
    """Step by step the same exit status, the same status of the pod, and of each container in it."""
    for words in STEPS:
        status, _, message = theirs.run(*words)
        assert status == 0, (words, message)
        pods.rootless(*(pods.image if word == "IMAGE" else word for word in words))
        listed = json.loads(theirs.run("pod", "ps", "--format", "json")[1] or "null") or []
        assert shown(json.loads(pods.rootless("pod", "ps", "--format", "json").stdout)) == shown(listed), words


def shown(listed: list[dict[str, Any]]) -> list[Any]:
    return [
        (pod["Name"], pod["Status"], sorted(("infra" if one["Names"].endswith("-infra") else one["Names"], one["Status"])
                                            for one in pod["Containers"]))
        for pod in listed
    ]  # fmt: skip


def test_inside_is_as_in_podmans(pods: Pods, theirs: Theirs) -> None:
    """Which namespaces two containers of a pod that run have in common."""
    script = ("sh", "-c", "for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done")
    for share in ("ipc,net,uts", "+pid", "net"):
        created = ("pod", "create", "--name", "app", "--network", "none", "--share", share)
        held, shown = ("run", "-d", "--pod", "app", "--name", "held"), ("run", "--rm", "--pod", "app")
        pods.rootless(*created)
        pods.rootless(*held, pods.image, "sleep", "1000")
        ours = [pods.rootless("exec", "held", *script).lines, pods.rootless(*shown, pods.image, *script).lines]
        for words in (created, (*held, "IMAGE", "sleep", "1000")):
            assert theirs.run(*words)[0] == 0
        others = [theirs.run("exec", "held", *script)[1].splitlines(), theirs.run(*shown, "IMAGE", *script)[1].splitlines()]
        seen = [[one == other for one, other in zip(*each, strict=True)] for each in (ours, others)]
        assert seen[0] == seen[1], share
        assert len(seen[0]) == 5
        pods.rootless("pod", "rm", "-f", "-t", "0", "app")
        assert theirs.run("pod", "rm", "-f", "-t", "0", "app")[0] == 0


def test_listed(pods: Pods) -> None:
    one = pods.create("one", "--network", "none", "--label", "tier=front", "--label", "x")
    two = pods.create("two", "--infra=false", "--label", "tier=back")
    pods.rootless("create", "--pod", "one", "--name", "box", pods.image, "true")
    infra = pods.infra("one")
    header, *rows = pods.rootless("pod", "ps").lines
    assert header.split() == ["POD", "ID", "NAME", "STATUS", "CREATED", "INFRA", "ID", "#", "OF", "CONTAINERS"]
    assert [row.split()[:3] for row in rows] == [[two[:12], "two", "Created"], [one[:12], "one", "Created"]]
    assert rows[1].split()[-2:] == [infra[:12], "2"]
    assert pods.rootless("pod", "ls", "--ctr-names", "--ctr-status", "--noheading", "--sort", "name").lines[0].split()[-2:] == [
        f"{one[:12]}-infra,box", "created,created",
    ]  # fmt: skip
    assert pods.rootless("pod", "list", "-q", "--no-trunc").lines == [two, one]
    template = '{{.ID}} {{.Name}} {{.Status}} {{.NumberOfContainers}} {{.InfraID}} {{.ContainerNames}} {{.Label "tier"}}'
    assert pods.rootless("pod", "ps", "--format", template, "-l").lines == [f"{two[:12]} two Created 0   back"]
    for asked, found in {
        "name=^on": ["one"], f"id={two[:5]}": ["two"], "label=tier": ["two", "one"], "label=tier=back": ["two"],
        "label!=x": ["two"], "status=created": ["two", "one"], "status=running": [], "ctr-names=box": ["one"],
        f"ctr-ids={infra[:8]}": ["one"], "ctr-number=0": ["two"], "ctr-number=2": ["one"], "ctr-status=created": ["one"],
        "network=x": [], "until=1h": [], "until=2200-01-01": ["two", "one"],
    }.items():
        assert pods.rootless("pod", "ps", "--filter", asked, "--format", "{{.Name}}").lines == found, asked
    for asked in ("ctr-number=x", "ctr-status=x", "name=(", "foo=bar", "status=x", "label"):
        pods.rootless("pod", "ps", "--filter", asked, status=125)
    assert pods.rootless("ps", "-a", "--filter", "pod=one", "--format", "{{.Names}}").lines == ["box", f"{one[:12]}-infra"]
    assert pods.rootless("ps", "-aq", "--filter", "pod=two").lines == []
    words = ("pod", "inspect", "one", "two", "-f", "{{.Name}} {{.State}} {{.NumContainers}}")
    assert pods.rootless(*words).lines == ["one Created 2", "two Created 0"]
    assert pods.inspect("one")["CreateCommand"][1:3] == ["pod", "create"]
    (box,) = json.loads(pods.rootless("inspect", "box").stdout)
    assert (box["Pod"], box["IsInfra"], box["HostConfig"]["UTSMode"]) == (one, False, f"container:{infra}")


@pytest.mark.own_store
def test_prune_logs_top_stats(pods: Pods) -> None:
    pods.create("ended", "--network", "none")
    pods.rootless("run", "--pod", "ended", "--name", "said", pods.image, "sh", "-c", "echo one; echo two >&2")
    pods.create("waits", "--network", "none")
    pods.create("runs", "--network", "none")
    pods.run("runs", "box", command=("sh", "-c", "echo here; exec sleep 1000"))
    assert pods.rootless("pod", "logs", "-n", "ended").stdout == "said one\n"
    assert pods.rootless("pod", "logs", "-c", "box", "runs").stdout == "here\n"
    assert "container nosuch not found in pod runs" in pods.rootless("pod", "logs", "-c", "nosuch", "runs", status=125).stderr
    assert "rootless-init -P" in pods.rootless("pod", "top", "runs").stdout
    assert "at least one running container" in pods.rootless("pod", "top", "waits", status=125).stderr
    figures = pods.rootless("pod", "stats", "--no-stream", "--format", "{{.Name}}").lines
    assert {"box", f"{pods.inspect('runs')['Id'][:12]}-infra"} <= set(figures)
    identifier = pods.inspect("ended")["Id"]
    pods.rootless("pod", "stop", "ended")
    assert pods.rootless("pod", "prune", "-f").lines == [identifier]
    assert pods.rootless("pod", "ps", "--format", "{{.Name}}").lines == ["runs", "waits"]
    pods.rootless("pod", "kill", "runs")
    identifier = pods.inspect("runs")["Id"]
    told = pods.rootless("system", "prune", stdin="y\n").stdout
    assert "  - all stopped pods\n" in told
    assert f"Deleted Pods:\n{identifier}\n" in told
    assert pods.rootless("pod", "ps", "--format", "{{.Name}}").lines == ["waits"]
    actions = pods.rootless("events", "--since", "1h", "--until", "0s", "--filter", "pod=ended", "--format", "{{.Action}}").lines
    assert actions == ["create", "stop", "remove"]


def test_ids_of_users(pods: Pods) -> None:
    """--userns of a pod is that of all its containers."""
    for mode, uid in (("keep-id", os.getuid()), ("auto", 0), ("nomap", 0)):
        pods.create("app", "--network", "none", "--userns", mode)
        assert pods.rootless("run", "--rm", "--pod", "app", pods.image, "id", "-u").stdout == f"{uid}\n"
        assert pods.rootless("run", "--rm", "--pod", "app", "-u", "0", pods.image, "stat", "-c", "%u", "/bin").lines == ["0"]
        pods.rootless("pod", "rm", "app")


def test_mounts_of_a_pod(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the pod\n")
    tmp_path.chmod(0o755)
    pods.create("app", "--network", "none", "-v", f"{tmp_path}:/data:ro", "--shm-size", "1m", "--sysctl", "net.ipv4.ip_forward=1")
    for _ in range(2):
        assert pods.rootless("run", "--rm", "--pod", "app", pods.image, "cat", "/data/file").stdout == "of the pod\n"
    own = ("--tmpfs", "/data")
    assert pods.rootless("run", "--rm", "--pod", "app", *own, pods.image, "ls", "/data").stdout == ""
    assert pods.rootless("run", "--rm", "--pod", "app", pods.image, "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert "1.0M" in pods.rootless("run", "--rm", "--pod", "app", pods.image, "df", "-h", "/dev/shm").stdout
