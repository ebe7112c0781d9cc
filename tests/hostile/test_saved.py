"""`run --shared --save` and `image pack`: who changes the files while they are saved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.hostile.conftest import compiled
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside


@pytest.fixture(scope="module")
def exchange() -> Iterator[Path]:
    """Who makes a link of a directory once somebody opens a file: exchange.c."""
    yield from compiled("exchange")


@pytest.mark.own_store
@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
def test_a_directory_that_becomes_a_link(
    rootless: Rootless, busybox_archive: Path, exchange: Path, trap: Path, namespace: tuple[str, ...]
) -> None:
    """What a process that the command has left does, once the first file is read: a directory that was looked at leads to the host's."""
    for program in ("sqfstar", "squashfuse_ll", "mksquashfs"):
        need_program(program)
    (trap / "out").mkdir()
    left = """mkdir /a /z; dd if=/dev/urandom of=/a/large bs=1M count=48 2>/dev/null; printf 'theirs, as long' | head -c 14 >/z/secret
    /exchange /a/large /z "$1" >/out/said & until grep -q OK /out/said; do sleep 0.1; done"""
    script = """rootless load -q -i "$1" >&2
    rootless run --shared=step --network none -v "$2:/exchange:ro" -v "$3/out:/out" --save "$3/saved.sqsh" \\
        busybox:latest sh -c "$4" sh "$3" """
    done = inside(rootless, namespace, script, busybox_archive, exchange, trap, left)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (trap / "out/said").read_text() == "OK\nOK\n", "nothing was exchanged"
    shown = subprocess.run(["unsquashfs", "-cat", trap / "saved.sqsh", "z/secret"], capture_output=True, check=False)
    assert b"host" not in shown.stdout


def test_a_directory_above_the_file(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    """The command, which has what is above it mounted, leads the place of the file elsewhere: to an image of the caller's, say."""
    need_program("sqfstar")
    (trap / "work/out").mkdir(parents=True)
    (trap / "images").mkdir()
    (trap / "images/saved.sqsh").write_text("precious")
    run = ("run", "--shared=step", "--network", "none", "-v", f"{trap}/work:/work", "--save", f"{trap}/work/out/saved.sqsh")
    rootless(*run, busybox_image, "sh", "-c", 'mv /work/out /work/moved; ln -s "$0" /work/out', str(trap / "images"))
    assert [(path.name, path.read_text()) for path in (trap / "images").iterdir()] == [("saved.sqsh", "precious")]
    assert [path.name for path in (trap / "work/moved").iterdir()] == ["saved.sqsh"]


@pytest.mark.parametrize("exchanged", ["env/z", "env", "out"])
def test_a_packed_directory(rootless: Rootless, exchange: Path, trap: Path, exchanged: str) -> None:
    """`image pack` of what others may write to: once the first file is read, a directory of it, it, or the file's is a link."""
    need_program("mksquashfs")
    for directory in ("env/a", "env/z", "out", "victim/z"):
        (trap / directory).mkdir(parents=True)
    (trap / "env/a/large").write_bytes(os.urandom(48 << 20))
    for path in (trap / "victim/secret", trap / "victim/z/secret"):
        path.write_text("the host's own")
    (trap / "env/z/secret").write_text("theirs, as lon")
    (trap / "victim/packed.sqfs").write_text("precious")
    target = trap / ("victim" if exchanged != "env/z" else "victim/z")
    with subprocess.Popen([exchange, trap / "env/a/large", trap / exchanged, target], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"OK\n"
        rootless("image", "pack", "-o", trap / "out/packed.sqfs", trap / "env")
        assert other.stdout.readline() == b"OK\n", "nothing was exchanged"
    assert (trap / "victim/packed.sqfs").read_text() == "precious"
    made = trap / ("out.old/packed.sqfs" if exchanged == "out" else "out/packed.sqfs")
    shown = subprocess.run(["unsquashfs", "-cat", made, "z/secret"], capture_output=True, check=False)
    assert shown.stdout == (b"" if exchanged == "env/z" else b"theirs, as lon")
    assert [path.name for path in made.parent.iterdir()] == ["packed.sqfs"]


def test_a_kernel_that_follows_links(rootless: Rootless, trap: Path) -> None:
    """Before Linux 5.14 no mount can be without them: it is refused, with what to type."""
    need_program("mksquashfs")
    (trap / "env").mkdir()
    rootless("image", "pack", "-o", trap / "before.sqfs", trap / "env")  # newuidmap has no rights below strace
    traced = [need_program("strace"), "-f", "-o", "/dev/null", "-e", "inject=mount_setattr:error=EINVAL"]
    words = ["image", "pack", "-o", str(trap / "packed.sqfs"), str(trap / "env")]
    done = subprocess.run([*traced, *rootless.argv, *words], env=rootless.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Linux 5.14" in done.stderr
    assert f"mksquashfs {trap}/env " in done.stderr
    assert not (trap / "packed.sqfs").exists()
