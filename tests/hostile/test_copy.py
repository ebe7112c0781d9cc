"""cp, volumes and stores: files of the host that a container's links lead to."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from rootless.engine.files import copy_tree, view
from rootless.engine.files.copy_tree import Policy
from rootless.engine.files.entry import FileEntry
from rootless.engine.state import running
from rootless.errors import Conflict
from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree

ROUNDS = 15


def test_cve_2018_15664_swapped_while_copying(
    rootless: Rootless, busybox_image: str, payload: Path, trap: Path
) -> None:
    """A container exchanges a directory with a link to the host's /, while files are copied through it."""
    depth = str(trap).lstrip("/")
    script = (
        f"mkdir -p /w/a/{depth}; echo inside >/w/a/{depth}/secret; ln -s / /w/b; exec /payload swap /w/a /w/b"
    )
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{payload}:/payload:ro", busybox_image,
             "sh", "-c", script)  # fmt: skip
    (trap / "mine").write_text("from outside")
    for number in range(ROUNDS):
        rootless("cp", f"box:/w/a/{depth}/secret", trap / f"out-{number}", status=None)
        rootless("cp", trap / "mine", f"box:/w/a/{depth}/planted", status=None)
        out = trap / f"out-{number}"
        assert not out.exists() or out.read_text() == "inside\n"
    assert (trap / "secret").read_text() == "the host's own"
    assert not (trap / "planted").exists()
    rootless("rm", "-f", "box")


def test_cve_2019_10152_links_in_the_target(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    script = f"ln -s {trap}/secret /file; ln -s {trap} /dir; ln -s ../../../../../../../..{trap} /up"
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", script)
    (trap / "mine").write_text("overwritten")
    for target in ("box:/file", "box:/dir/secret", "box:/up/secret", "box:/dir"):
        rootless("cp", trap / "mine", target, status=None)
    assert (trap / "secret").read_text() == "the host's own"
    rootless("rm", "box")


def test_cve_2021_41089_modes_of_the_host_stay(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    """Directories of the host on the way of a copy kept their modes elsewhere only by luck."""
    trap.chmod(0o711)
    (trap / "secret").chmod(0o600)
    rootless("run", "--name", "box", "--network", "none", busybox_image, "ln", "-s", "/", "/up")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        images.add(tar, str(trap).lstrip("/"), kind=tarfile.DIRTYPE, mode=0o777)
        images.add(tar, str(trap / "secret").lstrip("/"), b"no", mode=0o666)
    rootless("cp", "-", "box:/up", stdin=archive.getvalue(), status=None)
    assert stat.S_IMODE(trap.stat().st_mode) == 0o711
    assert stat.S_IMODE((trap / "secret").stat().st_mode) == 0o600
    assert (trap / "secret").read_text() == "the host's own"
    rootless("rm", "box")


def test_cve_2021_41089_modes_change_on_what_was_made_only(trap: Path) -> None:
    """A link to a file of the host takes the place of each file as soon as it has been copied."""
    (trap / "secret").chmod(0o600)
    (trap / "source").mkdir()
    (trap / "target").mkdir()
    (trap / "source/name").write_bytes(b"x" * (1 << 20))
    (trap / "source/name").chmod(0o666)
    source, target = (os.open(trap / name, os.O_RDONLY | os.O_DIRECTORY) for name in ("source", "target"))
    script = f"while :; do ln -s {trap}/secret link; mv -fT link name; done 2>/dev/null"
    with subprocess.Popen(["sh", "-c", script], cwd=trap / "target") as swapper:
        try:
            for _ in range(ROUNDS * 10):
                with contextlib.suppress(OSError, Conflict):
                    copy_tree.copy(FileEntry(source, "name"), FileEntry(target, "name"), Policy(None, special_bits=True))
        finally:
            swapper.kill()
            os.close(source)
            os.close(target)
    assert stat.S_IMODE((trap / "secret").stat().st_mode) == 0o600


def test_modes_change_on_what_was_made_not_on_a_file_of_its_name(trap: Path) -> None:
    """Who may rename in the directory, but not read root's file in it, puts that in the place of each copy."""
    for name in ("source", "target"):
        (trap / name).mkdir()
    secret = trap / "target/secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    (trap / "source/name").write_bytes(b"x" * (1 << 20))
    (trap / "source/name").chmod(0o666)
    source, target = (os.open(trap / name, os.O_RDONLY | os.O_DIRECTORY) for name in ("source", "target"))
    script = "while :; do ln secret link; mv -fT link name; rm -f name link; done 2>/dev/null"
    with subprocess.Popen(["sh", "-c", script], cwd=trap / "target") as swapper:
        try:
            for _ in range(ROUNDS * 10):
                with contextlib.suppress(OSError, Conflict):
                    copy_tree.copy(FileEntry(source, "name"), FileEntry(target, "name"), Policy(None, special_bits=True))
        finally:
            swapper.kill()
            os.close(source)
            os.close(target)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_modes_change_on_what_was_made_not_on_a_directory_of_its_name(trap: Path, payload: Path) -> None:
    for name in ("source/name", "target/private/kept"):
        (trap / name).mkdir(parents=True)
    (trap / "target/private").chmod(0o700)
    (trap / "source/name").chmod(0o777)
    source, target = (os.open(trap / name, os.O_RDONLY | os.O_DIRECTORY) for name in ("source", "target"))
    words = [str(payload), "swap", "name", "private"]
    with subprocess.Popen(words, cwd=trap / "target", stdout=subprocess.DEVNULL) as swapper:
        try:
            for _ in range(ROUNDS * 400):
                with contextlib.suppress(OSError, Conflict):
                    copy_tree.copy(FileEntry(source, "name"), FileEntry(target, "name"), Policy(None, special_bits=True))
                for name in ("name", "private"):
                    with contextlib.suppress(OSError):  # the one with something in it
                        os.rmdir(name, dir_fd=target)
                with contextlib.suppress(OSError):
                    os.rename("name", "private", src_dir_fd=target, dst_dir_fd=target)
        finally:
            swapper.kill()
            os.close(source)
            os.close(target)
    (kept,) = (trap / "target").glob("*/kept")
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("side", ["source", "target"])
def test_cve_2018_15664_swapped_below_what_is_copied(trap: Path, payload: Path, side: str) -> None:
    """A directory somewhere below is exchanged with a link to one of the host, for as long as we copy."""
    (trap / "host").mkdir()
    (trap / "host/secret").touch()
    for name in ("source", "target"):
        (trap / name / "tree/swapped").mkdir(parents=True)
        (trap / name / "tree/link").symlink_to(trap / "host")
    (trap / "source/tree/swapped/planted").touch()
    other = trap / ("target" if side == "source" else "source") / "tree/link"
    other.unlink()
    source, target = (os.open(trap / name, os.O_RDONLY | os.O_DIRECTORY) for name in ("source", "target"))
    words = [str(payload), "swap", "swapped", "link"]
    with subprocess.Popen(words, cwd=trap / side / "tree", stdout=subprocess.DEVNULL) as swapper:
        try:
            for _ in range(ROUNDS * 1000):
                with contextlib.suppress(OSError, Conflict):
                    copy_tree.copy(FileEntry(source, "tree"), FileEntry(target, "tree"), Policy(None, special_bits=True))
            assert swapper.poll() is None, "it swapped all the time"
        finally:
            swapper.kill()
            os.close(source)
            os.close(target)
    assert [path.name for path in (trap / "host").iterdir()] == ["secret"]
    assert list((trap / "target").rglob("secret")) == []


def test_cp_out_does_not_make_set_user_id_files(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    script = "cp /bin/busybox /tool; chmod 6755 /tool; mkdir /d; cp -a /tool /d/tool"
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", script)
    rootless("cp", "box:/tool", trap / "tool")
    rootless("cp", "-a", "box:/d", trap / "d")
    for path in (trap / "tool", trap / "d/tool"):
        assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    rootless("rm", "box")


@pytest.mark.own_store
@pytest.mark.parametrize(("link", "status"), [("{trap}", 0), ("../../../../../../../..{trap}", 0), ("/proc/1/root", 125)])
@pytest.mark.parametrize("volume", [(), ("-v", "named:/data")])
def test_cve_2022_23648_volumes_are_filled_from_the_image(
    rootless: Rootless, trap: Path, link: str, status: int, volume: tuple[str, ...]
) -> None:
    """VOLUME /data, where the image's /data is a link to a directory of the host."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        images.add(tar, "bin", kind=tarfile.DIRTYPE)
        images.add(tar, "bin/busybox", images.static_busybox().read_bytes(), mode=0o755)
        images.add(tar, str(trap / "inside").lstrip("/"), b"the image's")
        images.add(tar, "data", kind=tarfile.SYMTYPE, target=link.format(trap=trap))
    config: dict[str, object] = {"Volumes": {"/data": {}}, "Cmd": ["busybox"]}
    rootless("load", stdin=images.docker_archive("evil:1", [layer.getvalue()], config))
    done = rootless("run", "--rm", "--network", "none", *volume, "evil:1", "busybox", "ls", "/data/", status=status)
    assert done.stdout == ("" if status else "inside\n")
    rootless("volume", "rm", "named", status=None)
    rootless("rmi", "-f", "evil:1")


def test_cve_2021_41091_others_cannot_reach_the_store(
    rootless: Rootless, busybox_archive: Path, trap: Path
) -> None:
    """Set-user-id programs in a store that everybody may walk through: not even with no umask at all."""
    store = trap / "new/store"
    place = {"ROOTLESS_ROOT": str(store)}
    run = ("run", "--name", "box", "--network", "none", "-v", "named:/data", "busybox", "true")
    for words in (("load", "-i", str(busybox_archive)), run):
        process = rootless.start(*words, env=place, umask=0)
        assert process.wait(60) == 0
    below = (store / name for name in ("layers", "containers", "blobs", "volumes", "names"))
    for path in (store, *below, rootless.sockets):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    rootless("rm", "box", env=place)
    remove_tree(store)


def test_set_user_id_files_in_a_bind_mount(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    """Container root makes a set-user-id file on the host: it is the caller's at most, never root's."""
    work = trap / "work"
    work.mkdir()
    script = "cp /bin/busybox /w/a; chmod 4755 /w/a; cp /bin/busybox /w/b; chown 5:5 /w/b; chmod 6755 /w/b"
    rootless(
        "run", "--rm", "--network", "none", "-v", f"{work}:/w", busybox_image, "sh", "-c", script, status=None
    )
    for name in ("a", "b"):
        path = work / name
        if path.exists():
            assert path.stat().st_uid != 0
            assert path.stat().st_gid != 0
    rootless(
        "run", "--rm", "--network", "none", "-v", f"{work}:/w", busybox_image, "rm", "-f", "/w/a", "/w/b"
    )


def test_a_device_in_a_layer_is_no_device(rootless: Rootless, trap: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        images.add(tar, "bin", kind=tarfile.DIRTYPE)
        images.add(tar, "bin/busybox", images.static_busybox().read_bytes(), mode=0o755)
        for name, kind, major, minor in (("mem", tarfile.CHRTYPE, 1, 1), ("disk", tarfile.BLKTYPE, 8, 0)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.devmajor, entry.devminor, entry.mode = kind, major, minor, 0o666
            tar.addfile(entry)
    loaded = rootless("load", stdin=images.docker_archive("nodes:1", [layer.getvalue()], {}), status=None)
    if loaded.status:
        assert "device" in loaded.stderr or "node" in loaded.stderr
        return
    done = rootless(
        "run",
        "--rm",
        "--network",
        "none",
        "nodes:1",
        "/bin/busybox",
        "head",
        "-c",
        "1",
        "/mem",
        "/disk",
        status=None,
    )
    assert done.status != 0
    for path in rootless.root.rglob("*"):
        mode = os.lstat(path).st_mode
        assert not stat.S_ISBLK(mode)
        assert not stat.S_ISCHR(mode) or os.lstat(path).st_rdev == 0
    rootless("rmi", "nodes:1")


@pytest.mark.parametrize("pid", ["its own", "another's"])
def test_a_container_that_has_ended_gives_no_root_of_who_has_its_number(pid: str) -> None:
    """A container that ends as we look leaves its number, perhaps to a process whose root is the host's."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    pidfd = os.pidfd_open(child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    found = running.RunningContainer("box", child if pid == "its own" else os.getpid(), 0, pidfd, {})
    with found, pytest.raises(Conflict, match="not running"):
        view._root_of(found)
    os.waitpid(child, 0)
