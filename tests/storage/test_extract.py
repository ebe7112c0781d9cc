"""Unpacking layers: what comes out, and what hostile archives cannot do."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from rootless.errors import Corrupt, RootlessError
from rootless.storage.layers import layers
from rootless.storage.store import Store
from tests.storage import tars
from tests.storage.joined import Joined
from tests.storage.tars import Member, archive, directory, file, info, link, symlink
from tests.storage.unpacking import unpack


def test_everything_an_image_may_hold(store: Store, joined: Joined) -> None:
    data = archive(
        directory("./", mtime=5),
        directory("etc/", mtime=7, uid=0, gid=42, mode=0o2775),
        file("etc/inherits", b"group", gid=0),
        file("etc/shadow", b"secret", mode=0o640, uid=0, gid=42, mtime=9),
        file("bin/su", b"#!", mode=0o4755, mtime=11),
        file("bin/wall", b"#!", mode=0o2755, gid=5),
        symlink("lib", "usr/lib", mtime=13),
        link("bin/su2", "bin/su"),
        info("pipe", tarfile.FIFOTYPE, mode=0o600),
        info("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        file("usr/lib/" + "n" * 120 + "/" + "m" * 200, b"long"),
        file("fine", b"", pax_headers={"mtime": "1234567890.123456789"}),
        file("with", b"", pax_headers={"SCHILY.xattr.user.key": "value"}),
        file("tmp", b"first"),
        file("tmp", b"second, longer"),
    )

    def run() -> None:
        unpacked = unpack(store, data)
        top = unpacked.path
        su = os.stat(top + "/bin/su")
        assert stat.S_IMODE(su.st_mode) == 0o4755
        assert su.st_nlink == 2
        assert stat.S_IMODE(os.stat(top + "/bin/wall").st_mode) == 0o2755
        etc = os.stat(top + "/etc")
        assert (stat.S_IMODE(etc.st_mode), etc.st_gid, etc.st_mtime) == (0o2775, 42, 7)
        assert os.stat(top + "/etc/inherits").st_gid == 0
        shadow = os.stat(top + "/etc/shadow")
        assert (stat.S_IMODE(shadow.st_mode), shadow.st_gid, shadow.st_mtime) == (0o640, 42, 9)
        assert os.lstat(top + "/lib").st_mtime == 13
        assert stat.S_ISFIFO(os.stat(top + "/pipe").st_mode)
        assert os.stat(top).st_mtime == 5
        assert os.stat(top + "/fine").st_mtime_ns == 1234567890123456789
        assert os.getxattr(top + "/with", "user.key") == b"value"
        assert Path(top + "/tmp").read_bytes() == b"second, longer"
        assert unpacked.notes == {"device nodes left out": 1}
        assert not os.path.lexists(top + "/dev/null")

    joined(run)


HOSTILE: dict[str, list[Member]] = {
    "dot-dot": [file("../out", b"x")],
    "dot-dot inside": [directory("a"), file("a/../../out", b"x")],
    "only dot-dot": [directory("..")],
    "absolute dot-dot": [file("/../../out", b"x")],
    "hard link out": [link("passwd", "../../../../../../etc/passwd")],
    "hard link to nothing": [link("a", "missing")],
    "hard link to absolute": [link("a", "/etc/hostname")],
    "hard link to a directory": [directory("d"), link("a", "d")],
    "hard link below a link out": [symlink("up", "/etc"), link("a", "up/hostname")],
    "below a dangling link": [symlink("up", "/outside"), file("up/x", b"x")],
    "below a file": [file("f", b"x"), file("f/x", b"y")],
    "below a fifo": [info("p", tarfile.FIFOTYPE), file("p/x", b"y")],
    "root as a file": [file("./", b""), file(".", b"x")],
    "root as a link": [symlink(".", "/etc")],
    "root as a link, slash": [symlink("/", "/etc")],
    "symlink to nothing": [symlink("a", "")],
    "component too long": [file("a" * 300, b"x")],
    "name too long": [file("a/" * 2100 + "x", b"x")],
    "whiteout of dot": [file(".wh..", b"")],
    "whiteout of dot-dot": [file("a/.wh...", b"")],
    "whiteout of nothing": [file(".wh.", b"")],
    "whiteout directory": [file(".wh.a/b", b"")],
    "link loop": [symlink("a", "b"), symlink("b", "a"), file("a/x", b"x")],
    "bad time": [file("a", b"", pax_headers={"mtime": "never"})],
    "negative size": [file("a", b"", pax_headers={"size": "-1"})],
    "huge size": [file("a", b"", pax_headers={"size": "9" * 18})],
    "sparse past the end": [
        file("a", b"x" * 512, pax_headers={"GNU.sparse.map": "0,512", "GNU.sparse.size": "5"})
    ],
    "sparse overlapping": [
        file("a", b"x" * 20, pax_headers={"GNU.sparse.map": "0,10,5,10", "GNU.sparse.size": "50"})
    ],
    "sparse of many terabytes": [
        file("a", b"", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 60)})
    ],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives_are_refused_whole(store: Store, joined: Joined, what: str) -> None:
    data = archive(*HOSTILE[what])

    def run() -> None:
        with pytest.raises(RootlessError):
            unpack(store, data)
        assert not layers.has(store, tars.diff_id(data))
        assert os.listdir(store.layers) == []
        assert sorted(os.listdir(store.root)) == ["layers"]

    joined(run)


HARMLESS: dict[str, tuple[list[Member], str]] = {
    "absolute name": ([file("/etc/x", b"in")], "etc/x"),
    "absolute link as parent": ([directory("inner"), symlink("up", "/inner"), file("up/x", b"in")], "inner/x"),
    "climbing link as parent": ([directory("inner"), symlink("up", "../../../inner"), file("up/x", b"in")], "inner/x"),
    "link replaced by file": ([symlink("x", "/etc/passwd"), file("x", b"in")], "x"),
    "directory replaced by file": ([directory("x/y/z"), file("x", b"in")], "x"),
    "file replaced by directory": ([file("x", b"out"), directory("x"), file("x/y", b"in")], "x/y"),
    "directory replaced by link": (
        [directory("d"), file("d/x", b"out"), directory("e"), symlink("d", "e"), file("d/x", b"in")],
        "e/x",
    ),
    "link retargeted": (
        [directory("a"), directory("b"), symlink("l", "a"), file("l/x", b"out"), symlink("l", "b"), file("l/y", b"in")],
        "b/y",
    ),
    "dots": ([file("./a/./b/../c//d", b"in")], "a/c/d"),
    "unicode and bytes": ([file("gr\u00fc\udcff\n", b"in")], "gr\u00fc\udcff\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMLESS)
def test_odd_archives_stay_inside(store: Store, joined: Joined, what: str) -> None:
    members, where = HARMLESS[what]
    data = archive(*members)

    def run() -> None:
        path = f"{unpack(store, data).path}/{where}"
        assert stat.S_ISREG(os.lstat(path).st_mode)
        assert Path(path).read_bytes() == b"in"

    joined(run)


def test_cached_parent_follows_no_replaced_link(store: Store, joined: Joined) -> None:
    """A directory known by name is forgotten when a component of its name becomes a link."""
    data = archive(
        directory("a/b"), file("a/b/1", b"1"), directory("c/b"),
        symlink("a", "c"), file("a/b/2", b"2"),
    )  # fmt: skip

    def run() -> None:
        top = unpack(store, data).path
        assert os.listdir(top + "/c/b") == ["2"]

    joined(run)


def test_deep_names_and_many_directories(store: Store, joined: Joined) -> None:
    deep = "d/" * 2000 + "x"
    many = [file(f"many/{number}/f", b"%d" % number) for number in range(400)]
    links = [link(f"links/{number}/l", f"many/{(number * 37) % 400}/f") for number in range(400)]
    data = archive(file(deep, b"x"), *many, *links)

    def run() -> None:
        top = unpack(store, data).path
        for number in range(400):
            assert Path(f"{top}/links/{number}/l").read_bytes() == b"%d" % ((number * 37) % 400)
        layers.remove(store, tars.diff_id(data))
        assert os.listdir(store.layers) == []

    joined(run)


def test_whiteouts(store: Store, joined: Joined) -> None:
    data = archive(
        directory("d"), file("d/.wh.gone", b""), file("d/.wh..wh..opq", b""),
        file(".wh.kept", b""), file("kept", b"x"),
        directory("both"), file(".wh.both", b""),
        file("e/.wh.f", b""), file("e/f/inner", b"x"),
        directory(".wh..wh.plnk"), file(".wh..wh.plnk/12.34", b"twice"), file("d/.wh..wh.aufs", b""),
        link("d/one", ".wh..wh.plnk/12.34"), link("two", ".wh..wh.plnk/12.34"),
    )  # fmt: skip

    def run() -> None:
        top = unpack(store, data).path
        gone = os.lstat(top + "/d/gone")
        assert stat.S_ISCHR(gone.st_mode)
        assert gone.st_rdev == 0
        assert os.getxattr(top + "/d", "user.overlay.opaque") == b"y"
        assert os.path.isfile(top + "/kept")
        assert os.path.samefile(top + "/d/one", top + "/two")
        with open(top + "/two") as names_of_aufs:
            assert names_of_aufs.read() == "twice"
        assert os.getxattr(top + "/both", "user.overlay.opaque") == b"y"
        assert os.getxattr(top + "/e/f", "user.overlay.opaque") == b"y"
        assert not any(".wh." in name for _, dirs, files in os.walk(top) for name in dirs + files)

    joined(run)


@pytest.mark.parametrize("number", [-5, (1 << 32) - 1, 1 << 40])
def test_an_owner_that_is_no_id_is_root(store: Store, joined: Joined, number: int) -> None:
    """chown(2) would leave the file alone, or an archive of it be read by nobody."""
    data = tars.archive(tars.file("a", b"x", uid=number), tars.symlink("l", "a", gid=number), form=tarfile.GNU_FORMAT)

    def body() -> None:
        layer = unpack(store, data)
        assert layer.notes == {"owners that are no ids, kept as 0": 2}
        assert not os.path.exists(os.path.dirname(layer.path) + "/owners.json")
        assert os.lstat(layer.path + "/a").st_uid == os.lstat(layer.path + "/l").st_gid == 0

    joined(body)


def test_owners_outside_the_mapping_are_kept_aside(store: Store, joined: Joined) -> None:
    from rootless.storage.layers import write_tar as writing

    data = archive(file("a", b"x", uid=3_000_000, gid=7), directory("d", gid=4_000_000))

    def run() -> None:
        unpacked = unpack(store, data)
        status = os.stat(unpacked.path + "/a")
        assert (status.st_uid, status.st_gid) == (0, 7)
        assert sum(unpacked.notes.values()) == 2
        out = io.BytesIO()
        writing.write_stored_layer(store, unpacked.diff_id, out)
        out.seek(0)
        with tarfile.open(fileobj=out) as tar:
            owners = {member.name: (member.uid, member.gid) for member in tar}
        assert owners["a"] == (3_000_000, 7)
        assert owners["d"] == (0, 4_000_000)

    joined(run)


def test_attributes_that_would_steer_overlayfs_are_dropped(store: Store, joined: Joined) -> None:
    xattrs = {
        "SCHILY.xattr.user.overlay.redirect": "/etc",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.security.selinux": "x",
    }
    data = archive(directory("d", pax_headers=xattrs))

    def run() -> None:
        unpacked = unpack(store, data)
        assert os.listxattr(unpacked.path + "/d") in ([], ["user.rootless.trusted.overlay.opaque"])
        assert unpacked.notes == {"extended attributes left out": 2}

    joined(run)


def test_file_capabilities_survive(store: Store, joined: Joined) -> None:
    value = (0x02000001).to_bytes(4, "little") + (1 << 13).to_bytes(4, "little") + bytes(12)
    data = archive(
        file(
            "ping",
            b"x",
            mode=0o755,
            pax_headers={"SCHILY.xattr.security.capability": value.decode("latin-1")},
        )
    )

    def run() -> None:
        top = unpack(store, data).path
        assert os.getxattr(top + "/ping", "security.capability") == value

    joined(run)


def test_wrong_digest_leaves_nothing(store: Store, joined: Joined) -> None:
    data = archive(file("a", b"x"))

    def run() -> None:
        with pytest.raises(Corrupt):
            layers.unpack(store, "sha256:" + "0" * 64, io.BytesIO(data))
        assert os.listdir(store.layers) == []

    joined(run)


@pytest.mark.parametrize("cut", [100, 512, 700, 1024, 1025, 1536])
def test_truncated_stream_is_refused(store: Store, joined: Joined, cut: int) -> None:
    data = archive(file("a", b"x" * 1024), file("b", b"y"))[:cut]

    def run() -> None:
        with pytest.raises(Corrupt):
            layers.unpack(store, tars.diff_id(archive(file("other", b""))), io.BytesIO(data))

    joined(run)
