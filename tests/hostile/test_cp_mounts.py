"""cp and export of a container that does not run: we mount in a tree that an image chose, and others may change."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless

ROUNDS = 12
Image = Callable[..., str]


@pytest.fixture
def image(rootless: Rootless) -> Image:
    """image(link={path: target}, fifo=(path,), directory=(path,)): an image with these in the place of what is mounted."""

    def make(*, link: dict[str, str], fifo: tuple[str, ...] = (), directory: tuple[str, ...] = ()) -> str:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            images.add(tar, "bin", kind=tarfile.DIRTYPE)
            images.add(tar, "bin/busybox", images.static_busybox().read_bytes(), mode=0o755)
            for name in directory:
                images.add(tar, name, kind=tarfile.DIRTYPE)
            for name, target in link.items():
                images.add(tar, name, kind=tarfile.SYMTYPE, target=target)
            for name in fifo:
                images.add(tar, name, kind=tarfile.FIFOTYPE)
        rootless("load", "-q", stdin=images.docker_archive("evil:1", [layer.getvalue()], {"Cmd": ["busybox", "true"]}))
        return "evil:1"

    return make


def untouched(trap: Path) -> None:
    assert (trap / "secret").read_text() == "the host's own"
    assert not (trap / "planted").exists()
    assert not (trap / "x").exists()


@pytest.mark.own_store
@pytest.mark.parametrize("target", ["{trap}", "../../../../../../..{trap}", "/", "/proc/self/root{trap}", "/proc/1/root{trap}", "loop"])
def test_mount_points_that_are_links(rootless: Rootless, image: Image, trap: Path, target: str) -> None:
    """The volume lies where the link leads inside, for cp as for the start; or nowhere."""
    name = image(link={"data": target.format(trap=trap), "loop": "loop"})
    (trap / "planted-from").write_text("given")
    rootless("create", "--name", "box", "--network", "none", "-v", "vol:/data/sub", name)
    for words in (("cp", trap / "planted-from", "box:/data/sub/planted"), ("cp", trap / "planted-from", "box:/data/planted"),
                  ("cp", trap / "planted-from", "box:/data/x/"), ("cp", "box:/data/secret", trap / "got"),
                  ("cp", "-L", "box:/data/secret", trap / "got"), ("cp", "box:/data/.", trap / "tree")):  # fmt: skip
        rootless(*words, status=None)
        untouched(trap)
    assert not (trap / "got").exists()
    assert not (trap / "tree/secret").exists()
    rootless("rm", "box")
    rootless("volume", "rm", "vol")


@pytest.mark.own_store
def test_a_mount_point_that_leads_into_another_volume(rootless: Rootless, image: Image, trap: Path) -> None:
    """/b is a link into /a: what is mounted there covers a part of a volume, and writes nothing into it but
    the mount point."""
    name = image(link={"b": "/a/inner"})
    (trap / "f").write_text("x")
    rootless("create", "--name", "box", "--network", "none", "-v", "one:/a", "-v", "two:/b/c", name)
    rootless("cp", trap / "f", "box:/b/c/f")
    seen = rootless("run", "--rm", "--network", "none", "-v", "one:/1", "-v", "two:/2", name, "busybox", "find", "/1", "/2").lines
    assert sorted(seen) == ["/1", "/1/inner", "/1/inner/c", "/2", "/2/f"]
    rootless("rm", "box")
    rootless("volume", "rm", "one", "two")


@pytest.mark.own_store
@pytest.mark.parametrize("kind", ["fifo", "link", "dangling", "directory"])
def test_files_of_etc_that_are_something_else(rootless: Rootless, image: Image, trap: Path, kind: str) -> None:
    """Nothing waits for a FIFO's writer, nothing follows a link to the host's file."""
    places = ("etc/hosts", "etc/resolv.conf", "etc/hostname")
    links = {name: str(trap / ("secret" if kind == "link" else "planted")) for name in places}
    name = image(link=links if "link" in kind or kind == "dangling" else {}, fifo=places if kind == "fifo" else (),
                 directory=places if kind == "directory" else ())  # fmt: skip
    rootless("create", "--name", "box", "--network", "none", name)
    (trap / "f").write_text("x")
    for words in (("cp", trap / "f", "box:/etc/hosts"), ("cp", "box:/etc/hosts", trap / "got"), ("cp", "box:/etc", "-"),
                  ("cp", "box:/.", trap / "tree"), ("export", "-o", trap / "e.tar", "box")):  # fmt: skip
        rootless(*words, status=None, timeout=30)
        untouched(trap)
    rootless("rm", "box")


def test_cve_2018_15664_mount_points_swapped_while_mounting(
    rootless: Rootless, busybox_image: str, payload: Path, trap: Path
) -> None:
    """Another container exchanges a directory of a shared one with a link to the host's /, while a stopped
    container's mounts are made below it for a copy."""
    shared, source, given = trap / "shared", trap / "source", trap / "given"
    for path in (shared / "a", source):
        path.mkdir(parents=True)
    (shared / "b").symlink_to("../../../../../../../../../../")
    given.write_text("given")
    rootless("run", "-d", "--name", "swapper", "--network", "none", "-v", f"{shared}:/shared", "-v", f"{payload}:/payload:ro",
             busybox_image, "/payload", "swap", "/shared/a", "/shared/b")  # fmt: skip
    victim = trap / "victim"
    victim.mkdir()
    for number in range(ROUNDS):
        rootless("create", "--name", "box", "-v", f"{shared}:/shared", "-v", f"{source}:/shared/a{victim}",
                 "--tmpfs", f"/shared/b{trap}/made-{number}", busybox_image)  # fmt: skip
        rootless("cp", given, f"box:/shared/a{victim}/planted", status=None)
        rootless("cp", given, f"box:/shared/b{victim}/planted", status=None)
        rootless("cp", f"box:/shared/a{trap}/secret", trap / "got", status=None)
        rootless("rm", "box")
    assert os.listdir(victim) == []
    assert not [path.name for path in trap.iterdir() if path.name.startswith("made-")]
    assert not (trap / "got").exists()
    assert (trap / "secret").read_text() == "the host's own"
    rootless("rm", "-f", "swapper")


def test_links_of_proc_lead_nowhere(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    """Of a container that runs /proc is there, with its links that the kernel follows anywhere."""
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "600")
    rootless("exec", "box", "sh", "-c", "ln -s /proc/self/root /root-link; ln -s /proc/self/cwd /cwd; ln -s /proc/self/fd/3 /three")
    (trap / "f").write_text("x")
    for name in ("root-link", "cwd", "three", "proc/self/root", "proc/1/root", "proc/self/cwd"):
        for words in (("cp", f"box:/{name}/.", trap / "got"),
                      ("cp", f"box:/{name}{trap}/secret", trap / "got"), ("cp", trap / "f", f"box:/{name}{trap}/planted"),
                      ("cp", trap / "f", f"box:/{name}/")):  # fmt: skip
            rootless(*words, status=1)
            untouched(trap)
        # With -L the text of a link counts, as a path of the container's.
        rootless("cp", "-L", f"box:/{name}", trap / f"got-{name.replace('/', '-')}", status=None)
    assert not (trap / "got").exists()
    assert not list(trap.rglob("got-*/**/secret"))
    rootless("rm", "-f", "box")


def test_a_container_that_is_started_and_removed_meanwhile(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    (trap / "f").write_text("x")
    for _ in range(6):
        rootless("create", "--name", "box", "--network", "none", "-v", "vol:/d", busybox_image, "sleep", "600")
        words = [("cp", trap / "f", "box:/d/f"), ("start", "box"), ("cp", "box:/d", "-"), ("export", "-o", trap / "e", "box"),
                 ("rm", "-f", "box")]  # fmt: skip
        for process in [rootless.start(*each) for each in words]:
            _, stderr = process.communicate(timeout=60)
            assert b"Traceback" not in stderr, stderr
            assert b"internal error" not in stderr, stderr
            assert b"Errno" not in stderr, stderr
        rootless("rm", "-f", "box", status=None)
    rootless("volume", "rm", "vol")
