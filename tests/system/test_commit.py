"""`commit`: what is in the image, what is not, how it runs, and that the container goes on."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman

CHANGE = (
    "mkdir -p /new/deep; echo text > /new/deep/file; ln /new/deep/file /new/link; ln -s file /new/deep/symbolic; "
    "chown 5:6 /new/deep/file; chmod 4751 /new/link; rm /bin/yes; rm -r /home/user; mkdir /home/user; echo x > /home/user/n; "
    "echo more >> /etc/group; mkfifo /new/pipe"
)


def image_config(rootless: Rootless, name: str) -> dict[str, Any]:
    found = json.loads(rootless("image", "inspect", name).stdout)[0]
    assert isinstance(found, dict)
    return found


def uppermost(rootless: Rootless, name: str) -> Path:
    diff_id = str(image_config(rootless, name)["RootFS"]["Layers"][-1])
    return rootless.root / "layers" / diff_id[7:]


def listed(rootless: Rootless, name: str) -> list[str]:
    """The names in the tar of the uppermost layer."""
    saved = rootless("save", name).raw
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        layer = archive.extractfile(f"blobs/sha256/{uppermost(rootless, name).name}")
        assert layer is not None
        with tarfile.open(fileobj=io.BytesIO(layer.read())) as tar:
            return [member.name for member in tar]


@pytest.fixture
def box(rootless: Rootless, busybox_archive: Path) -> Iterator[str]:
    """busybox in a store of one's own: what is committed goes with it, and all containers at the end."""
    rootless("load", "-i", busybox_archive)
    yield "busybox"
    names = rootless("ps", "-aq").lines
    if names:
        rootless("rm", "-fv", *names)


@pytest.fixture
def changed(rootless: Rootless, box: str) -> str:
    rootless("run", "--name", "changed", "-v", "vol:/data", "-v", "/anonymous", box, "sh", "-c",
             CHANGE + "; echo kept out > /data/f; echo kept out > /anonymous/f")  # fmt: skip
    return "changed"


def test_files_are_as_they_were(rootless: Rootless, changed: str) -> None:
    identity = rootless("commit", changed, "made").stdout.strip()
    assert identity == image_config(rootless, "made:latest")["Id"]
    shown = rootless(
        "run", "--rm", "made", "sh", "-c",
        "cd /new; stat -c '%n %a %u:%g %h %F' deep deep/file link deep/symbolic pipe; cat deep/file; "
        "ls /bin/yes; ls /home/user; tail -n1 /etc/group; ls /anonymous",
    )  # fmt: skip
    assert shown.stdout.splitlines() == [
        "deep 755 0:0 2 directory", "deep/file 4751 5:6 2 regular file", "link 4751 5:6 2 regular file",
        "deep/symbolic 777 0:0 1 symbolic link", "pipe 644 0:0 1 fifo", "text", "n", "more",
    ]  # fmt: skip
    assert "/bin/yes" in shown.stderr
    # Of volumes and of what the engine puts into every container nothing is in the layer.
    assert sorted(listed(rootless, "made")) == sorted(
        [".", "bin", "bin/.wh.yes", "etc", "etc/group", "home", "home/user", "home/user/.wh..wh..opq", "home/user/n",
         "new", "new/deep", "new/deep/file", "new/deep/symbolic", "new/link", "new/pipe"]
    )  # fmt: skip


def test_the_same_with_a_copy_instead_of_an_overlay(
    rootless: Rootless, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**rootless.environment, "ROOTLESS_STORAGE_DRIVER": "directory"}
    rootless("run", "--name", "copied", "-v", "vol:/data", box, "sh", "-c", CHANGE, env=environment, warns=True)
    rootless("commit", "copied", "made", env=environment)
    names = set(listed(rootless, "made"))
    assert {"bin/.wh.yes", "etc/group", "home/user/n", "new/deep/file", "new/link", "new/pipe"} <= names
    assert not names & {"bin/busybox", "bin/ls", "etc/hosts", "data", "dev", "proc", "etc/passwd"}
    shown = rootless("run", "--rm", "made", "sh", "-c", "ls /bin/yes; ls /home/user; stat -c %u:%g /new/link", warns=True)
    assert shown.stdout == "n\n5:6\n"


@pytest.mark.real_ids("--userns=auto is of them")
def test_ids_of_its_own(rootless: Rootless, box: str) -> None:
    """The image has the numbers that the container saw."""
    rootless("run", "--name", "cc", "--userns", "auto", box, "sh", "-c", CHANGE, warns=True)
    rootless("commit", "cc", "made")
    assert rootless("run", "--rm", "made", "stat", "-c", "%u:%g", "/new/link").stdout == "5:6\n"


def test_how_it_runs(rootless: Rootless, box: str) -> None:
    """What was said to `run` counts; --change after it."""
    rootless(
        "create", "--name", "cc", "-e", "A=1", "-w", "/tmp", "-u", "5:6", "-l", "k=v", "--expose", "7", "-p", "8080:80",
        "--stop-signal", "INT", "--entrypoint", "sh", "-h", "named", "-t", "--health-cmd", "true", "--health-interval", "7s",
        "-v", "/anonymous", box, "-c", "echo hello",
    )  # fmt: skip
    rootless("commit", "-a", "Somebody <x@y>", "-m", "why", "cc", "plain")
    config = image_config(rootless, "plain")
    assert config["Author"] == "Somebody <x@y>"
    assert config["Comment"] == "why"
    inner = config["Config"]
    assert inner["Cmd"] == ["-c", "echo hello"]
    assert inner["Entrypoint"] == ["sh"]
    assert "A=1" in inner["Env"]
    assert not [word for word in inner["Env"] if word.startswith(("HOSTNAME", "TERM"))]
    assert (inner["WorkingDir"], inner["User"], inner["StopSignal"]) == ("/tmp", "5:6", "INT")
    assert inner["Labels"] == {"k": "v"}
    assert set(inner["ExposedPorts"]) == {"7/tcp", "80/tcp"}
    assert set(inner["Volumes"]) == {"/anonymous"}
    assert inner["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert inner["Healthcheck"]["Interval"] == 7_000_000_000
    changes = (
        'CMD ["id", "-u"]', "ENTRYPOINT []", "ENV A=2 B=3", "EXPOSE 9/udp", "HEALTHCHECK NONE", "LABEL k=w",
        "ONBUILD RUN true", "STOPSIGNAL TERM", "USER 7", "VOLUME /more", "WORKDIR /var",
    )  # fmt: skip
    options = [word for change in changes for word in ("-c", change)]
    rootless("commit", *options, "cc", "altered")
    inner = image_config(rootless, "altered")["Config"]
    assert inner["Cmd"] == ["id", "-u"]
    assert {"A=2", "B=3"} <= set(inner["Env"])
    assert (inner["WorkingDir"], inner["User"], inner["StopSignal"]) == ("/var", "7", "TERM")
    assert inner["Healthcheck"]["Test"] == ["NONE"]
    assert inner["OnBuild"] == ["RUN true"]
    assert set(inner["Volumes"]) == {"/anonymous", "/more"}
    assert rootless("run", "--rm", "altered").stdout == "7\n"


def test_nothing_changed(rootless: Rootless, box: str) -> None:
    """No layer then, and a line in the history all the same; without a name it is dangling."""
    rootless("create", "--name", "cc", box)
    identity = rootless("commit", "-q", "cc").stdout.strip()
    before, after = image_config(rootless, box), image_config(rootless, identity)
    assert after["RootFS"] == before["RootFS"]
    assert after["RepoTags"] == []
    assert len(rootless("history", "-q", identity).lines) == 2


def test_words_that_are_refused(rootless: Rootless, box: str, tmp_path: Path) -> None:
    rootless("create", "--name", "cc", box)
    before = rootless("images", "-aq").stdout
    assert "unknown instruction" in rootless("commit", "-c", "RUN x", "cc", status=1).stderr
    assert "must be lowercase" in rootless("commit", "cc", "UPPER", status=1).stderr
    assert "digest reference" in rootless("commit", "cc", "x@sha256:" + "0" * 64, status=1).stderr
    assert "No such container" in rootless("commit", "nobody", status=1).stderr
    assert rootless("images", "-aq").stdout == before
    rootless("commit", "--iidfile", tmp_path / "id", "-f", "docker", "cc", "typed")
    assert (tmp_path / "id").read_text() == image_config(rootless, "typed")["Id"]
    assert "docker.distribution.manifest" in json.dumps(image_config(rootless, "typed")["Descriptor"])


def test_a_running_container_is_paused_and_goes_on(rootless: Rootless, box: str) -> None:
    rootless("run", "-d", "--name", "cc", box, "sh", "-c", "while :; do date >> /log; sleep 0.1; done")
    rootless("exec", "cc", "sh", "-c", CHANGE)
    rootless("commit", "cc", "made")
    told = rootless("events", "--since", "1m", "--until", "0s", "--filter", "container=cc", "--format", "{{.Action}}").lines
    assert told[-3:] in (["pause", "unpause", "commit"], ["pause", "commit", "unpause"])
    assert rootless("inspect", "-f", "{{.State.Status}}", "cc").stdout == "running\n"
    rootless("commit", "--no-pause", "cc", "again")
    rootless("commit", "--pause=false", "cc", "again")
    told = rootless("events", "--since", "1m", "--until", "0s", "--filter", "event=pause", "--format", "{{.Action}}").lines
    assert told == ["pause"]
    rootless("pause", "cc")
    rootless("commit", "cc", "again")
    assert rootless("inspect", "-f", "{{.State.Status}}", "cc").stdout == "paused\n"
    rootless("rm", "-f", "cc")


def test_killed_in_the_middle(rootless: Rootless, box: str) -> None:
    """The container goes on, no half layer is seen, and the next commit works."""
    rootless("run", "-d", "--name", "cc", box, "sleep", "1000")
    rootless("exec", "cc", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=200")
    layers = set(os.listdir(rootless.root / "layers"))
    with subprocess.Popen(
        [*rootless.argv, "commit", "cc", "made"], env=rootless.environment, stdout=subprocess.DEVNULL
    ) as running:
        while not any(name.startswith(".new-") for name in os.listdir(rootless.root / "layers")):
            assert running.poll() is None
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while rootless("inspect", "-f", "{{.State.Status}}", "cc").stdout != "running\n":
        assert time.monotonic() < deadline
    assert rootless("images", "-q", "made").stdout == ""
    assert {name for name in os.listdir(rootless.root / "layers") if not name.startswith(".")} == layers
    rootless("commit", "cc", "made")
    rootless("rm", "-f", "cc")
    rootless("image", "prune", "-f")
    assert not [name for name in os.listdir(rootless.root / "layers") if name.startswith(".new-")]
    assert rootless("run", "--rm", "made", "stat", "-c", "%s", "/big").stdout == f"{200 << 20}\n"


def test_saved_loaded_and_read_by_podman(
    rootless: Rootless, changed: str, podman: Podman, tmp_path: Path
) -> None:
    """The layer is not packed: its tar is written into the archive, and is what the diff ID says."""
    rootless("commit", changed, "made")
    before = image_config(rootless, "made")
    for form in ("docker-archive", "oci-archive"):
        rootless("save", "--format", form, "-o", tmp_path / form, "made")
    rootless("save", "--format", "oci-dir", "-o", tmp_path / "directory", "made")
    podman("load", "-i", tmp_path / "docker-archive")
    assert podman.output("--network=none", "made", "cat", "/new/link").endswith("text\n")
    podman.tool("skopeo", "copy", f"oci:{tmp_path}/directory", f"dir:{tmp_path}/checked")
    rootless("rm", "changed")
    rootless("rmi", "made")
    for form in ("docker-archive", "oci-archive"):
        rootless("load", "-i", tmp_path / form)
        assert image_config(rootless, "made")["Id"] == before["Id"]
        rootless("rmi", "made")


def test_above_one_another(rootless: Rootless, box: str) -> None:
    rootless("run", "--name", "one", box, "sh", "-c", "echo 1 > /a; echo 1 > /b")
    rootless("commit", "one", "one")
    rootless("run", "--name", "two", "one", "sh", "-c", "rm /a; echo 2 > /b")
    rootless("commit", "two", "two")
    assert rootless("run", "--rm", "two", "sh", "-c", "cat /b; ls /a", status=1).stdout == "2\n"
    rootless("rmi", "one", status=None)
    assert rootless("run", "--rm", "two", "cat", "/b").stdout == "2\n"
