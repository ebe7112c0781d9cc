"""A container's files by tar streams, before its first start and while it runs."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from tests.harness.api import Answer, Make, Service, start


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(data), 0o640, 3, 4
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive.getmembers()}


def stat_of(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))
    return found


@pytest.mark.parametrize("runs", [False, True])
def test_files_go_in_and_out(service: Service, make: Make, runs: bool) -> None:
    """testcontainers and compose copy into a container before it starts."""
    identifier = make()
    if runs:
        start(service, identifier)
    service("PUT", f"/containers/{identifier}/archive?path=/srv", tar(hello=b"world"), status=404)
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", tar(hello=b"world"))
    answer = service("GET", f"/containers/{identifier}/archive?path=/tmp/hello")
    assert answer.headers["content-type"] == "application/x-tar"
    (member,) = members(answer.body).values()
    assert (member.name, member.size, member.uid, member.gid, member.mode) == ("hello", 5, 3, 4, 0o640)
    found = stat_of(answer)
    assert (found["name"], found["size"], found["mode"], found["linkTarget"]) == ("hello", 5, 0o640, "")
    assert stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/tmp/hello")) == found


def test_modes_are_gos(service: Service, make: Make) -> None:
    identifier = make()
    assert stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/bin"))["mode"] & 1 << 31
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../etc/passwd"
        archive.addfile(link)
        sticky = tarfile.TarInfo("sticky")
        sticky.type, sticky.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(sticky)
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", out.getvalue())
    found = stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/tmp/link"))
    assert found["mode"] & 1 << 27
    assert found["linkTarget"] == "/etc/passwd"
    assert stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/tmp/sticky"))["mode"] == (1 << 31 | 1 << 20 | 0o777)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstandard.ZstdCompressor().compress,
}  # fmt: skip


@pytest.mark.parametrize("packing", sorted(PACKED))
def test_archives_may_be_packed(service: Service, make: Make, packing: str) -> None:
    identifier = make()
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", PACKED[packing](tar(packed=b"x")))
    assert service("GET", f"/containers/{identifier}/archive?path=/tmp/packed").body


def test_bad_paths_and_archives(service: Service, make: Make) -> None:
    identifier = make()
    at = f"/containers/{identifier}/archive"
    assert "Could not find the file" in service("GET", f"{at}?path=/nowhere", status=404).message
    service("HEAD", f"{at}?path=/nowhere", status=404)
    assert 'missing parameter "path"' in service("GET", at, status=400).message
    assert "not a directory" in service("PUT", f"{at}?path=/etc/passwd", tar(x=b""), status=400).message
    for junk in (b"junk", tar(x=b"y" * 5000)[:2000]):
        answer = service("PUT", f"{at}?path=/tmp", junk, status=None)
        assert answer.status in (400, 500), answer


def test_an_archive_does_not_leave_the_container(service: Service, make: Make, tmp_path: Any) -> None:
    identifier = make()
    outside = tmp_path / "outside"
    outside.mkdir()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        for name in ("way/through", "../../../../.." + str(outside) + "/up"):
            archive.addfile(tarfile.TarInfo(name))
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", out.getvalue(), status=None)
    service("PUT", f"/containers/{identifier}/archive?path={outside}", tar(x=b""), status=None)
    assert list(outside.iterdir()) == []


def test_a_large_file_streams(service: Service, make: Make) -> None:
    identifier = make()
    data = bytes(range(256)) * 40_000
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", tar(large=data))
    answer = service("GET", f"/containers/{identifier}/archive?path=/tmp/large")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        file = archive.extractfile("large")
        assert file is not None
        assert file.read() == data


def test_chunks_without_a_length_and_a_wait_for_100(service: Service, make: Make) -> None:
    """As Go's clients send bodies."""
    identifier = make()
    data = tar(chunked=b"abc")
    with service.connect() as sock:
        sock.sendall(
            b"PUT /containers/%s/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n" % identifier.encode()
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        for start_at in range(0, len(data), 1000):
            piece = data[start_at : start_at + 1000]
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/tmp/chunked"))["size"] == 3


def _mixed() -> bytes:
    """A directory with a file of two names, one with an attribute of a user's, and one with a capability."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        top = tarfile.TarInfo("all")
        top.type, top.mode = tarfile.DIRTYPE, 0o750
        archive.addfile(top)
        for name, attribute in (("plain", ""), ("noted", "user.note"), ("able", "security.capability"), ("odd", "user.overlay.redirect")):
            info = tarfile.TarInfo(f"all/{name}")
            info.size, info.uid, info.gid, info.mode, info.mtime = 5, 3, 4, 0o4755, 1_000_000_000
            if attribute:
                value = "\1\0\0\2" + "\1" + "\0" * 15 if attribute == "security.capability" else "word"
                info.pax_headers = {f"SCHILY.xattr.{attribute}": value}
            archive.addfile(info, io.BytesIO(b"hello"))
        link = tarfile.TarInfo("all/second")
        link.type, link.linkname = tarfile.LNKTYPE, "all/plain"
        archive.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize("runs", [False, True])
def test_a_tree_arrives_as_it_is_and_leaves_nothing_beside_it(service: Service, make: Make, runs: bool) -> None:
    """Renamed into a container that does not run, copied into one that does; a second time over the first."""
    identifier = make(HostConfig={"Mounts": [{"Type": "tmpfs", "Target": "/elsewhere"}] if runs else []})
    if runs:
        start(service, identifier)
    before = stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/"))["mtime"]
    for path in ("/tmp", "/tmp", "/elsewhere") if runs else ("/tmp", "/tmp"):
        service("PUT", f"/containers/{identifier}/archive?path={path}", _mixed())
        found = members(service("GET", f"/containers/{identifier}/archive?path={path}/all").body)
        assert {(m.uid, m.gid, m.mode, m.mtime) for m in found.values() if m.isreg()} == {(3, 4, 0o4755, 1_000_000_000)}
        assert found["all"].mode == 0o750
        assert {name for name, m in found.items() if m.islnk()} == {"all/second"}
        assert found["all/noted"].pax_headers["SCHILY.xattr.user.note"] == "word"
        assert "SCHILY.xattr.security.capability" in found["all/able"].pax_headers
        assert not found["all/odd"].pax_headers
    assert stat_of(service("HEAD", f"/containers/{identifier}/archive?path=/"))["mtime"] == before
    top = members(service("GET", f"/containers/{identifier}/archive?path=/").body)
    assert not [name for name in top if ".rootless-cp" in name]


def test_a_killed_copy_leaves_nothing_to_the_next_start(service: Service, make: Make) -> None:
    identifier = make("ls", "-a", "/")
    service("PUT", f"/containers/{identifier}/archive?path=/tmp", tar(hello=b"world"))
    directory = service.rootless.root / "containers" / identifier
    if not (directory / "upper").is_dir():
        pytest.skip("not the kernel's overlay")
    (directory / "upper/.rootless-cp-0123456789abcdef").mkdir()
    (directory / "incoming").symlink_to(".rootless-cp-0123456789abcdef")
    (directory / "upper/.rootless-cp-0123456789abcdef/half").write_text("half of a file")
    assert "rootless-cp" not in service.rootless("diff", identifier).stdout
    listed = service.rootless("start", "-a", identifier).stdout.split()
    assert "tmp" in listed
    assert ".rootless-cp-0123456789abcdef" not in listed
    assert not (directory / "incoming").is_symlink()
    (directory / "incoming").symlink_to("../../../elsewhere")
    service.rootless("start", "-a", identifier)
    assert not (directory / "incoming").is_symlink()
