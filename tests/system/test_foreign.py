"""Programs of other architectures, without an administrator: a real arm64 busybox by qemu-user (Linux 6.7)."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.registry import Registry
from tests.need import need

FOREIGN, MACHINE, QEMU = ("arm64", "aarch64", "aarch64") if platform.machine() == "x86_64" else ("amd64", "x86_64", "x86_64")


@pytest.fixture
def foreign_image(rootless: Rootless, user: User) -> str:
    """The name of a busybox image of another architecture, whose interpreter is installed."""
    release = tuple(int(word) for word in platform.release().split(".")[:2])
    need(release >= (6, 7), "before Linux 6.7 a user namespace has no binfmt_misc of its own")
    need(not os.path.exists(f"/proc/sys/fs/binfmt_misc/qemu-{QEMU}"), "this host has handlers of its own")
    rows = rootless("binfmt", "ls", "--format", "{{.Architecture}} {{.Handler}}").lines
    if f"{FOREIGN} rootless" not in rows:
        rootless("binfmt", "install", FOREIGN, timeout=600)
    archive = images.foreign_busybox_archive(user.home / ".cache/rootless-tests", FOREIGN)
    return images.ensure(rootless, f"busybox:{FOREIGN}", archive)


def test_a_foreign_program_runs(rootless: Rootless, foreign_image: str) -> None:
    asked = ("--platform", f"linux/{FOREIGN}", "--network", "none")
    assert rootless("run", "--rm", *asked, foreign_image, "uname", "-m").stdout == f"{MACHINE}\n"
    # Programs that a program starts, and a script's interpreter.
    script = "echo '#!/bin/sh\necho from a script' >/s; chmod 755 /s; /s; /bin/busybox sh -c 'uname -m'"
    assert rootless("run", "--rm", *asked, foreign_image, "sh", "-c", script).stdout == f"from a script\n{MACHINE}\n"


def test_a_build_for_it(rootless: Rootless, foreign_image: str, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM --platform=$BUILDPLATFORM {busybox_image} AS here\nRUN uname -m >/here\n"
        f"FROM {foreign_image}\nRUN uname -m >/there\nCOPY --from=here /here /here\nCMD cat /here /there; uname -m\n"
    )
    rootless("build", "-q", "-t", "foreign", "--platform", f"linux/{FOREIGN}", tmp_path)
    shown = rootless("image", "inspect", "-f", "{{.Architecture}}", "foreign").stdout
    assert shown == f"{FOREIGN}\n"
    done = rootless("run", "--rm", "--platform", FOREIGN, "--network", "none", "foreign")
    assert done.lines == [platform.machine(), MACHINE, MACHINE]
    rootless("rmi", "foreign")


def test_two_platforms_through_a_registry(
    rootless: Rootless, foreign_image: str, busybox_image: str, registry: Registry, podman: Podman, tmp_path: Path
) -> None:
    """A RUN of each, one of them by qemu; what a registry has of it is for both machines."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    rootless("tag", busybox_image, f"busybox:{here}")
    name = f"{registry.address}/foreign:1"
    (tmp_path / "Dockerfile").write_text(
        f"ARG TARGETARCH\nFROM --platform=$BUILDPLATFORM {busybox_image} AS made\nARG TARGETARCH\n"
        "RUN echo made for $TARGETARCH on $(uname -m) >/made\n"
        "FROM busybox:$TARGETARCH\nRUN uname -m >/machine\nCOPY --from=made /made /made\nCMD cat /machine /made\n"
    )
    done = rootless("build", "--progress=plain", "-t", name, "--platform", f"linux/{here},linux/{FOREIGN}", "--push",
                    "--tls-verify=false", tmp_path)  # fmt: skip
    assert f"[linux/{FOREIGN} stage-1 2/3] RUN uname -m >/machine" in done.stderr
    assert f"[linux/{here}->{FOREIGN} made 2/2] RUN echo made for {FOREIGN}" in done.stderr
    for architecture, machine in ((here, platform.machine()), (FOREIGN, MACHINE)):
        copied = tmp_path / architecture
        podman.tool("skopeo", "--override-arch", architecture, "copy", "-q", "--insecure-policy", "--src-tls-verify=false",
                    f"docker://{name}", f"dir:{copied}")  # fmt: skip
        manifest = json.loads((copied / "manifest.json").read_text())
        config = json.loads((copied / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
        assert config["architecture"] == architecture
        podman("pull", "-q", "--tls-verify=false", "--platform", f"linux/{architecture}", name)
        assert json.loads(podman("image", "inspect", name))[0]["Architecture"] == architecture
        container = podman("create", "--network=none", name).strip()
        for path, text in (("/machine", machine), ("/made", f"made for {architecture} on {platform.machine()}")):
            podman("cp", f"{container}:{path}", str(tmp_path / "file"))
            assert (tmp_path / "file").read_text() == f"{text}\n"
        podman("cp", f"{container}:/bin/busybox", str(tmp_path / "busybox"))
        machine_of_elf = {"amd64": 62, "arm64": 183}[architecture]
        assert int.from_bytes((tmp_path / "busybox").read_bytes()[18:20], "little") == machine_of_elf
        podman("rm", "-f", container)
    podman("rmi", "-f", name)
    assert rootless("run", "--rm", "--network=none", name).lines[0] == platform.machine()
    rootless("rmi", name, f"busybox:{here}")


def test_a_stage_that_runs_nothing_needs_no_interpreter(rootless: Rootless, foreign_image: str, tmp_path: Path) -> None:
    rootless("binfmt", "rm", FOREIGN)
    (tmp_path / "f").write_text("x")
    (tmp_path / "Dockerfile").write_text(f"FROM {foreign_image}\nCOPY f /f\nENV a=b\n")
    rootless("build", "-q", "-t", "foreign", "--platform", FOREIGN, tmp_path)
    (tmp_path / "Dockerfile").write_text(f"FROM {foreign_image}\nCOPY f /g\nRUN true\n")
    done = rootless("build", "-t", "never", "--platform", FOREIGN, tmp_path, status=1)
    assert f"this machine cannot run programs for {FOREIGN}" in done.stderr
    assert "COPY f /g" not in done.stderr  # it was known before the first step
    rootless("rmi", "foreign")


def test_its_platform_is_warned_of_where_it_was_not_asked_for(rootless: Rootless, foreign_image: str) -> None:
    done = rootless("run", "--rm", "--network", "none", foreign_image, "uname", "-m", warns=True)
    assert done.stdout == f"{MACHINE}\n"
    assert f"WARNING: The requested image's platform (linux/{FOREIGN}) does not match the detected host platform" in done.stderr


def test_it_lives_on_and_can_be_entered_and_restarted(rootless: Rootless, foreign_image: str) -> None:
    """The handlers live as long as a container that needs them; the next start brings them again."""
    asked = ("--platform", FOREIGN, "--network", "none")
    rootless("run", "-d", "--name", "one", *asked, foreign_image, "sleep", "1000")
    rootless("run", "-d", "--name", "two", *asked, foreign_image, "sleep", "1000")
    rootless("rm", "-f", "one")
    assert rootless("exec", "two", "uname", "-m").stdout == f"{MACHINE}\n"
    rootless("restart", "-t", "0", "two")
    assert rootless("exec", "two", "uname", "-m").stdout == f"{MACHINE}\n"
    rootless("rm", "-f", "two")


def test_nothing_is_left_on_the_host(rootless: Rootless, foreign_image: str) -> None:
    rootless("run", "--rm", "--platform", FOREIGN, "--network", "none", foreign_image, "true")
    assert "qemu" not in "".join(os.listdir("/proc/sys/fs/binfmt_misc"))
    with open("/proc/self/mountinfo") as mounts:
        assert "binfmt_misc" not in mounts.read()


def test_without_an_interpreter_it_is_an_error_with_a_remedy(rootless: Rootless, foreign_image: str) -> None:
    rootless("binfmt", "rm", FOREIGN)
    done = rootless("run", "--name", "none", "--platform", FOREIGN, "--network", "none", foreign_image, "true", status=125)
    assert done.stderr.startswith(f"rootless: this machine cannot run programs for {FOREIGN}: no qemu-{QEMU}-static\nhint: ")
    assert f"`rootless binfmt install {FOREIGN}`" in done.stderr
    assert rootless("ps", "-aq", "--filter", "name=none").stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("wasm",), "qemu-user does not run programs for wasm"),
        (("nosuch",), "unknown architecture 'nosuch'"),
        ((platform.machine(),), "this machine runs programs for"),
    ],
)
def test_words_that_name_no_foreign_architecture(rootless: Rootless, words: tuple[str, ...], message: str) -> None:
    assert message in rootless("binfmt", "install", *words, status=1).stderr


def test_the_interpreter_cannot_be_written_to(rootless: Rootless, foreign_image: str, busybox_image: str) -> None:
    """It is the caller's file, so container root's, who reaches it by /proc/PID/exe, and keeps it open until the
    handlers are gone: until then the kernel itself refuses writers."""
    installed = rootless.root / f"binfmt/qemu-{QEMU}-static"
    before = installed.read_bytes()
    wait = "while [ ! -e /shared/{} ]; do sleep 0.1; done"
    attack = (
        f"{wait.format('go')}; cp /shared/busybox /busybox-foreign; /busybox-foreign sleep 1000 & sleep 3; "
        "exec 9</proc/$!/exe; kill -9 $!; touch /shared/held; "
        f"{wait.format('gone')}; head -c 4 <&9 | tail -c 3; (printf x >/proc/self/fd/9) 2>&1"
    )
    shared = ("-v", "shared:/shared", "--network", "none")
    rootless("volume", "create", "shared")
    rootless("run", "-d", "--name", "native", *shared, busybox_image, "sh", "-c", attack)
    foreign = f"cp /bin/busybox /shared/busybox; touch /shared/go; {wait.format('held')}"
    rootless("run", "--rm", "--platform", FOREIGN, *shared, foreign_image, "sh", "-c", foreign)
    rootless("exec", "native", "touch", "/shared/gone")
    rootless("wait", "native")
    shown = rootless("logs", "native").stdout
    rootless("rm", "native")
    rootless("volume", "rm", "shared")
    assert shown.startswith("ELF"), shown  # it had the interpreter
    assert installed.read_bytes() == before
    assert "Read-only file system" in shown
