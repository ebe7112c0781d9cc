"""Pods: what their containers may do to the infra, hostile names, and records of pods that are damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.pods import Pods

TERM, KILL, STOP = "15", "9", "19"


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_the_infra_has_all_walls(pods: Pods) -> None:
    pods.create("app", "--network", "none")
    pods.rootless("pod", "start", "app")
    infra = pods.infra("app")
    found = status_of(pods.state(infra)["Pid"])
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[kind], 16) == 0, kind
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    (walls,) = [each["Walls"] for each in json.loads(pods.rootless("inspect", infra).stdout)]
    off = [wall["Name"] for wall in walls if wall["State"] == "off"]
    assert off == ["landlock"], "that is for shared namespaces"
    # Nothing of it can be executed, and its root is what is mounted in it.
    assert "not found" in pods.rootless("exec", infra, "sh", status=127).stderr
    listed = subprocess.run(
        [*pods.rootless.argv, "unshare", "ls", "-A", f"/proc/{pods.state(infra)['Pid']}/root"],
        env=pods.rootless.environment, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    assert set(listed) <= {"dev", "etc", "proc", "run", "sys", ".dockerenv"}


@pytest.mark.parametrize("options", [(), ("--cap-add", "KILL")])
def test_who_shares_pids_cannot_end_or_trace_the_infra(pods: Pods, payload: Path, options: tuple[str, ...]) -> None:
    pods.create("app", "--network", "none", "--share", "+pid")
    pods.run("app", "bad", "-v", f"{payload}:/payload:ro", *options)
    for number in (TERM, KILL, STOP, "2", "1"):
        pods.inside("bad", "/payload", "kill", "1", number)
    assert all("E" in line for line in pods.inside("bad", "/payload", "trace", "1").splitlines())
    for path in ("/proc/1/exe", "/proc/1/mem", "/proc/1/root/etc/hosts", "/proc/1/fd/0", "/proc/1/cwd/x"):
        assert pods.rootless("exec", "bad", "/payload", "overwrite", path, status=None).stdout.startswith("E"), path
    assert pods.states("app") == {"infra": "running", "bad": "running"}
    pods.rootless("pod", "stop", "app")
    assert pods.state(pods.infra("app"))["ExitCode"] == 0, "it ends when it is asked to from outside"


def test_without_shared_pids_nobody_sees_the_infra(pods: Pods, payload: Path) -> None:
    pods.create("app", "--network", "none")
    pods.run("app", "bad", "--privileged", "-v", f"{payload}:/payload:ro")
    seen = pods.inside("bad", "sh", "-c", "ls -d /proc/[0-9]*; cat /proc/*/comm 2>/dev/null")
    assert "rootless-init" not in pods.inside("bad", "ps", "-o", "args").replace("rootless-init --", "")
    assert len([line for line in seen.splitlines() if line.startswith("/proc/")]) < 8


def test_what_a_container_does_to_etc_hosts(pods: Pods) -> None:
    """The file is all containers'; whatever is in it, those who come and go are written into it."""
    pods.create("app", "--network", "none")
    pods.run("app", "bad")
    for text in ("", "x" * 70_000, "127.0.0.1\\tgood\\n127.0.0.1 \\tgood", "\\0\\0\\0"):
        pods.inside("bad", "sh", "-c", f"printf '{text}' > /etc/hosts")
        pods.run("app", "good")
        assert "127.0.0.1\tgood\n" in pods.inside("bad", "cat", "/etc/hosts")
        pods.rootless("rm", "-f", "good")
        assert "127.0.0.1\tgood\n" not in pods.inside("bad", "cat", "/etc/hosts")
    pods.inside("bad", "chmod", "0", "/etc/hosts")
    pods.run("app", "good")


NAMES = ["../../x", "..", ".", "a/b", "-rf", "", " ", "x" * 201, "a\nb", "\x1b[2J", "a b", "ü", "new:x"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none(pods: Pods, name: str) -> None:
    before = sorted(os.listdir(pods.rootless.root))
    for words in (("pod", "create", f"--name={name}"), ("run", f"--pod=new:{name}", pods.image, "true")):
        if not name and words[0] == "pod":
            continue  # any name
        refused = pods.rootless(*words, status=125)
        assert "\x1b" not in refused.stderr
    for words in (("pod", "inspect", "--", name), ("pod", "rm", "--", name), ("pod", "start", "--", name)):
        assert pods.rootless(*words, status=None).status in (1, 125)
    if not name.startswith("new:") and name:
        assert pods.rootless("run", f"--pod={name}", pods.image, "true", status=125).stdout == ""
    assert pods.rootless("pod", "ps", "-q").lines == []
    assert set(os.listdir(pods.rootless.root)) - set(before) <= {"pods", "names", "names.lock", "containers", "events"}


def test_id_files_of_strangers(pods: Pods, tmp_path: Path) -> None:
    words = tmp_path / "id"
    for data in (b"", b"\n", b"\x1b[2Jx", b"../../etc", b"x" * 10_000_000, b"\xff\xfe\x00"):
        words.write_bytes(data)
        refused = pods.rootless("run", "--pod-id-file", str(words), pods.image, "true", status=125)
        assert "\x1b" not in refused.stderr
        pods.rootless("pod", "start", "--pod-id-file", str(words), status=125)
    pods.rootless("run", "--pod-id-file", "/dev/zero", pods.image, "true", status=125)
    pods.rootless("run", "--pod-id-file", str(tmp_path), pods.image, "true", status=125)


HUGE = "9" * 5000
DAMAGES: dict[str, bytes | None] = {
    "nothing": b"", "null": b"null", "a list": b"[1]", "an object of nothing": b"{}", "no UTF-8": b'{"id": "\xff"}',
    "lists in lists": b"[" * 100_000, "a huge number": f'{{"version": {HUGE}}}'.encode(), "a directory": None, "gone": b"",
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "another id": {"id": "0" * 64}, "a name elsewhere": {"name": "../../x"}, "an infra elsewhere": {"infra": "../pods"},
    "an infra that is none": {"infra": "f" * 64}, "an infra of another type": {"infra": 5}, "a share that is none": {"share": ["mnt"]},
    "labels that are none": {"labels": []}, "a time that is none": {"created_at": "now"}, "mounts that are none": {"mounts": [7]},
    "half a letter": {"hostname": "\ud800"}, "a policy that is none": {"restart": {"name": 5}},
}  # fmt: skip
COMMANDS = (
    ("ps", "-a"), ("ps", "-a", "--pod"), ("ps", "-a", "--filter", "pod=good"), ("pod", "ps"), ("pod", "ps", "--format", "json"),
    ("pod", "ps", "--ctr-names", "--ctr-ids", "--ctr-status", "--ns"), ("pod", "ps", "--filter", "label=x"),
    ("pod", "ps", "--filter", "until=1h"), ("pod", "ps", "--filter", "network=x"), ("pod", "ps", "--sort", "created"),
    ("pod", "inspect", "good"), ("pod", "exists", "good"), ("run", "--rm", "--pod", "good", "busybox", "true"),
    ("pod", "stats", "--no-stream"),
    ("inspect", "box"), ("system", "df"), ("pod", "prune", "-f"), ("container", "prune", "-f"),
    ("events", "--since", "1m", "--until", "0s"), ("network", "ls"), ("network", "prune", "-f"),
)  # fmt: skip


def spoil(path: Path, damage: str) -> None:
    """Put the damage in place of the pod's file."""
    if damage in CHANGES:
        path.write_text(json.dumps({**json.loads(path.read_text()), **CHANGES[damage]}))
        return
    data = DAMAGES[damage]
    path.unlink()
    if data is None:
        path.mkdir()
    elif damage != "gone":
        path.write_bytes(data)


def test_damaged_pods_break_no_other_command(pods: Pods) -> None:
    made = {}
    for number, damage in enumerate([*DAMAGES, *CHANGES]):
        made[damage] = pods.create(f"bad{number}", "--infra=false")
        spoil(pods.rootless.root / "pods" / made[damage] / "config.json", damage)
    pods.create("good", "--network", "none")
    pods.rootless("create", "--name", "box", pods.image, "true")
    for words in COMMANDS:
        pods.rootless(*words)
    listed = pods.rootless("pod", "ps", "--no-trunc", "--format", "{{.ID}} {{.Name}} {{.Status}}").lines
    for number, (damage, identifier) in enumerate(made.items()):
        whole = damage in ("an infra that is none", "a share that is none", "a name elsewhere")
        assert f"{identifier} bad{number} {'Created' if whole else 'Dead'}" in listed, damage
        assert pods.rootless("pod", "rm", f"bad{number}").lines == [identifier], damage
    assert pods.states("good") == {"infra": "running"}


@pytest.mark.parametrize("damage", ["lists in lists", "gone", "an infra elsewhere", "an infra that is none", "a share that is none"])
def test_commands_about_a_damaged_pod_are_told_so(pods: Pods, damage: str) -> None:
    """An error, or done; never a defect. All that is in it goes with it."""
    identifier = pods.create("bad", "--network", "none")
    pods.run("bad", "box")
    spoil(pods.rootless.root / "pods" / identifier / "config.json", damage)
    for verb in ("inspect", "start", "restart", "kill", "top", "logs", "pause", "unpause"):
        pods.rootless("pod", verb, "bad", status=None)
    pods.rootless("run", "--rm", "--pod", "bad", "busybox", "true", status=None)
    for words in (("start", "box"), ("inspect", "box"), ("pod", "stop", "-t", "0", "bad")):
        pods.rootless(*words, status=None)
    pods.rootless("pod", "rm", "-f", "-t", "0", "bad")
    assert pods.rootless("ps", "-aq").lines == []
    assert pods.rootless("pod", "ps", "-q").lines == []


def test_what_of_a_pod_was_removed_by_hand(pods: Pods) -> None:
    """A pod without its infra can be removed, and an infra without its pod; who is in it is told."""
    pods.create("app", "--network", "none")
    pods.rootless("create", "--pod", "app", "--name", "box", pods.image, "true")
    shutil.rmtree(pods.rootless.root / "containers" / pods.infra("app"))
    assert "infra container of pod" in pods.rootless("start", "box", status=1).stderr
    assert "infra container of pod" in pods.rootless("pod", "start", "app", status=125).stderr
    pods.rootless("pod", "rm", "app")
    identifier = pods.create("app", "--network", "none")
    infra = pods.infra("app")
    pods.rootless("create", "--pod", "app", "--name", "box", pods.image, "true")
    shutil.rmtree(pods.rootless.root / "pods" / identifier)
    assert "no pod with name or ID" in pods.rootless("start", "box", status=1).stderr
    pods.rootless("rm", "box", infra)
    pods.create("app", "--network", "none")
