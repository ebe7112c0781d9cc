"""What a careless or hostile caller can give us: one line that names it, and nothing changed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.harness.processes import wait_until
from tests.oci.bundles import Runtime
from tests.runtime.conftest import gone


def refused(oci: Runtime, *said: str, verb: str = "create", options: tuple[str, ...] = ()) -> None:
    oci.write()
    command_refused(oci, *said, command=(verb, "--bundle", str(oci.bundle), *options, "c"))


def command_refused(oci: Runtime, *said: str, command: tuple[str, ...], status: int = 1) -> None:
    with oci.unchanged():
        done = oci(*command, status=status, timeout=60)
    for word in said:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_rule_is_named(oci: Runtime) -> None:
    oci.spec["linux"]["namespaces"][1]["type"] = "nosuch"
    refused(oci, "config.json: linux.namespaces[1].type", "'nosuch'")


def test_what_is_out_of_order(oci: Runtime) -> None:
    """start twice, kill of the stopped, delete of the running: refused, and nothing has changed."""
    pid = oci.create("sleep", "60")
    command_refused(oci, "already exists", command=("create", "--bundle", str(oci.bundle), "c"))
    command_refused(oci, "cannot pause", command=("pause", "c"))
    oci("start", "c")
    command_refused(oci, "running already", command=("start", "c"))
    command_refused(oci, "not stopped", command=("delete", "c"))
    command_refused(oci, "already exists", command=("run", "--bundle", str(oci.bundle), "c"))
    command_refused(oci, "already exists", command=("create", "--bundle", str(oci.bundle), "c"))
    assert oci.document()["pid"] == pid
    oci("kill", "c", "KILL")
    wait_until(lambda: oci.document()["status"] == "stopped", "it has stopped")
    for command in (("kill", "c"), ("kill", "c", "KILL"), ("pause", "c"), ("resume", "c")):
        command_refused(oci, command=command)
    command_refused(oci, "container not running", command=("kill", "c"))
    command_refused(oci, "has stopped", command=("start", "c"))
    command_refused(oci, "container not running", command=("exec", "c", "true"), status=255)
    oci("delete", "c")
    for words in (("start",), ("kill",), ("delete",), ("state",), ("pause",)):
        command_refused(oci, "does not exist", command=(*words, "c"))
    assert oci.record() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"ociVersion": "1.0.0"', "\xff", "[" * 100_000])
def test_no_configuration(oci: Runtime, text: str) -> None:
    (oci.bundle / "config.json").write_bytes(text.encode("latin-1"))
    command_refused(oci, "config.json", command=("create", "--bundle", str(oci.bundle), "c"))


def test_a_missing_bundle(oci: Runtime) -> None:
    empty = oci.bundle / "empty"
    empty.mkdir()
    (oci.bundle / "file").write_text("")
    for verb in ("create", "run"):
        command_refused(oci, "no bundle", command=(verb, "--bundle", "/no/such", "c"))
        command_refused(oci, "config.json", command=(verb, "--bundle", str(empty), "c"))
        command_refused(oci, str(oci.bundle / "file"), command=(verb, "--bundle", str(oci.bundle / "file"), "c"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a b", "x" * 2000])
def test_ids_that_are_no_names(oci: Runtime, name: str) -> None:
    oci.write()
    command_refused(oci, "invalid container id", command=("create", "-b", str(oci.bundle), name))


def test_roots_that_are_none(oci: Runtime) -> None:
    (oci.bundle / "link").symlink_to(oci.rootfs)
    (oci.bundle / "file").write_text("")
    for path, said in (("link", "symbolic link"), ("file", "not a directory"), ("none", "no such file")):
        oci.spec["root"]["path"] = str(oci.bundle / path)
        refused(oci, "root.path", said)


def test_namespaces_that_are_none(oci: Runtime) -> None:
    oci.write()
    for path, said in (
        ("/no/such", "no such file"),
        ("/etc/passwd", "is not a namespace"),
        ("/proc/self/ns/uts", "is not a network namespace"),
    ):
        oci.spec["linux"]["namespaces"] = [
            *(entry for entry in oci.spec["linux"]["namespaces"] if entry["type"] != "network"),
            {"type": "network", "path": path},
        ]
        refused(oci, "linux.namespaces[5].path", said)


def test_console_sockets(oci: Runtime) -> None:
    place = oci.bundle / "console"
    option = ("--console-socket", str(place))
    oci.spec["process"]["terminal"] = True
    refused(oci, "--console-socket")
    refused(oci, "no console socket", options=option)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))  # and nobody listens
        refused(oci, "nobody listens", options=option)
        refused(oci, "nobody listens", verb="run", options=("--detach", *option))
    oci.spec["process"]["terminal"] = False
    refused(oci, "terminal is not set", options=option)


def test_hooks_that_fail_or_hang(oci: Runtime) -> None:
    for point in ("prestart", "createRuntime", "createContainer"):
        oci.spec["hooks"] = {point: [{"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 4"]}]}
        refused(oci, f"hooks.{point}[0]", "exit status 4", "why")
        oci.spec["hooks"] = {point: [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
        refused(oci, f"hooks.{point}[0]", "within 1 s")
        oci.spec["hooks"] = {point: [{"path": "/no/such"}]}
        refused(oci, f"hooks.{point}[0]")
    oci.spec["hooks"] = {"startContainer": [{"path": "/bin/false", "args": ["false"]}]}
    refused(oci, "hooks.startContainer[0]", verb="run")


def test_a_hook_that_hangs_is_ended_with_its_children(oci: Runtime) -> None:
    """What a hook left in the background before it hung goes with it."""
    script = "sleep 61 & sleep 61"
    oci.spec["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script], "timeout": 1}]}
    refused(oci, "hooks.createRuntime[0]", "within 1 s")


def test_ten_thousand_mounts(oci: Runtime) -> None:
    (oci.rootfs / "m").mkdir()
    for number in range(10_000):
        (oci.rootfs / f"m/{number}").touch()
    oci.spec["mounts"] += [
        {"destination": f"/m/{number}", "source": "/etc/hostname", "options": ["bind", "ro"]}
        for number in range(10_000)
    ]
    with oci.unchanged():
        assert int(oci.run("sh", "-c", "grep -c /m/ /proc/self/mountinfo", timeout=100)) == 10_000
    oci.spec["mounts"][-1]["source"] = "/no/such"
    refused(oci, "/no/such")


def test_a_configuration_of_50_megabytes(oci: Runtime) -> None:
    oci.spec["annotations"] = {"padding": "x" * (50 << 20)}
    refused(oci, "larger than 16 MiB")
    refused(oci, "larger than 16 MiB", verb="run")


def test_mounts_that_cannot_be(oci: Runtime) -> None:
    mounts = oci.spec["mounts"]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"destination": "/x", "source": "/no/such", "options": ["bind"]}, "/no/such"),
        ({"destination": "/x", "options": ["bind"]}, "no source"),
        ({"destination": "/x", "type": "nosuchfs"}, "nosuchfs"),
        ({"destination": "/x", "type": "ext4", "source": "/dev/nosuch"}, "ext4"),
        ({"destination": "/x", "type": "bind", "source": "/etc", "options": ["bind", "idmap"]}, "idmap"),
    ]
    for entry, said in cases:
        oci.spec["mounts"] = [*mounts, entry]
        refused(oci, said)


def test_links_of_the_image_lead_nowhere(oci: Runtime) -> None:
    victim = oci.bundle / "victim"
    victim.mkdir()
    (oci.rootfs / "escape").symlink_to(f"../../../../../..{victim}")
    oci.spec["mounts"].append({"destination": "/escape/made", "source": "/etc/hostname", "options": ["bind"]})
    oci.run("true")
    assert list(victim.iterdir()) == []


def test_options_that_are_none(oci: Runtime) -> None:
    for words, said in (
        (["nosuch"], "unknown command"),
        (["state", "--nosuch", "c"], "unknown option --nosuch"),
        (["state"], "usage"),
        (["state", "a", "b"], "usage"),
        (["create", "--bundle"], "needs a value"),
        (["kill", "c", "NOSUCH"], "does not exist"),
    ):
        command_refused(oci, said, command=tuple(words))


def test_state_files_of_others_are_not_believed(oci: Runtime) -> None:
    """A pid that is another process by now is no running container."""
    oci.create("sleep", "60")
    path, facts = oci.state / "c/state.json", oci.state / "c/facts"
    record = json.loads(path.read_text())
    os.kill(record["pid"], 9)
    assert gone(record["pid"])
    path.write_text(json.dumps({**record, "pid": os.getpid()}))
    facts.write_text(facts.read_text().replace(f"\n{record['pid']} ", f"\n{os.getpid()} ", 1))
    assert oci.document()["status"] == "stopped"
    assert "container not running" in oci("kill", "c", "KILL", status=1).stderr
    oci("delete", "c")
    assert Path(f"/proc/{os.getpid()}").exists()
