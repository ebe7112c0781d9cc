"""cp of a container that does not run: its volumes, binds and read-only marks count as while it runs."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_real_ids


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A file of the host's."""
    path = tmp_path / "given"
    path.write_text("given")
    return path


def in_volume(rootless: Rootless, image: str, *words: str, name: str = "data") -> str:
    """What a command sees of a volume at /d."""
    return rootless("run", "--rm", "--network", "none", "-v", f"{name}:/d", image, *words).stdout


def upper(rootless: Rootless, name: str) -> list[str]:
    """What lies in the container's own layer."""
    found = rootless("inspect", "-f", "{{.Id}}", name).stdout.strip()
    script = f"cd {rootless.root}/containers/{found} && if [ -d upper ]; then cd upper; find . -mindepth 1; fi"
    return sorted(rootless("unshare", "sh", "-c", script).lines)


@pytest.mark.parametrize("runs", [False, True])
def test_into_a_volume(rootless: Rootless, busybox_image: str, given: Path, runs: bool) -> None:
    """The image has no /data: the very first copy went beside the volume, with status 0."""
    rootless("create", "--name", "box", "--network", "none", "-v", "data:/data", busybox_image, "sleep", "60")
    if runs:
        rootless("start", "box")
    rootless("cp", given, "box:/data/")
    rootless("cp", given, "box:/data/other")
    assert in_volume(rootless, busybox_image, "cat", "/d/given", "/d/other") == "givengiven"
    assert "./data/given" not in upper(rootless, "box")
    rootless("rm", "-f", "box")
    rootless("volume", "rm", "data")


def test_out_of_a_volume_and_a_bind(rootless: Rootless, busybox_image: str, tmp_path: Path, given: Path) -> None:
    in_volume(rootless, busybox_image, "sh", "-c", "echo old >/d/x")
    rootless("create", "--name", "box", "-v", "data:/srv", "-v", f"{tmp_path}:/b", busybox_image)
    rootless("cp", "box:/srv/x", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "old\n"
    archive = rootless("cp", "box:/b/given", "-").raw
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["given"]
    rootless("rm", "box")
    rootless("volume", "rm", "data")


def test_a_volume_is_filled_from_the_image_first(rootless: Rootless, busybox_image: str, given: Path) -> None:
    """As a start does it; else a volume with one file in it would never get the rest."""
    rootless("create", "--name", "box", "-v", "data:/etc", busybox_image)
    rootless("cp", given, "box:/etc/")
    assert {"passwd", "group", "given"} <= set(in_volume(rootless, busybox_image, "ls", "/d").split())
    rootless("rm", "box")
    rootless("volume", "rm", "data")


def test_volumes_from(rootless: Rootless, busybox_image: str, given: Path) -> None:
    rootless("create", "--name", "one", "-v", "data:/data", busybox_image)
    rootless("create", "--name", "two", "--volumes-from", "one", busybox_image)
    rootless("create", "--name", "reader", "--volumes-from", "one:ro", busybox_image)
    rootless("cp", given, "two:/data/x")
    assert in_volume(rootless, busybox_image, "cat", "/d/x") == "given"
    assert "mounted volume is marked read-only" in rootless("cp", given, "reader:/data/y", status=1).stderr
    rootless("rm", "one", "two", "reader")
    rootless("volume", "rm", "data")


@pytest.mark.parametrize("runs", [False, True])
def test_read_only_refuses(rootless: Rootless, busybox_image: str, tmp_path: Path, given: Path, runs: bool) -> None:
    (tmp_path / "dir").mkdir()
    rootless("create", "--name", "box", "--network", "none", "-v", f"{tmp_path}/dir:/bind:ro", "-v", "data:/vol:ro",
             "-v", "free:/free", "--read-only", busybox_image, "sleep", "60")  # fmt: skip
    if runs:
        rootless("start", "box")
    for target in ("box:/bind/", "box:/bind/new", "box:/vol", "box:/vol/x"):
        assert "mounted volume is marked read-only" in rootless("cp", given, target, status=1).stderr, target
    archive = rootless("cp", "box:/etc/group", "-").raw
    stderr = rootless("cp", "-", "box:/bind", stdin=archive, status=1).stderr
    assert "mounted volume is marked read-only" in stderr
    assert "container rootfs is marked read-only" in rootless("cp", given, "box:/new", status=1).stderr
    rootless("cp", given, "box:/free/x")
    assert in_volume(rootless, busybox_image, "cat", "/d/x", name="free") == "given"
    assert os.listdir(tmp_path / "dir") == []
    assert not [path for path in upper(rootless, "box") if path.endswith("/new")]
    rootless("rm", "-f", "box")
    rootless("volume", "rm", "data", "free")


def test_a_tree_across_mount_points(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """One copy that goes into a volume, a bind below that, and the layer; and back."""
    for name in ("tree/v/b", "tree/l", "dir"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("tree/v/inv", "tree/v/b/inb", "tree/l/inl"):
        (tmp_path / name).write_text(name)
    rootless("create", "--name", "box", "-v", "data:/srv/v", "-v", f"{tmp_path}/dir:/srv/v/b", busybox_image, "true")
    rootless("cp", f"{tmp_path}/tree/.", "box:/srv")
    assert (tmp_path / "dir/inb").read_text() == "tree/v/b/inb"
    assert in_volume(rootless, busybox_image, "cat", "/d/inv") == "tree/v/inv"
    assert [path for path in upper(rootless, "box") if "/srv/" in path] == ["./srv/l", "./srv/l/inl", "./srv/v"]
    rootless("cp", "box:/srv", tmp_path / "back")
    assert (tmp_path / "back/v/b/inb").read_text() == "tree/v/b/inb"
    rootless("start", "-a", "box")
    rootless("rm", "box")
    rootless("volume", "rm", "data")


def test_a_mount_point_stays_what_it_is(rootless: Rootless, busybox_image: str, tmp_path: Path, given: Path) -> None:
    """cp made a file where a volume was to be mounted: the container could never start."""
    (tmp_path / "bound").write_text("bound")
    rootless("create", "--name", "box", "-v", "data:/conf", "-v", "deep:/a/b", "-v", f"{tmp_path}/bound:/etc/bound",
             "-v", f"{tmp_path}/bound:/srv/deep/bound", busybox_image, "cat", "/conf/given", "/a/b/given")  # fmt: skip
    for target in ("box:/conf", "box:/a/b", "box:/a/b/x"):
        rootless("cp", given, target)
    for target in ("box:/etc/bound", "box:/srv/deep/bound", "box:/etc/hosts"):
        assert "a file is mounted there" in rootless("cp", given, target, status=1).stderr
    assert (tmp_path / "bound").read_text() == "bound"
    assert rootless("start", "-a", "box").stdout == "givengiven"
    rootless("rm", "box")
    rootless("volume", "rm", "data", "deep")


def test_what_is_mounted_stays_mounted(rootless: Rootless, busybox_image: str, tmp_path: Path, given: Path) -> None:
    """The kernel lets a file be replaced that is a mount point elsewhere: the mount in the container would go."""
    (tmp_path / "bound").write_text("bound")
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{tmp_path}/bound:/bound", busybox_image,
             "sleep", "60")  # fmt: skip
    for target in ("box:/bound", "box:/etc/resolv.conf"):
        assert "a file is mounted there" in rootless("cp", given, target, status=1).stderr
    assert rootless("exec", "box", "cat", "/bound").stdout == "bound"
    assert "/bound" in rootless("exec", "box", "cat", "/proc/self/mountinfo").stdout
    rootless("rm", "-f", "box")


def test_a_tmpfs_of_a_stopped_container(rootless: Rootless, busybox_image: str, given: Path) -> None:
    """What is put there would be gone with the start: an error, and nothing below the mount point."""
    rootless("create", "--name", "box", "--network", "none", "--tmpfs", "/t", busybox_image, "sleep", "60")
    done = rootless("cp", given, "box:/t/", status=1)
    assert "/t/ is on a tmpfs" in done.stderr
    assert "start the container first" in done.stderr
    rootless("start", "box")
    rootless("cp", given, "box:/t/")
    assert rootless("exec", "box", "cat", "/t/given").stdout == "given"
    rootless("rm", "-f", "box")


def test_a_bind_whose_source_is_gone(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    """As a start: what --mount names must be there, what -v names is made."""
    rootless("create", "--name", "box", "--mount", f"type=bind,src={tmp_path}/gone,dst=/g", busybox_image)
    (tmp_path / "gone").rmdir()
    done = rootless("cp", "box:/etc/passwd", "-", status=1)
    assert f"bind source path does not exist: {tmp_path}/gone" in done.stderr
    rootless("rm", "box")


def test_parts_of_volumes_and_images(rootless: Rootless, busybox_image: str, tmp_path: Path, given: Path) -> None:
    in_volume(rootless, busybox_image, "mkdir", "/d/part")
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "named")
    rootless("create", "--name", "box", "--mount", "type=volume,src=data,dst=/p,volume-subpath=part", "--mount",
             f"type=image,src={busybox_image},dst=/i", "-v", "named:/n", busybox_image)  # fmt: skip
    rootless("cp", given, "box:/p/")
    rootless("cp", given, "box:/n/other")
    assert in_volume(rootless, busybox_image, "cat", "/d/part/given") == "given"
    assert (tmp_path / "other").read_text() == "given"
    rootless("cp", "box:/i/etc/passwd", tmp_path / "passwd")
    assert (tmp_path / "passwd").read_text().startswith("root:")
    assert "mounted volume is marked read-only" in rootless("cp", given, "box:/i/etc/", status=1).stderr
    rootless("rm", "box")
    rootless("volume", "rm", "data", "named")


@pytest.mark.parametrize("userns", ["auto", "keep-id"])
@pytest.mark.parametrize("driver", ["", "directory"])
def test_owners_with_ids_of_its_own(
    rootless: Rootless, busybox_image: str, given: Path, userns: str, driver: str
) -> None:
    """In the layer as in a volume, before the first start as after it."""
    need_real_ids("test_keep_id_alone.py has the others'")
    env = {"ROOTLESS_STORAGE_DRIVER": driver} if driver else {}
    rootless("create", "--name", "box", "--network", "none", "--userns", userns, "--user", "0", "-v", "data:/data",
             busybox_image, "stat", "-c", "%u %n", "/data/given", "/srv-given", "/data/again", "/again", env=env)  # fmt: skip
    for number, names in enumerate((("data/given", "srv-given"), ("data/again", "again"))):
        for name in names:
            rootless("cp", given, f"box:/{name}", env=env)
        shown = rootless("start", "-a", "box", env=env, status=None).lines
        assert shown == [f"0 /{name}" for name in ("data/given", "srv-given", "data/again", "again")][: 2 + 2 * number]
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "-a", "box:/data/given", "-", env=env).raw)) as tar:
        assert [(each.uid, each.gid) for each in tar] == [(0, 0)]
    rootless("rm", "box")
    rootless("volume", "rm", "data")


def test_export_and_diff_are_of_the_root_alone(
    rootless: Rootless, busybox_image: str, given: Path, tmp_path: Path
) -> None:
    """As Docker's: of a volume they have what the image has in its place, whether the container runs or not."""
    rootless("create", "--name", "box", "--network", "none", "-v", "data:/etc", "--tmpfs", "/tmp", busybox_image,
             "sh", "-c", "touch /mark /etc/inside; exec sleep 60")  # fmt: skip
    rootless("cp", given, "box:/etc/")
    for state in ("created", "running", "stopped"):
        if state == "running":
            rootless("start", "box")
            rootless("exec", "box", "sh", "-c", "until [ -e /mark ]; do sleep 0.1; done")
        if state == "stopped":
            rootless("stop", "-t", "0", "box")
        with tarfile.open(fileobj=io.BytesIO(rootless("export", "box").raw)) as tar:
            members = {each.name.removeprefix("./"): each for each in tar}
        assert members["etc/passwd"].size > 0, "the image's"
        assert not {"etc/given", "etc/inside"} & set(members)
        assert [name for name in members if name.startswith(("proc/", "sys/"))] == []
        changed = rootless("diff", "box").lines
        assert changed == ([] if state == "created" else ["A /mark"])
    rootless("rm", "box")
    rootless("volume", "rm", "data")
