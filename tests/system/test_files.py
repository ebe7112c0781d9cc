"""cp, diff, export, commit-less changes, volumes: a container's files from outside."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.harness.command import Rootless


def test_cp_out_and_in(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("create", "--name", "box", busybox_image)
    rootless("cp", "box:/etc/passwd", tmp_path / "passwd")
    assert (tmp_path / "passwd").read_text().startswith("root:")
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/f").write_text("x")
    rootless("cp", tmp_path / "tree", "box:/srv-new")
    rootless("cp", "box:/srv-new/deep", tmp_path / "back")
    assert (tmp_path / "back/f").read_text() == "x"
    assert "nowhere" in rootless("cp", "box:/nowhere", tmp_path, status=1).stderr
    rootless("rm", "box")


def test_cp_as_a_stream(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "1000")
    archive = rootless("cp", "box:/etc/group", "-").raw
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["group"]
    rootless("cp", "-", "box:/tmp", stdin=archive)
    assert rootless("exec", "box", "head", "-1", "/tmp/group").stdout == "root:x:0:\n"
    rootless("rm", "-f", "box")


def test_cp_does_not_follow_a_link_out(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    script = "ln -s /proc/1/root/../../../../etc/hostname /out; ln -s / /rootlink"
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", script)
    (tmp_path / "f").write_text("x")
    rootless("cp", tmp_path / "f", "box:/rootlink/f")
    assert not Path("/f").exists()
    rootless("cp", "-L", "box:/out", tmp_path / "got", status=None)
    got = tmp_path / "got"
    assert not got.exists() or got.read_text() != Path("/etc/hostname").read_text()
    rootless("rm", "box")


def test_diff(rootless: Rootless, busybox_image: str) -> None:
    script = "touch /new; echo >>/etc/group; rm /etc/passwd; mkdir /d; touch /d/f"
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", script)
    assert rootless("diff", "box").lines == [
        "A /d",
        "A /d/f",
        "C /etc",
        "C /etc/group",
        "D /etc/passwd",
        "A /new",
    ]
    rootless("rm", "box")


def test_export_import(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("run", "--name", "box", "--network", "none", busybox_image, "touch", "/mark")
    rootless("export", "-o", tmp_path / "root.tar", "box")
    rootless("rm", "box")
    with tarfile.open(tmp_path / "root.tar") as tar:
        assert {"mark", "bin/busybox"} <= {name.removeprefix("./") for name in tar.getnames()}
    try:
        rootless("import", tmp_path / "root.tar", "imported:1")
        rootless("run", "--rm", "--network", "none", "imported:1", "/bin/ls", "/mark")
    finally:
        rootless("rmi", "-f", "imported:1")


def test_volumes(rootless: Rootless, busybox_image: str) -> None:
    assert rootless("volume", "create", "data").stdout == "data\n"
    rootless("run", "--name", "box", "--network", "none", "-v", "data:/d", busybox_image, "touch", "/d/f")
    assert "in use" in rootless("volume", "rm", "data", status=1).stderr
    rootless("rm", "box")
    where = rootless("volume", "inspect", "-f", "{{.Mountpoint}}", "data").stdout.strip()
    assert (Path(where) / "f").exists()
    rootless("volume", "rm", "data")
    assert rootless("volume", "ls", "-q").stdout == ""


def test_anonymous_volume_goes_with_rm(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--rm", "--network", "none", "-v", "/d", busybox_image, "touch", "/d/f")
    assert rootless("volume", "ls", "-q").stdout == ""
