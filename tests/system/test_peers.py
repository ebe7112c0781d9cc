"""Images made by others run here, and ours run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.registry import Registry
from tests.need import need_program

pytestmark = pytest.mark.own_store


def test_pull_what_podman_pushed(
    rootless: Rootless, podman: Podman, registry: Registry, busybox_archive: Path
) -> None:
    name = f"{registry.address}/busybox:pushed"
    podman("load", "-i", busybox_archive)
    podman("push", "--tls-verify=false", "localhost/busybox:latest", name)
    rootless("pull", "--quiet", name)
    assert rootless("run", "--rm", "--network", "none", name, "echo", "pulled").stdout == "pulled\n"
    theirs = podman("image", "inspect", "--format", "{{.Id}}", "localhost/busybox:latest").strip()
    assert rootless("image", "inspect", "--format", "{{.Id}}", name).stdout.strip() == f"sha256:{theirs}"


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_podman_loads_what_we_saved(
    rootless: Rootless, podman: Podman, busybox_image: str, tmp_path: Path, form: str
) -> None:
    rootless("tag", busybox_image, "localhost/ours:1")
    rootless("save", "--format", form, "-o", tmp_path / "image.tar", "localhost/ours:1")
    podman("load", "-i", tmp_path / "image.tar")
    ran = podman.output("--network", "none", "localhost/ours:1", "echo", "loaded")
    assert ran == "loaded\n"
    podman("rmi", "--force", "localhost/ours:1")


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_load_what_skopeo_copied(
    rootless: Rootless, podman: Podman, busybox_archive: Path, tmp_path: Path, form: str
) -> None:
    target = tmp_path / "image.tar"
    podman.tool(
        "skopeo",
        "copy",
        "--insecure-policy",
        f"docker-archive:{busybox_archive}",
        f"{form}:{target}:localhost/s:1",
    )
    rootless("load", "-i", target)
    assert (
        rootless("run", "--rm", "--network", "none", "localhost/s:1", "echo", "copied").stdout == "copied\n"
    )


def test_load_what_buildah_built(
    rootless: Rootless, podman: Podman, busybox_archive: Path, tmp_path: Path
) -> None:
    """Whiteouts and several layers, as a builder makes them."""
    podman("load", "-i", busybox_archive)
    (tmp_path / "Containerfile").write_text(
        "FROM localhost/busybox:latest\n"
        "RUN echo one >/one && mkdir /gone && touch /gone/f\n"
        "RUN rm -r /gone && chown 1000:50 /one && ln /one /two\n"
        "USER user\nWORKDIR /home/user\nENV A=b\n"
    )
    podman.tool(
        "buildah",
        "--storage-driver",
        "overlay",
        "bud",
        "--layers",
        "--isolation",
        "chroot",
        "-t",
        "localhost/built:1",
        tmp_path,
    )
    podman("save", "-o", tmp_path / "built.tar", "localhost/built:1")
    rootless("load", "-i", tmp_path / "built.tar")
    script = "pwd; id -un; echo $A; ls -d /gone 2>&1; stat -c '%u:%g %h' /one"
    out = rootless("run", "--rm", "--network", "none", "localhost/built:1", "sh", "-c", script).lines
    assert [*out[:3], out[4]] == ["/home/user", "user", "b", "1000:50 2"]
    assert "No such file" in out[3]


def test_umoci_reads_our_archive(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    umoci = need_program("umoci")
    rootless("save", "--format", "oci-archive", "-o", tmp_path / "oci.tar", busybox_image)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "layout", "-xf", tmp_path / "oci.tar"], check=True)
    listed = subprocess.run(
        [umoci, "ls", "--layout", tmp_path / "layout"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.strip()
