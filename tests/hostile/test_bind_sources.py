"""Another account of the host changes the source of a bind mount between the look at it and the mount."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.engine.files.mounts import bind_sources
from rootless.errors import InvalidInput
from rootless.runtime.mounts import mount_parts
from rootless.runtime.mounts.bind import EXACT
from rootless.runtime.mounts.mount_options import MountOptions
from rootless.runtime.mounts.mount_parts import SUBPATH
from tests.harness.command import Rootless
from tests.need import need

Stranger = Callable[[list[str]], "subprocess.CompletedProcess[str]"]
ROUNDS = 12


@pytest.fixture
def shared(trap: Path, stranger: Stranger) -> Iterator[Path]:
    """A directory like /tmp, to which the stranger may write."""
    need(stranger(["true"]).returncode == 0, "no other uid can be had here")
    path = trap / "shared"
    path.mkdir()
    path.chmod(0o1777)
    for parent in path.parents:
        if parent.owner() == path.owner():
            parent.chmod(0o711)
    yield path
    path.chmod(0o700)


@pytest.fixture
def victim(trap: Path) -> Path:
    path = trap / "victim"
    path.mkdir()
    (path / "secret").write_text("x")
    return path


@pytest.mark.parametrize("word", ["-v {0}:/x", "-v {0}/below:/x", "-v {0}:/x:U", "--mount type=bind,src={0},dst=/x"])
def test_a_strangers_link_is_not_followed(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, word: str
) -> None:
    """As for a job that mounts a directory of /tmp which it expects not to be there yet."""
    work = shared / "work"
    assert stranger(["ln", "-s", str(victim), str(work)]).returncode == 0
    owner = victim.stat().st_uid
    done = rootless("run", "--rm", "--network", "none", *word.format(work).split(), busybox_image, "ls", "/x", status=125)
    assert "is a symbolic link of another user" in done.stderr
    assert victim.stat().st_uid == owner
    assert [path.name for path in victim.iterdir()] == ["secret"]


def test_no_file_of_a_pod_is_made_behind_a_strangers_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger
) -> None:
    assert stranger(["ln", "-s", str(victim), str(shared / "work")]).returncode == 0
    pod = f"""
apiVersion: v1
kind: Pod
metadata: {{name: made}}
spec:
  containers: [{{name: c, image: busybox, volumeMounts: [{{name: v, mountPath: /x}}]}}]
  volumes: [{{name: v, hostPath: {{path: {shared}/work/new, type: FileOrCreate}}}}]
"""
    done = rootless("kube", "play", "-", stdin=pod, status=None)
    assert "is a symbolic link of another user" in done.stderr
    assert [path.name for path in victim.iterdir()] == ["secret"]
    assert rootless("pod", "ps", "-q").lines == []
    rootless("kube", "play", "--start=false", "-", stdin=pod.replace("/work/new", "/own"))
    assert (shared / "own").read_text() == ""
    rootless("pod", "rm", "-f", "made")


def test_ones_own_links_are_followed(rootless: Rootless, busybox_image: str, shared: Path, victim: Path) -> None:
    (shared / "work").symlink_to("also/victim")
    (shared / "also").symlink_to(victim.parent / "victim/..", target_is_directory=True)
    for word in ("work", "also/victim"):
        done = rootless("run", "--rm", "--network", "none", "-v", f"{shared}/{word}:/x", busybox_image, "ls", "/x")
        assert done.stdout == "secret\n"


def test_swapped_between_look_and_mount(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, payload: Path
) -> None:
    """The stranger's own directory is mounted, or none; never what the link leads to."""
    payload.parent.chmod(0o755)
    work, link = shared / "work", shared / "link"
    assert stranger(["mkdir", "-m", "755", str(work)]).returncode == 0
    assert stranger(["ln", "-s", str(victim), str(link)]).returncode == 0
    swapping = threading.Thread(target=stranger, args=([str(payload), "swap", str(work), str(link)],))
    swapping.start()
    try:
        seen = [
            rootless("run", "--rm", "--network", "none", "-v", f"{work}:/x", busybox_image, "ls", "/x", status=None)
            for _ in range(ROUNDS)
        ]
    finally:
        shared.chmod(0o700)  # ends the swapping
        swapping.join()
    assert {(done.status, done.stdout) for done in seen} <= {(0, ""), (125, "")}
    assert all("symbolic link" in done.stderr for done in seen if done.status)


def test_a_volumes_device_is_no_link_of_a_strangers(
    rootless: Rootless, busybox_image: str, shared: Path, trap: Path, stranger: Stranger
) -> None:
    """It would be filled with the image's files, too."""
    victim, work = trap / "empty", shared / "work"
    victim.mkdir()
    assert stranger(["ln", "-s", str(victim), str(work)]).returncode == 0
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={work}", "linked")
    for more in ("", ",volume-nocopy"):
        word = f"type=volume,src=linked,dst=/bin{more}"
        done = rootless("run", "--rm", "--network", "none", "--mount", word, busybox_image, "true", status=125)
        assert "is a symbolic link of another user" in done.stderr
    assert not list(victim.iterdir())
    rootless("volume", "rm", "linked")


def test_a_link_put_there_after_the_look_leads_nowhere(shared: Path, victim: Path) -> None:
    """The path was resolved and had none: nothing is made behind it, and no part of it is mounted."""
    (shared / "work").symlink_to(victim)
    mount: Any = {"source": f"{shared}/work/made/below", "exact": True}
    with pytest.raises(InvalidInput, match="a symbolic link that was put there meanwhile"):
        bind_sources.make(mount)
    assert [path.name for path in victim.iterdir()] == ["secret"]
    entry = {"type": "bind", "source": str(shared / "work"), "destination": "/x", SUBPATH: ".", EXACT: True}
    part = mount_parts.of(entry, MountOptions())
    with pytest.raises(InvalidInput, match="was replaced by a symbolic link"):
        part.apply(-1)
    mount["source"] = f"{shared}/real/made/below"
    bind_sources.make(mount)
    assert Path(mount["source"]).is_dir()


def test_a_rootfs_is_no_link_of_a_strangers(rootless: Rootless, shared: Path, trap: Path, stranger: Stranger) -> None:
    root = trap / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/true")
    words = ("run", "--rm", "--network", "none", "--rootfs")
    (shared / "own").symlink_to(root)
    rootless(*words, shared / "own", "/bin/true")
    assert stranger(["ln", "-s", str(root), str(shared / "work")]).returncode == 0
    done = rootless(*words, shared / "work", "/bin/true", status=125)
    assert "is a symbolic link of another user" in done.stderr


@pytest.mark.parametrize("words", ["compose -f {dir}/compose.yaml config -o {out}", "commit -q --iidfile {out} seed"])
def test_nothing_is_written_to_a_strangers_file(
    rootless: Rootless, busybox_image: str, shared: Path, stranger: Stranger, tmp_path: Path, words: str
) -> None:
    """What a command writes to a file that it is told, its owner could read: a project's variables, say."""
    (tmp_path / "compose.yaml").write_text("services: {web: {image: busybox, environment: {PASSWORD: geheim}}}\n")
    rootless("create", "--name", "seed", busybox_image)
    out = shared / "out"
    try:
        assert stranger(["sh", "-c", f"umask 0; : >{out}"]).returncode == 0
        done = rootless(*words.format(dir=tmp_path, out=out).split(), status=None)
        assert done.status != 0
        assert f"{out} belongs to another user" in done.stderr
        assert out.read_text() == ""
    finally:
        rootless("rm", "seed")
        rootless("image", "prune", "-f")
