"""Bases whose configuration is anything but what it should be: a build from them works or says why not, in a line."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import images
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store

VALUES = [5, None, "a\nb\x1b[31m", [], [5, ["b"]], {"a": {"b": None}}, {"": ""}]
FIELDS = [
    "Env", "Cmd", "Entrypoint", "Labels", "Volumes", "ExposedPorts", "Healthcheck", "Shell", "OnBuild", "User", "WorkingDir", "StopSignal",
    "ArgsEscaped", "StopTimeout",
]  # fmt: skip
DOCUMENT = ["architecture", "os", "variant", "created", "author", "history", "config", "os.version"]
TEXT = "FROM hostile\nENV x=$y\nLABEL a=b\nWORKDIR w\nEXPOSE 80\nCOPY f .\n"


def changed(archive: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The archive, its image called `hostile`, with another configuration."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        read = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        files = {name: file.read() for name, file in read.items() if file is not None}
    (entry,) = json.loads(files["manifest.json"])
    config = json.loads(files[entry["Config"]])
    change(config)
    data = json.dumps(config).encode()
    name = f"{hashlib.sha256(data).hexdigest()}.json"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        images.add(tar, name, data)
        for layer in entry["Layers"]:
            images.add(tar, layer, files[layer])
        images.add(tar, "manifest.json", json.dumps([{**entry, "Config": name, "RepoTags": ["hostile:latest"]}]).encode())
    return out.getvalue()


@pytest.mark.parametrize("name", [*FIELDS, *DOCUMENT])
def test_configurations(rootless: Rootless, busybox_image: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text("f")
    (tmp_path / "Dockerfile").write_text(TEXT)
    plain = rootless("save", busybox_image).raw
    for value in VALUES:

        def change(config: dict[str, Any], value: Any = value) -> None:
            (config if name in DOCUMENT else config["config"])[name] = value

        # The harness refuses a traceback and an internal error in any of them.
        if rootless("load", stdin=changed(plain, change), status=None).status:
            continue
        done = rootless("build", "-q", "-t", "made", tmp_path, status=None)
        assert "\x1b" not in done.stderr
        if done.status == 0:
            rootless("image", "inspect", "made")
            assert "\x1b" not in rootless("history", "--no-trunc", "made").stdout
        rootless("rmi", "-f", "hostile", status=None)
