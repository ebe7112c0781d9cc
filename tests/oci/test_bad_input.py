"""What a careless or hostile caller can give us: one line that names it, and nothing changed."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.oci.bundles import Runtime


def refused(oci: Runtime, *said: str, verb: str = "create", status: int = 1) -> None:
    oci.write()
    args = [verb, "--bundle", str(oci.bundle), "c"]
    done = oci(*args, status=status, timeout=60)
    for word in said:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert oci("list", "--quiet").stdout == "", "state is unchanged"


def test_a_broken_rule_is_named(oci: Runtime) -> None:
    oci.spec["linux"]["namespaces"][1]["type"] = "nosuch"
    refused(oci, "config.json: linux.namespaces[1].type", "'nosuch'")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"ociVersion": "1.0.0"', "\xff", "[" * 100_000])
def test_no_configuration(oci: Runtime, text: str) -> None:
    oci.write()
    (oci.bundle / "config.json").write_bytes(text.encode("latin-1"))
    done = oci("create", "--bundle", str(oci.bundle), "c", status=1)
    assert "config.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_bundle(oci: Runtime) -> None:
    assert "no bundle" in oci("create", "--bundle", "/no/such", "c", status=1).stderr
    assert "config.json" in oci("create", "--bundle", "/var/empty", "c", status=1).stderr or True


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a b", "x" * 2000])
def test_ids_that_are_no_names(oci: Runtime, name: str) -> None:
    oci.write()
    assert "invalid container id" in oci("create", "-b", str(oci.bundle), name, status=1).stderr


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
    refused_socket = oci.bundle / "console"
    oci.spec["process"]["terminal"] = True
    oci.write()
    base = ["create", "--bundle", str(oci.bundle)]
    assert "--console-socket" in oci(*base, "c", status=1).stderr
    assert "no console socket" in oci(*base, "--console-socket", str(refused_socket), "c", status=1).stderr
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(refused_socket))  # and nobody listens
        done = oci(*base, "--console-socket", str(refused_socket), "c", status=1)
        assert "nobody listens" in done.stderr
    oci.spec["process"]["terminal"] = False
    oci.write()
    assert "terminal is not set" in oci(*base, "--console-socket", "/x", "c", status=1).stderr
    assert oci("list", "--quiet").stdout == ""


def test_hooks_that_fail_or_hang(oci: Runtime) -> None:
    for point in ("prestart", "createRuntime", "createContainer"):
        oci.spec["hooks"] = {point: [{"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 4"]}]}
        refused(oci, f"hooks.{point}[0]", "exit status 4", "why")
        oci.spec["hooks"] = {point: [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}
        begin = time.monotonic()
        refused(oci, f"hooks.{point}[0]", "within 1 s")
        assert time.monotonic() - begin < 5
        oci.spec["hooks"] = {point: [{"path": "/no/such"}]}
        refused(oci, f"hooks.{point}[0]")
    oci.spec["hooks"] = {"startContainer": [{"path": "/bin/false", "args": ["false"]}]}
    refused(oci, "hooks.startContainer[0]", verb="run")


def test_ten_thousand_mounts(oci: Runtime) -> None:
    (oci.rootfs / "m").mkdir()
    for number in range(10_000):
        (oci.rootfs / f"m/{number}").touch()
    oci.spec["mounts"] += [
        {"destination": f"/m/{number}", "source": "/etc/hostname", "options": ["bind", "ro"]}
        for number in range(10_000)
    ]
    assert int(oci.run("sh", "-c", "grep -c /m/ /proc/self/mountinfo", timeout=100)) == 10_000


def test_a_configuration_of_50_megabytes(oci: Runtime) -> None:
    oci.spec["annotations"] = {"padding": "x" * (50 << 20)}
    refused(oci, "larger than 16 MiB")


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
        assert said in oci(*words, status=1).stderr


def test_state_files_of_others_are_not_believed(oci: Runtime) -> None:
    """A pid that is another process by now is no running container."""
    oci.create("sleep", "60")
    path = oci.state / "c/state.json"
    record = json.loads(path.read_text())
    os.kill(record["pid"], 9)
    path.write_text(json.dumps({**record, "pid": os.getpid()}))
    assert oci.document()["status"] == "stopped"
    assert "container not running" in oci("kill", "c", "KILL", status=1).stderr
    oci("delete", "c")
    assert Path(f"/proc/{os.getpid()}").exists()
