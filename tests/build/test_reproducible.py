"""The same image from the same sources, whoever builds it and whenever: SOURCE_DATE_EPOCH alone."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.test_build import steps
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.registry import Registry

pytestmark = pytest.mark.own_store

TEXT = (
    "FROM busybox\n"
    "RUN mkdir -p /made/dir && echo made > /made/dir/file && ln -s file /made/dir/link && ln /made/dir/file /made/hard\n"
    "RUN rm -r /made/hard && touch -d '2001-02-03 04:05:06' /made/old\n"
    "COPY a.txt /data/\nWORKDIR /srv/place\nLABEL a=b\n"
)
EPOCH = 1_500_000_000


def identity(rootless: Rootless, context: Path, *args: str, env: dict[str, str] | None = None) -> str:
    (context / "id").unlink(missing_ok=True)
    rootless("build", "--progress=plain", "--iidfile", context / "id", *args, context, env=env)
    return (context / "id").read_text()


def times(rootless: Rootless, image: str, where: Path) -> dict[str, float]:
    """{path: time} of all files in the layers that are above busybox's."""
    rootless("save", "-o", where, image)
    found: dict[str, float] = {}
    with tarfile.open(where) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        for name in manifest[0]["Layers"][1:]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                found |= {entry.name: float(entry.mtime) for entry in layer if ".wh." not in entry.name}
    return found


def test_two_stores_give_one_image(
    rootless: Rootless, busybox_image: str, other_machine: Rootless, context: Path, tmp_path: Path
) -> None:
    (context / ".dockerignore").write_text("id\n")
    (context / "Dockerfile").write_text(TEXT)
    (context / "a.txt").write_text("a\n")
    epoch = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    first = identity(rootless, context, "-t", "app", env=epoch)
    os.utime(context / "a.txt", (EPOCH - 1000, EPOCH + 10_000_000))
    assert identity(other_machine, context, "-t", "app", env=epoch) == first
    assert identity(other_machine, context, "--no-cache", "--source-date-epoch", str(EPOCH)) == first
    assert identity(other_machine, context, "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}") == first
    assert identity(other_machine, context, "--no-cache") != first
    found = times(rootless, "app", tmp_path / "app.tar")
    assert found.pop("made/old") == 981_173_106
    assert {"made/dir/file", "made/dir/link", "data/a.txt", "srv/place"} <= found.keys()
    assert {time for time in found.values() if time > EPOCH} == set()
    assert found["made/dir/file"] == found["data/a.txt"] == EPOCH
    document = json.loads(rootless("image", "inspect", "app").stdout)[0]
    assert document["Created"].startswith("2017-07-14T02:40:00")
    assert rootless("run", "--rm", "app", "stat", "-c", "%Y", "/made/dir/file").stdout == f"{EPOCH}\n"


def test_another_time_does_no_step_again_and_its_image_is_the_same_everywhere(
    rootless: Rootless, busybox_image: str, other_machine: Rootless, context: Path
) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo x > /x\n")
    plain = identity(rootless, context)
    build = ["build", "--progress=plain", "--source-date-epoch"]
    assert steps(rootless(*build, str(EPOCH), context).stderr)["RUN echo x > /x"] == "CACHED"
    assert steps(rootless(*build, str(EPOCH + 5), context).stderr)["RUN echo x > /x"] == "CACHED"
    later = identity(rootless, context, "--source-date-epoch", str(EPOCH + 5))
    assert later == identity(other_machine, context, "--source-date-epoch", str(EPOCH + 5))
    assert later != identity(rootless, context, "--source-date-epoch", str(EPOCH))
    assert identity(rootless, context) == plain


def test_all_files_as_old_as_was_said(build: Build, rootless: Rootless, context: Path, tmp_path: Path) -> None:
    (context / "a.txt").write_text("a\n")
    build(TEXT, "-t", "app", "--timestamp", str(EPOCH))
    assert set(times(rootless, "app", tmp_path / "app.tar").values()) == {float(EPOCH)}
    build(TEXT, "-t", "app", "--source-date-epoch", str(EPOCH), "-o", "type=image,rewrite-timestamp=false")
    assert max(times(rootless, "app", tmp_path / "kept.tar").values()) > EPOCH
    refused = build(TEXT, "--timestamp", "1", "--source-date-epoch", "1", status=None)
    assert "exclude each other" in refused.stderr


def test_the_files_of_a_tar(build: Build, context: Path) -> None:
    (context / "a.txt").write_text("a\n")
    build(TEXT, "--source-date-epoch", str(EPOCH), "-o", f"type=tar,dest={context}/out.tar")
    with tarfile.open(context / "out.tar") as archive:
        assert archive.getmember("made/dir/file").mtime == EPOCH
        assert max(entry.mtime for entry in archive) <= EPOCH


def test_podman_and_skopeo_take_it(
    build: Build, rootless: Rootless, context: Path, registry: Registry, podman: Podman
) -> None:
    (context / "a.txt").write_text("a\n")
    name = f"{registry.address}/reproducible:1"
    build(TEXT, "-t", name, "--source-date-epoch", str(EPOCH))
    rootless("push", "--tls-verify=false", name)
    podman("pull", "-q", "--tls-verify=false", name)
    listed = podman.output("--network=none", name, "stat", "-c", "%Y", "/made/dir/file", "/data/a.txt", "/made/old")
    assert listed.split() == [str(EPOCH), str(EPOCH), "981173106"]
    inspected = podman.tool("skopeo", "inspect", "--config", "--tls-verify=false", f"docker://{name}")
    assert json.loads(inspected)["created"].startswith("2017-07-14T02:40:00")
