"""cp, diff, export, commit-less changes, volumes: a container's files from outside."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.harness.command import Rootless


def test_cp_out_and_in(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("create", "--name", "c", busybox_image)
    rootless("cp", "c:/etc/passwd", tmp_path / "passwd")
    assert (tmp_path / "passwd").read_text().startswith("root:")
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/f").write_text("x")
    rootless("cp", tmp_path / "tree", "c:/srv-new")
    rootless("cp", "c:/srv-new/deep", tmp_path / "back")
    assert (tmp_path / "back/f").read_text() == "x"
    assert "nowhere" in rootless("cp", "c:/nowhere", tmp_path, status=1).stderr
    rootless("rm", "c")


def test_cp_as_a_stream(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "c", "--network", "none", busybox_image, "sleep", "1000")
    archive = rootless("cp", "c:/etc/group", "-").raw
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["group"]
    rootless("cp", "-", "c:/tmp", stdin=archive)
    assert rootless("exec", "c", "head", "-1", "/tmp/group").stdout == "root:x:0:\n"
    rootless("rm", "-f", "c")


def test_cp_does_not_follow_a_link_out(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    script = "ln -s /proc/1/root/../../../../etc/hostname /out; ln -s / /rootlink"
    rootless("run", "--name", "c", "--network", "none", busybox_image, "sh", "-c", script)
    (tmp_path / "f").write_text("x")
    rootless("cp", tmp_path / "f", "c:/rootlink/f")
    assert not Path("/f").exists()
    rootless("cp", "-L", "c:/out", tmp_path / "got", status=None)
    got = tmp_path / "got"
    assert not got.exists() or got.read_text() != Path("/etc/hostname").read_text()
    rootless("rm", "c")


def test_diff(rootless: Rootless, busybox_image: str) -> None:
    script = "touch /new; echo >>/etc/group; rm /etc/passwd; mkdir /d; touch /d/f"
    rootless("run", "--name", "c", "--network", "none", busybox_image, "sh", "-c", script)
    assert rootless("diff", "c").lines == [
        "A /d",
        "A /d/f",
        "C /etc",
        "C /etc/group",
        "D /etc/passwd",
        "A /new",
    ]
    rootless("rm", "c")


def test_export_import(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("run", "--name", "c", "--network", "none", busybox_image, "touch", "/mark")
    rootless("export", "-o", tmp_path / "root.tar", "c")
    rootless("rm", "c")
    with tarfile.open(tmp_path / "root.tar") as tar:
        assert {"mark", "bin/busybox"} <= {name.removeprefix("./") for name in tar.getnames()}
    try:
        rootless("import", tmp_path / "root.tar", "imported:1")
        rootless("run", "--rm", "--network", "none", "imported:1", "/bin/ls", "/mark")
    finally:
        rootless("rmi", "-f", "imported:1")


def test_volumes(rootless: Rootless, busybox_image: str) -> None:
    assert rootless("volume", "create", "data").stdout == "data\n"
    rootless("run", "--name", "c", "--network", "none", "-v", "data:/d", busybox_image, "touch", "/d/f")
    assert "in use" in rootless("volume", "rm", "data", status=1).stderr
    rootless("rm", "c")
    where = rootless("volume", "inspect", "-f", "{{.Mountpoint}}", "data").stdout.strip()
    assert (Path(where) / "f").exists()
    rootless("volume", "rm", "data")
    assert rootless("volume", "ls", "-q").stdout == ""


def test_anonymous_volume_goes_with_rm(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--rm", "--network", "none", "-v", "/d", busybox_image, "touch", "/d/f")
    assert rootless("volume", "ls", "-q").stdout == ""
