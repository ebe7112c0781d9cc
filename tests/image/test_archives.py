"""Archives: ours read by the peers, theirs read by us, hostile ones refused by name."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.image.strange_registry import digest_of, tar_of
from tests.need import need_program

pytestmark = pytest.mark.own_store
LAYER = tar_of({"etc/hello": b"hello\n"})


def config_of(*layers: bytes, **config: Any) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs}).encode()


def docker_archive(path: Path, *, members: dict[str, bytes] | None = None, **entry: Any) -> Path:
    """A docker-archive with one image; `members` and `entry` replace parts of it."""
    config = config_of(LAYER, Cmd=["sh"])
    name = hashlib.sha256(config).hexdigest() + ".json"
    listed = {"Config": name, "RepoTags": ["hello:1"], "Layers": ["aa/layer.tar"], **entry}
    files = {name: config, "aa/layer.tar": LAYER, "manifest.json": json.dumps([listed]).encode()}
    path.write_bytes(tar_of({**files, **(members or {})}))
    return path


def test_docker_archive(rootless: Rootless, tmp_path: Path) -> None:
    loaded = rootless("load", "-i", docker_archive(tmp_path / "a.tar"))
    assert loaded.stdout == "Loaded image: hello:1\n"
    layer = rootless.root / "layers" / digest_of(LAYER)[7:]
    assert (layer / "fs/etc/hello").read_text() == "hello\n"


def test_legacy_layers_that_are_links(rootless: Rootless, tmp_path: Path) -> None:
    config = config_of(LAYER, LAYER)
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:

        def add(path: str, data: bytes = b"", link: str = "") -> None:
            member = tarfile.TarInfo(path)
            member.type = tarfile.SYMTYPE if link else tarfile.REGTYPE
            member.size, member.linkname = len(data), link
            tar.addfile(member, io.BytesIO(data))

        add(name, config)
        add("bb/layer.tar", link="../aa/layer.tar")
        add("aa/layer.tar", LAYER)
        add(
            "manifest.json",
            json.dumps([{"Config": name, "Layers": ["aa/layer.tar", "bb/layer.tar"]}]).encode(),
        )
    loaded = rootless("load", "-i", tmp_path / "a.tar")
    assert loaded.stdout == f"Loaded image ID: sha256:{name[:-5]}\n"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"members": {"aa/layer.tar": tar_of({"x": b"y"})}}, "diff id"),
        ({"Layers": ["cc/layer.tar"]}, "has no 'cc/layer.tar'"),
        ({"Layers": ["../../etc/passwd"]}, "leads outside"),
        ({"Config": "/etc/passwd"}, "improper name"),
        ({"Layers": []}, "1 diff_ids for 0 layers"),
        ({"RepoTags": ["../x"]}, "invalid reference format"),
        ({"RepoTags": {}}, "without proper"),
        ({"members": {"manifest.json": b"[" * 50_000}}, "no valid JSON"),
        ({"members": {"manifest.json": b" " * (5 << 20)}}, "larger than"),
        ({"members": {"../escape": b""}}, "leads outside"),
        ({"members": {"./manifest.json": b"[]"}}, "twice"),
    ],
)
def test_hostile(rootless: Rootless, tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    refused = rootless("load", "-i", docker_archive(tmp_path / "a.tar", **changed), status=None)
    assert refused.status != 0
    assert says in refused.stderr
    assert rootless("images", "-q").stdout == ""


@pytest.mark.parametrize("link", ["loop", "/etc/passwd", "../../../etc/passwd"])
def test_hostile_links(rootless: Rootless, tmp_path: Path, link: str) -> None:
    config = config_of(LAYER)
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path, data in (
            (name, config),
            ("manifest.json", json.dumps([{"Config": name, "Layers": ["loop"]}]).encode()),
        ):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        member = tarfile.TarInfo("loop")
        member.type, member.linkname = tarfile.SYMTYPE, link
        tar.addfile(member)
    refused = rootless("load", "-i", tmp_path / "a.tar", status=None)
    assert refused.status != 0
    assert "archive" in refused.stderr


@pytest.mark.parametrize("data", [b"", b"x" * 10_000, b"\x1f\x8bnothing", b"\x28\xb5\x2f\xfdnothing"])
def test_no_archive_at_all(rootless: Rootless, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert rootless("load", "-i", path, status=None).status != 0
    assert rootless("import", path, "x", status=None).status != 0
    assert rootless("images", "-q").stdout == ""


@pytest.mark.parametrize("as_format", ["docker-archive", "oci-archive"])
def test_ours_read_by_the_peers(rootless: Rootless, podman: Podman, tmp_path: Path, as_format: str) -> None:
    rootless("load", "-i", docker_archive(tmp_path / "a.tar"))
    rootless("save", "--format", as_format, "-o", tmp_path / "ours.tar", "hello:1")
    skopeo = need_program("skopeo")
    inspected = subprocess.run(
        [skopeo, "inspect", "--config", f"{as_format}:{tmp_path}/ours.tar"], capture_output=True, check=True
    )
    assert json.loads(inspected.stdout)["config"]["Cmd"] == ["sh"]
    answer = podman("load", "-i", tmp_path / "ours.tar")
    assert "hello:1" in str(answer)
    podman("rmi", "-f", "hello:1")
    # And again by ourselves.
    rootless("rmi", "hello:1")
    rootless("load", "-i", tmp_path / "ours.tar")
    assert "hello" in rootless("images").stdout


@pytest.mark.parametrize("as_format", ["docker-archive", "oci-archive", "oci-dir", "docker-dir"])
def test_podmans_read_by_us(rootless: Rootless, podman: Podman, tmp_path: Path, as_format: str) -> None:
    podman("load", "-i", docker_archive(tmp_path / "a.tar"))
    path = tmp_path / "theirs"
    podman("save", "-q", "--format", as_format, "-o", path, "localhost/hello:1"
           if "localhost" in str(podman("images")) else "hello:1")  # fmt: skip
    if as_format == "docker-dir":
        refused = rootless("load", "-i", path, status=None)
        assert refused.status != 0
        return
    rootless("load", "-i", path)
    assert (rootless.root / "layers" / digest_of(LAYER)[7:] / "fs/etc/hello").exists()


def test_a_layout_by_umoci(rootless: Rootless, tmp_path: Path) -> None:
    umoci = need_program("umoci")
    layout = tmp_path / "layout"
    for command in (
        ["init", "--layout", str(layout)],
        ["new", "--image", f"{layout}:x"],
        ["config", "--image", f"{layout}:x", "--config.cmd", "true"],
    ):
        subprocess.run([umoci, *command], check=True, capture_output=True)
    rootless("load", "-i", layout)
    assert len(rootless("images", "-qa").lines) == 1


def test_a_layout_with_links_leading_out(rootless: Rootless, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    (layout / "index.json").symlink_to("../index.json")
    assert rootless("load", "-i", layout, status=None).status != 0


def test_the_same_image_gives_the_same_archive(rootless: Rootless, tmp_path: Path) -> None:
    rootless("load", "-i", docker_archive(tmp_path / "a.tar"))
    first = rootless("save", "hello:1").raw
    time.sleep(1.1)
    assert rootless("save", "hello:1").raw == first


def test_killed_while_loading(rootless: Rootless, tmp_path: Path) -> None:
    big = tar_of({f"file{number}": b"x" * 100_000 for number in range(600)})
    config = config_of(big)
    name = hashlib.sha256(config).hexdigest() + ".json"
    listed = [{"Config": name, "RepoTags": ["big:1"], "Layers": ["l.tar"]}]
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of({name: config, "l.tar": big, "manifest.json": json.dumps(listed).encode()}))
    for delay_s in (0.15, 0.25, 0.35, 0.5):
        running = rootless.start("load", "-i", path)
        time.sleep(delay_s)
        running.send_signal(signal.SIGKILL)
        running.wait(60)
        images = rootless("images", "-q").stdout
        assert images == "" or (rootless.root / "layers" / digest_of(big)[7:] / "fs/file599").exists()
    rootless("load", "-i", path)
    assert len(list((rootless.root / "layers" / digest_of(big)[7:] / "fs").iterdir())) == 600
