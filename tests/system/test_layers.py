"""Images whose list of layers is unusual: one several times, none, hundreds. Podman's view beside ours."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.podman import Podman

DRIVERS = ["overlay", "fuse-overlayfs", "directory"]


def layer(*entries: tuple[str, str | None]) -> bytes:
    """Files by path and contents; contents None is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in entries:
            if data is None:
                images.add(tar, path, kind=tarfile.DIRTYPE)
            else:
                images.add(tar, path, data.encode())
    return buffer.getvalue()


BASE = layer(("a", None), ("a/one", "base"), ("a/two", "base"), ("b", None), ("b/f", "base"), ("c", "base"), ("keep", "k"))
CHANGE = layer(("a", None), ("a/.wh.one", ""), ("a/two", "change"), ("b", None), ("b/.wh..wh..opq", ""), ("b/g", "change"),
               (".wh.c", ""), ("d", "change"))  # fmt: skip
TYPES = layer(("a", "a file now"), ("c", None), ("c/inner", "types"), ("d", None), ("d/h", "types"))
EMPTY = bytes(1024)
LAYERS = {"b": BASE, "c": CHANGE, "t": TYPES, "e": EMPTY}


def tree(archive: bytes) -> dict[str, str]:
    """{path: contents}, of what the layers hold."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.removeprefix("./").rstrip("/")
            if name.partition("/")[0] not in ("a", "b", "c", "d", "keep"):
                continue
            file = tar.extractfile(member) if member.isfile() else None
            found[name] = file.read().decode() if file else "directory"
    return found


def load(rootless: Rootless, name: str, layers: list[bytes]) -> None:
    rootless("load", "-q", stdin=images.docker_archive(name, layers, {"Cmd": ["x"]}))




@pytest.mark.own_store
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_layer_that_is_there_several_times(rootless: Rootless, podman: Podman, tmp_path: Path, driver: str) -> None:
    """It counts where it is highest: files come back, whiteouts hide again."""
    # Podman for few, and a model of the rules, which it confirms, would be a second engine: a choice of orders.
    for order in ("bcb", "bbc", "bcc", "beec", "bcbt", "cbcb", "tbtc", "bctb"):
        archive = tmp_path / f"{order}.tar"
        data = images.docker_archive(f"dup:{order}", [LAYERS[each] for each in order], {"Cmd": ["x"]})
        archive.write_bytes(data)
        rootless("load", "-q", "-i", archive)
        rootless("create", "--name", "box", f"dup:{order}")
        env = {"ROOTLESS_STORAGE_DRIVER": driver}
        ours = tree(rootless("export", "box", env=env, warns=True).raw)
        assert rootless("diff", "box", env=env).stdout == ""
        rootless("rm", "box")
        podman("load", "-q", "-i", archive)
        podman("create", "--name", "box", f"dup:{order}")
        podman("export", "-o", tmp_path / "theirs.tar", "box")
        podman("rm", "box")
        assert ours == tree((tmp_path / "theirs.tar").read_bytes()), order


@pytest.mark.own_store
@pytest.mark.parametrize("driver", DRIVERS)
def test_no_layers_at_all(rootless: Rootless, tmp_path: Path, driver: str) -> None:
    env = {"ROOTLESS_STORAGE_DRIVER": driver}
    load(rootless, "none:1", [])
    rootless("create", "--name", "box", "--network", "none", "none:1", env=env)
    (tmp_path / "f").write_text("x")
    rootless("cp", tmp_path / "f", "box:/f", env=env)
    with tarfile.open(fileobj=io.BytesIO(rootless("export", "box", env=env).raw)) as tar:
        assert "f" in [name.removeprefix("./") for name in tar.getnames()]
    assert rootless("diff", "box", env=env).lines == ["A /f"]
    assert "executable file not found" in rootless("start", "-a", "box", env=env, status=1, warns=True).stderr
    done = rootless("run", "--rm", "--network", "none", "none:1", env=env, status=127, warns=True)
    assert "executable file not found" in done.stderr
    rootless("rm", "box")


@pytest.mark.own_store
@pytest.mark.parametrize("driver", DRIVERS)
def test_hundreds_of_layers(rootless: Rootless, driver: str) -> None:
    """127 is what Docker builds; the kernel holds 500."""
    env = {"ROOTLESS_STORAGE_DRIVER": driver}
    program = images.busybox_layer(images.static_busybox())
    every = [layer(("n", None), (f"n/{number}", str(number))) for number in range(499)]
    for count in (128, 200, 500):
        load(rootless, f"many:{count}", [program, *every[: count - 1]])
        words = ("run", "--rm", "--network", "none", f"many:{count}", "sh", "-c", "ls /n | wc -l; cat /n/0; ulimit -n")
        limit = rootless("run", "--rm", "--network", "none", "many:128", "sh", "-c", "ulimit -n", env=env, warns=True).stdout
        assert rootless(*words, env=env, warns=True).stdout == f"{count - 1}\n0{limit}", count
    rootless("create", "--name", "box", "--network", "none", "many:500", "sleep", "1000", env=env)
    assert rootless("cp", "box:/n/498", "-", env=env).raw
    assert rootless("diff", "box", env=env).stdout == ""
    rootless("start", "box", env=env, warns=True)
    assert rootless("cp", "box:/n/498", "-", env=env).raw
    rootless("rm", "-f", "box")
    load(rootless, "many:501", [program, *every, layer(("last", "x"))])
    done = rootless("run", "--rm", "--network", "none", "many:501", "cat", "/last", env=env, status=None)
    if driver == "overlay":
        assert done.status == 125
        assert "the image has 501 layers, and the kernel's overlay holds 500" in done.stderr
    else:
        assert done.stdout == "x"
