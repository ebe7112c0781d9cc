"""Devices by name (CDI): what a specification says is in the container, and whose specification counts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless

HOOK = """
import json, os, sys
state = json.load(sys.stdin)
root = json.load(open(state["bundle"] + "/config.json"))["root"]["path"]
assert os.path.isdir(f"/proc/{state['pid']}"), "the pid is not the host's"
with open(root + "/made-by-hook", "w") as file:
    print(state["status"], len(state["id"]), *sys.argv[1:], *sorted(os.environ), file=file)
"""


@pytest.fixture
def vendor(rootless: Rootless, tmp_path: Path) -> Any:
    """Writes a specification of acme.com/gpu and runs the command with it: `vendor(edits, "run", ...)`."""
    directory = tmp_path / "config/cdi"
    directory.mkdir(parents=True)

    def call(edits: dict[str, Any], *words: str, kind: str = "acme.com/gpu", mode: int = 0o644, common: Any = None, **options: Any) -> Any:
        document = {
            "cdiVersion": "0.6.0", "kind": kind, "containerEdits": common or {},
            "devices": [{"name": name, "containerEdits": edits} for name in ("0", "1", "all")],
        }  # fmt: skip
        path = directory / "acme.yaml"
        path.write_text(json.dumps(document))  # JSON is YAML
        path.chmod(mode)
        return rootless(*words, env={"XDG_CONFIG_HOME": str(tmp_path / "config")}, **options)

    return call


def test_all_that_a_device_brings(rootless: Rootless, vendor: Any, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libgpu.so").write_text("driver\n")
    (tmp_path / "hook.py").write_text(HOOK)
    edits = {
        "env": ["GPU=zero", "MODE=device"],
        "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3, "permissions": "rw"}],
    }
    common = {
        "env": ["MODE=common", "VISIBLE=void"],
        "mounts": [
            {"hostPath": str(tmp_path / "lib"), "containerPath": "/usr/lib/gpu", "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"]},
            {"hostPath": str(tmp_path / "lib/libgpu.so"), "containerPath": "/usr/lib/gpu-2/libgpu.so"},
            {"hostPath": "tmpfs", "containerPath": "/run/gpu", "type": "tmpfs", "options": ["mode=700"]},
        ],
        "hooks": [{"hookName": "createContainer", "path": sys.executable, "args": ["python", str(tmp_path / "hook.py"), "one", "two"],
                   "env": ["ONLY=this"], "timeout": 60}],
    }  # fmt: skip
    script = ("test -c /dev/gpu0 && echo x >/dev/gpu0; echo $GPU $MODE $VISIBLE; cat /usr/lib/gpu/libgpu.so /usr/lib/gpu-2/libgpu.so; "
              "touch /usr/lib/gpu/x 2>/dev/null || echo read-only; grep -c /run/gpu /proc/mounts; cat /made-by-hook")  # fmt: skip
    vendor(edits, "create", "--name", "box", "--network", "none", "--device", "acme.com/gpu=0", "-e", "MODE=asked", busybox_image,
           "sh", "-c", script, common=common)  # fmt: skip
    for _ in range(2):  # looked up at each start
        lines = vendor(edits, "start", "-a", "box", common=common).lines
        assert lines == ["zero device void", "driver", "driver", "read-only", "1", "creating 64 one two LC_CTYPE ONLY"], lines
    found = json.loads(rootless("inspect", "box").stdout)[0]["HostConfig"]
    assert found["DeviceRequests"] == [
        {"Driver": "cdi", "Count": 0, "DeviceIDs": ["acme.com/gpu=0"], "Capabilities": None, "Options": None}
    ]
    assert (found["Devices"], found["Binds"]) == ([], None)
    # A driver that has gone since is an error of the start.
    gone = vendor({**edits, "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/gone"}]}, "start", "box", status=1)
    assert "/dev/gone: No such file" in gone.stderr, gone.stderr
    rootless("rm", "box")


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "echo no such driver; exit 3"]}]},
         "failed with exit status 3: no such driver"),
        ({"hooks": [{"hookName": "prestart", "path": "/bin/true"}]}, "a prestart hook is not supported"),
        ({"hooks": [{"hookName": "createContainer", "path": "true"}]}, "no absolute path"),
        ({"additionalGids": [44]}, "--group-add keep-groups"),
        ({"netDevices": [{"hostInterfaceName": "a", "name": "b"}]}, "netDevices needs root"),
        ({"intelRdt": {"closID": "x"}}, "intelRdt needs root"),
        ({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/null", "major": 195, "minor": 0}]}, "has the numbers 1:3"),
        ({"deviceNodes": [{"path": "/dev/null", "permissions": "r"}]}, "cannot be enforced without root"),
        ({"deviceNodes": [{"hostPath": "/dev/null"}]}, "CDI's schema"),
        ({"mounts": [{"hostPath": "/nowhere/x", "containerPath": "/x"}]}, "/nowhere/x: no such file"),
        ({"mounts": [{"hostPath": "proc", "containerPath": "/x", "type": "proc"}]}, "a mount of type proc"),
        ({"mounts": [{"hostPath": "/", "containerPath": "/x", "options": ["dirsync"]}]}, "dirsync"),
        ({"mounts": "all"}, "CDI's schema"),
        ({"env": ["NOVALUE"]}, "NAME=VALUE"),
        ({"seccomp": {}}, "no such edit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_had_is_an_error(vendor: Any, rootless: Rootless, busybox_image: str, edits: Any, words: str) -> None:
    done = vendor(edits, "run", "--rm", "--network", "none", "--device", "acme.com/gpu=0", busybox_image, "true", status=None)
    assert done.status == 125
    assert words in done.stderr
    assert rootless("ps", "-aq").lines == []


def test_whose_specification_counts(vendor: Any, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """One that others may write runs their programs: refused, and said. So is what is no file, or no specification."""
    run = ("run", "--rm", "--network", "none", "--device", "acme.com/gpu=0", busybox_image, "true")
    vendor({}, *run)
    for mode in (0o664, 0o646):
        refused = vendor({}, *run, mode=mode, status=125)
        assert "unresolvable CDI devices acme.com/gpu=0\nhint: " in refused.stderr
        assert f"chmod go-w {tmp_path}" in refused.stderr
    directory = tmp_path / "config/cdi"
    directory.chmod(0o777)
    assert "chmod go-w" in vendor({}, *run, status=125).stderr
    directory.chmod(0o755)
    os.mkfifo(directory / "pipe.json")
    (directory / "broken.yaml").write_text("kind: [")
    (directory / "text.json").write_text('"text"')
    vendor({}, *run)
    missing = vendor({}, *run[:5], "acme.com/gpu=7", *run[6:], status=125).stderr
    assert all(words in missing for words in ("no regular file", "cannot be parsed", "is no mapping")), missing
    # Described twice in one directory: nobody knows which is meant.
    (directory / "zacme.yaml").write_text((directory / "acme.yaml").read_text())
    assert "is described in" in vendor({}, *run, status=125).stderr


def test_gpus(vendor: Any, rootless: Rootless, busybox_image: str) -> None:
    """--gpus, as Docker's words: which names of CDI they come to."""
    edits = {"env": ["GPU=yes"]}

    def names(word: str, kind: str = "nvidia.com/gpu") -> list[str]:
        vendor(edits, "create", "--name", "box", "--gpus", word, busybox_image, "true", kind=kind)
        found: list[str] = json.loads(rootless("inspect", "box").stdout)[0]["HostConfig"]["DeviceRequests"][0]["DeviceIDs"]
        rootless("rm", "box")
        return found

    assert names("all") == ["nvidia.com/gpu=all"] == names("count=-1")
    assert names("2") == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]
    assert names('"device=1,0","capabilities=compute,utility"') == ["nvidia.com/gpu=1", "nvidia.com/gpu=0"]
    assert names("driver=amd,count=1", "amd.com/gpu") == ["amd.com/gpu=0"] == names("capabilities=gpu", "amd.com/gpu")
    for word, kind, words in (
        ("all", "acme.com/gpu", 'could not select device driver "" with capabilities: [[gpu]]'), ("3", "nvidia.com/gpu", "there are 2"),
        ("capabilities=tpu", "nvidia.com/gpu", "[[gpu tpu]]"), ("device=7", "nvidia.com/gpu", "nvidia.com/gpu=7"),
        ("some", "nvidia.com/gpu", "invalid count"), ("colour=red", "nvidia.com/gpu", "unexpected key"),
        ("count=1,count=2", "nvidia.com/gpu", "only once"), ('count=1,"device=0,1"', "nvidia.com/gpu", "cannot set both"),
        ("driver=x", "nvidia.com/gpu", "could not select"), ("options=x", "nvidia.com/gpu", "options"),
        ("a\nb", "nvidia.com/gpu", "invalid gpu request"),
    ):  # fmt: skip
        assert words in vendor(edits, "create", "--gpus", word, busybox_image, "true", kind=kind, status=125).stderr


def test_a_directory_of_somebody_else(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """In the session's user namespace every other user looks alike, root too: our own directory has to be ours."""
    (tmp_path / "cdi").symlink_to("/usr")
    run = ("run", "--rm", "--network", "none", "--device", "acme.com/gpu=0", busybox_image, "true")
    refused = rootless(*run, env={"XDG_CONFIG_HOME": str(tmp_path)}, status=125).stderr
    assert f"{tmp_path}/cdi: it belongs to root (uid 0), not to you" in refused, refused


def test_no_hook_where_others_see_the_processes(vendor: Any, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """A hook has the host's files in view, and a container that may trace read them through /proc/PID/root of the hook's process."""
    hooks = [{"hookName": "createContainer", "path": "/bin/touch", "args": ["touch", str(tmp_path / "ran")]}]
    rootless("run", "-d", "--name", "spy", "--network", "none", "--cap-add", "SYS_PTRACE", busybox_image, "sleep", "1000")
    joins = ("run", "--rm", "--network", "none", "--pid", "container:spy", "--device", "acme.com/gpu=0", busybox_image, "true")
    try:
        assert "hooks, which are not run where other containers" in vendor({"hooks": hooks}, *joins, status=125).stderr
        assert not (tmp_path / "ran").exists()
        vendor({}, *joins)  # a device without hooks brings nothing that could be traced
    finally:
        rootless("rm", "-f", "-t", "0", "spy")
