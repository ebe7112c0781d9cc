"""Roots from layers: the drivers agree with each other, and `diff` with all of them."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from rootless.errors import InvalidInput
from rootless.linux import mount, namespace
from rootless.runtime.mounts.rootfs import mount_root
from rootless.storage import driver_probe
from rootless.storage.drivers import choose, rootfs
from rootless.storage.layers import diff, layers
from rootless.storage.layers import write_tar as writing
from rootless.storage.store import Store
from tests.need import need
from tests.storage import tars
from tests.storage.joined import Joined
from tests.storage.tars import archive, directory, file, link, symlink

BELOW = archive(
    directory("kept", mode=0o1777),
    file("kept/a", b"a", uid=5),
    file("kept/b", b"b", mode=0o4755),
    link("kept/c", "kept/b"),
    directory("opaque/sub"),
    file("opaque/old", b"old"),
    file("gone", b"gone"),
    directory("gone-too/inner"),
    file("becomes-directory", b"x"),
    directory("becomes-file/inner"),
    symlink("link", "kept"),
)
ABOVE = archive(
    directory("kept"),
    file("kept/.wh.a", b""),
    file("kept/new", b"new"),
    directory("opaque"),
    file("opaque/.wh..wh..opq", b""),
    file("opaque/new", b"new"),
    file(".wh.gone", b""),
    file(".wh.gone-too", b""),
    directory("becomes-directory"),
    file("becomes-file", b"y"),
    symlink("link", "opaque"),
)
MERGED = {
    "kept": None, "kept/b": b"b", "kept/c": b"b", "kept/new": b"new", "opaque": None, "opaque/new": b"new",
    "becomes-directory": None, "becomes-file": b"y", "link": "opaque",
}  # fmt: skip
DIFF_IDS = [tars.diff_id(BELOW), tars.diff_id(ABOVE)]


def tree(top: str) -> dict[str, str | bytes | None]:
    """{path: what a file holds, where a link leads, or None for a directory}."""
    found: dict[str, str | bytes | None] = {}
    for where, dirs, files in os.walk(top):
        for name in [*dirs, *files]:
            path = os.path.join(where, name)
            mode = os.lstat(path).st_mode
            found[os.path.relpath(path, top)] = (
                os.readlink(path)
                if stat.S_ISLNK(mode)
                else None
                if stat.S_ISDIR(mode)
                else Path(path).read_bytes()
            )
    return found


def prepared(store: Store, which: str) -> tuple[str, str]:
    """A container's directory and its root over both layers, mounted in a mount namespace of ours."""
    for data in (BELOW, ABOVE):
        layers.unpack(store, tars.diff_id(data), io.BytesIO(data))
    namespace.unshare(namespace.CLONE_NEWNS)
    mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE, None)
    place = store.root + "/c"
    os.makedirs(place)
    root = rootfs.prepare(store, place, DIFF_IDS, driver=which)
    os.close(mount_root(root))
    return place, root.path


def usable(store: Store, which: str) -> str:
    """Why the driver cannot be used here, or nothing."""
    try:
        driver_probe.try_drivers(store.root, which)
    except Exception as error:  # noqa: BLE001
        return str(error)
    return ""


@pytest.mark.parametrize("which", choose.DRIVERS)
def test_drivers_show_the_merged_tree(store: Store, joined: Joined, which: str) -> None:
    def run() -> str:
        why = usable(store, which)
        if why:
            return why
        _, top = prepared(store, which)
        try:
            assert tree(top) == MERGED
            assert stat.S_IMODE(os.stat(top + "/kept/b").st_mode) == 0o4755
            assert os.stat(top + "/kept/b").st_nlink in (2, 1 if which == "fuse-overlayfs" else 2)
            assert stat.S_IMODE(os.stat(top).st_mode) == 0o755
        finally:
            if which != "directory":
                mount.umount2(top, mount.MNT_DETACH)
        return ""

    why = joined(run)
    need(not why, why)


@pytest.mark.parametrize("which", choose.DRIVERS)
def test_changes_as_docker_lists_them(store: Store, joined: Joined, which: str) -> None:
    def run() -> str:
        why = usable(store, which)
        if why:
            return why
        place, top = prepared(store, which)
        try:
            Path(top + "/becomes-file").write_bytes(b"changed")
            os.unlink(top + "/kept/new")
            Path(top + "/opaque/added").write_bytes(b"x")
            os.mkdir(top + "/fresh")
            Path(top + "/fresh/file").write_bytes(b"x")
            os.unlink(top + "/link")
            os.rmdir(top + "/becomes-directory")
            os.unlink(top + "/opaque/new")
            found = [f"{kind} {path}" for kind, path in diff.diff(store, place, DIFF_IDS)]
        finally:
            if which != "directory":
                mount.umount2(top, mount.MNT_DETACH)
        expected = [
            "D /becomes-directory", "C /becomes-file", "A /fresh", "A /fresh/file", "C /kept", "D /kept/new",
            "D /link", "C /opaque", "A /opaque/added", "D /opaque/new",
        ]  # fmt: skip
        assert found == expected
        return ""

    why = joined(run)
    need(not why, why)


def test_directory_made_anew(store: Store, joined: Joined) -> None:
    def run() -> None:
        place, top = prepared(store, "overlay")
        os.unlink(top + "/kept/b")
        os.unlink(top + "/kept/c")
        os.unlink(top + "/kept/new")
        os.rmdir(top + "/kept")
        os.mkdir(top + "/kept")
        Path(top + "/kept/b").write_bytes(b"again")
        found = [f"{kind} {path}" for kind, path in diff.diff(store, place, DIFF_IDS)]
        assert found == ["C /kept", "C /kept/b", "D /kept/c", "D /kept/new"]

    why = joined(lambda: usable(store, "overlay"))
    need(not why, why)
    joined(run)


def test_upper_written_as_a_layer_gives_the_same_tree(store: Store, joined: Joined) -> None:
    """commit: the upper directory as a layer, unpacked on top of the others, shows what the container saw."""

    def run() -> None:
        place, top = prepared(store, "overlay")
        os.unlink(top + "/kept/b")
        Path(top + "/kept/x").write_bytes(b"x" * 10000)
        os.chown(top + "/kept/x", 7, 8)
        os.setxattr(top + "/kept/x", "user.some", b"\xff\x00value")
        os.utime(top + "/kept/x", ns=(1, 123456789123456789))
        os.unlink(top + "/opaque/new")
        os.rmdir(top + "/opaque")
        os.mkdir(top + "/opaque")
        expected = tree(top)
        out = io.BytesIO()
        writing.write_layer(place + "/upper", out)
        exported = io.BytesIO()
        fd = os.open(top, os.O_PATH)
        writing.write_tree(fd, exported)
        third = tars.diff_id(out.getvalue())
        layers.unpack(store, third, io.BytesIO(out.getvalue()))
        os.makedirs(store.root + "/again")
        root = rootfs.prepare(store, store.root + "/again", [*DIFF_IDS, third], driver="overlay")
        os.close(mount_root(root))
        assert tree(root.path) == expected
        flat = tars.diff_id(exported.getvalue())
        exported.seek(0)
        flat_top = layers.unpack(store, flat, exported).path
        assert tree(flat_top) == expected
        for where in (root.path, flat_top):
            status = os.stat(where + "/kept/x")
            assert (status.st_uid, status.st_gid, status.st_mtime_ns) == (7, 8, 123456789123456789)
            assert os.getxattr(where + "/kept/x", "user.some") == b"\xff\x00value"

    why = joined(lambda: usable(store, "overlay"))
    need(not why, why)
    joined(run)


def test_an_opaque_top_hides_the_layers_below(store: Store, joined: Joined) -> None:
    data = archive(file(".wh..wh..opq", b""), file("only", b"x"))

    def run() -> None:
        layers.unpack(store, DIFF_IDS[0], io.BytesIO(BELOW))
        layers.unpack(store, tars.diff_id(data), io.BytesIO(data))
        os.makedirs(store.root + "/c")
        root = rootfs.prepare(store, store.root + "/c", [DIFF_IDS[0], tars.diff_id(data)], driver="overlay")
        assert root.lower == (layers.path(store, tars.diff_id(data)),)

    joined(run)


def test_probe_is_cached_and_can_be_overridden(store: Store, joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        first = choose.report(store)
        assert first["driver"] in choose.DRIVERS
        before = os.stat(store.root + "/driver.json").st_mtime_ns
        assert rootfs.probe(store) == first["driver"]
        assert os.stat(store.root + "/driver.json").st_mtime_ns == before
        os.environ["ROOTLESS_STORAGE_DRIVER"] = "directory"
        assert rootfs.probe(store) == "directory"
        os.environ["ROOTLESS_STORAGE_DRIVER"] = "zfs"
        with pytest.raises(InvalidInput, match="unknown storage driver 'zfs'"):
            rootfs.probe(store)
        assert sorted(os.listdir(store.root)) == ["driver.json"]

    joined(run)
