"""Images on the command line: list, tag, inspect, save, load, import, remove."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.registry import Registry

pytestmark = pytest.mark.own_store


def test_list_tag_remove(rootless: Rootless, busybox_image: str) -> None:
    header, line = rootless("images").lines
    assert header.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert line.split()[:2] == ["busybox", "latest"]
    rootless("tag", busybox_image, "localhost/other:2")
    assert sorted(rootless("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").lines) == [
        "busybox:latest",
        "localhost/other:2",
    ]
    assert len(set(rootless("images", "-q").lines)) == 1
    assert "Untagged: localhost/other:2" in rootless("rmi", "localhost/other:2").stdout
    assert "Deleted: sha256:" in rootless("rmi", busybox_image).stdout
    assert rootless("images", "-q").stdout == ""
    assert rootless("run", "--rm", "--pull", "never", busybox_image, "true", status=125).stderr


def test_image_in_use_stays(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "box", busybox_image)
    assert "box" in rootless("rmi", busybox_image, status=1).stderr
    rootless("rm", "box")
    rootless("rmi", busybox_image)


def test_inspect_and_history(rootless: Rootless, busybox_image: str) -> None:
    (record,) = json.loads(rootless("image", "inspect", busybox_image).stdout)
    assert record["Config"]["Cmd"] == ["sh"]
    assert record["RepoTags"] == ["busybox:latest"]
    assert len(record["RootFS"]["Layers"]) == 1
    assert len(rootless("history", busybox_image).lines) == 2


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "tar.zst"])
def test_import_compressed(rootless: Rootless, tmp_path: Path, suffix: str) -> None:
    layer = images.busybox_layer(images.static_busybox())
    path = tmp_path / f"root.{suffix}"
    path.write_bytes(_compress(layer, suffix))
    rootless("import", path, "localhost/imported:1")
    assert (
        rootless("run", "--rm", "--network", "none", "localhost/imported:1", "/bin/echo", "hi").stdout
        == "hi\n"
    )


def _compress(data: bytes, suffix: str) -> bytes:
    import gzip
    import lzma

    import zstandard

    if suffix == "tar.gz":
        return gzip.compress(data)
    if suffix == "tar.xz":
        return lzma.compress(data, preset=0)
    return zstandard.compress(data) if suffix == "tar.zst" else data


def test_save_and_load_through_a_pipe(rootless: Rootless, busybox_image: str) -> None:
    archive = rootless("save", busybox_image).raw
    before = rootless("images", "-q", "--no-trunc").stdout
    rootless("rmi", busybox_image)
    assert "busybox:latest" in rootless("load", stdin=archive).stdout
    assert rootless("images", "-q", "--no-trunc").stdout == before


def test_whiteouts_between_layers(rootless: Rootless, tmp_path: Path) -> None:
    lower = images.busybox_layer(images.static_busybox())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        images.add(tar, "etc/.wh.group")
        images.add(tar, "home", kind=tarfile.DIRTYPE)
        images.add(tar, "home/.wh..wh..opq")
        images.add(tar, "home/new", b"x")
    path = tmp_path / "image.tar"
    path.write_bytes(images.docker_archive("localhost/white:1", [lower, buffer.getvalue()], {}))
    rootless("load", "-i", path)
    script = "ls /home; ls /etc"
    out = rootless("run", "--rm", "--network", "none", "localhost/white:1", "/bin/sh", "-c", script).lines
    assert "new" in out
    assert "passwd" in out
    assert not {"group", "user"} & set(out)


@pytest.mark.parametrize("name", ["../escape", "/../../escape", "link/escape"])
def test_hostile_names_stay_inside(rootless: Rootless, tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        images.add(tar, "link", kind=tarfile.SYMTYPE, target=str(tmp_path))
        images.add(tar, name, b"x")
    path = tmp_path / "image.tar"
    path.write_bytes(images.docker_archive("localhost/hostile:1", [buffer.getvalue()], {}))
    rootless("load", "-i", path, status=None, warns=True)
    assert {entry.name for entry in tmp_path.iterdir()} == {"image.tar"}
    assert not list(rootless.root.glob("escape"))
    assert not list(rootless.root.parent.glob("escape"))


def test_pull_twice_and_by_digest(rootless: Rootless, registry: Registry, busybox_archive: Path) -> None:
    import shutil
    import subprocess

    from tests.need import need

    need(shutil.which("skopeo"), "skopeo is not installed")
    name = f"{registry.address}/pulled:1"
    subprocess.run(
        ["skopeo", "copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false",
         f"docker-archive:{busybox_archive}", f"docker://{name}"],
        check=True, timeout=60,
    )  # fmt: skip
    told = rootless("pull", name).stdout
    assert "Downloaded newer image" in told
    digest = told.split("Digest: ")[1].split()[0]
    assert "up to date" in rootless("pull", name).stdout
    rootless("rmi", "-f", name)
    rootless("pull", "-q", f"{registry.address}/pulled@{digest}")
    assert "not found" in rootless("pull", f"{registry.address}/pulled:missing", status=1).stderr.lower()


def test_kill_during_load_leaves_a_usable_store(rootless: Rootless, busybox_archive: Path) -> None:
    for step in range(10):
        loading = rootless.start("load", "-i", busybox_archive)
        time.sleep(0.03 * step)
        loading.kill()
        loading.wait()
    rootless("load", "-i", busybox_archive)
    assert rootless("run", "--rm", "--network", "none", "busybox", "echo", "ok").stdout == "ok\n"
