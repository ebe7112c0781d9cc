"""cp keeps what belongs to a file besides its contents: its other names, its extended attributes."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from tests.harness.command import Rootless


def test_names_of_one_file_and_attributes_are_kept(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """In all directions, over what is there, too."""
    (there := tmp_path / "there").mkdir()
    (there / "a").write_text("DATA")
    os.link(there / "a", there / "b")
    os.setxattr(there / "a", "user.note", b"x\xff")
    (there / "sub").mkdir()
    os.link(there / "a", there / "sub" / "c")
    os.setxattr(there / "sub", "user.dir", b"y")
    rootless("create", "--name", "box", busybox_image)
    for target in ("box:/new", "box:/new"):
        rootless("cp", f"{there}/.", target)
    rootless("cp", "box:/new", tmp_path / "back")
    rootless("cp", "box:/new/.", tmp_path / "back")
    for name in ("a", "b", "sub/c"):
        status = (tmp_path / "back" / name).stat()
        assert (status.st_nlink, status.st_ino) == (3, (tmp_path / "back" / "a").stat().st_ino)
        assert os.getxattr(tmp_path / "back" / name, "user.note") == b"x\xff"
    assert os.getxattr(tmp_path / "back" / "sub", "user.dir") == b"y"
    assert sorted(os.listdir(tmp_path / "back")) == ["a", "b", "sub"]
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "box:/new", "-").raw)) as tar:
        kinds = sorted((each.name, each.islnk(), each.linkname) for each in tar if not each.isdir())
        assert [links for _, links, _ in kinds].count(True) == 2
        assert any("SCHILY.xattr.user.note" in each.pax_headers for each in tar)
    rootless("rm", "box")


def test_a_capability_stays_among_containers(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """On the host it would lend the rights of who copied it."""
    made = io.BytesIO()
    header = "SCHILY.xattr.security.capability"
    capability = bytes.fromhex("0100000200040000000000000000000000000000").decode("latin-1")
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("ping")
        info.mode, info.pax_headers = 0o755, {header: capability}
        tar.addfile(info)
    for name in ("box", "other"):
        rootless("create", "--name", name, busybox_image)
    rootless("cp", "-", "box:/", stdin=made.getvalue())
    rootless("cp", "box:/ping", "other:/ping")
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "other:/ping", "-").raw)) as tar:
        assert [each.pax_headers[header] for each in tar] == [capability]
    rootless("cp", "other:/ping", tmp_path)
    assert os.listxattr(tmp_path / "ping") == []
    rootless("rm", "box", "other")


def test_an_archive_that_leads_out_of_itself(rootless: Rootless, busybox_image: str) -> None:
    """It is refused whole, and called what the user gave."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("first", "../../up"):
            tar.addfile(tarfile.TarInfo(name))
    rootless("create", "--name", "box", "--network", "none", busybox_image, "true")
    said = rootless("cp", "-", "box:/", stdin=made.getvalue(), status=1).stderr
    assert "the archive has a name that leads out of it: '../../up'" in said
    assert rootless("diff", "box").lines == []
    rootless("rm", "box")
