"""build --platform a,b: an image for each under one name, here, in a registry, in a layout."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.test_build import steps
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.registry import Registry
from tests.need import need_program

pytestmark = pytest.mark.own_store

BOTH = "linux/amd64,linux/arm64"
# Stages of this machine's platform: nobody has to emulate anything.
TEXT = (
    "FROM --platform=$BUILDPLATFORM busybox AS made\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"
    'FROM scratch\nCOPY --from=made /arch /\nCOPY --from=made /bin /bin\nCMD ["cat", "/arch"]\nENV PATH=/bin\n'
)


def test_one_name(build: Build, rootless: Rootless, context: Path) -> None:
    built = build(TEXT, "--platform", BOTH, "-t", "app", "--iidfile", context / "id", "--metadata-file", context / "meta")
    assert "[linux/amd64->arm64 made 2/2] RUN echo arm64 > /arch" in built.stderr
    assert "[linux/amd64 internal] load metadata for docker.io/library/busybox:latest" in built.stderr
    assert len(set(re.findall(r"^#\d+ \[linux/amd64 made 1/2\] FROM", built.stderr, re.MULTILINE))) == 1
    assert len(set(re.findall(r"^#\d+ exporting", built.stderr, re.MULTILINE))) == 1  # one vertex, as BuildKit's
    assert rootless("run", "--rm", "app").stdout == "amd64\n"
    listed = json.loads(rootless("manifest", "inspect", "app").stdout)
    assert sorted(one["platform"]["architecture"] for one in listed["manifests"]) == ["amd64", "arm64"]
    described = json.loads((context / "meta").read_text())
    assert described["containerimage.digest"] == (context / "id").read_text()
    assert described["containerimage.descriptor"]["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert build(TEXT, "--platform", BOTH, "-q").stdout.startswith("sha256:")
    assert set(steps(build(TEXT, "--platform", BOTH).stderr).values()) == {"CACHED"}


def test_what_they_have_in_common_is_done_once(build: Build) -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM busybox AS made\nRUN --mount=type=cache,target=/c echo x >> /c/n; cp /c/n /n\n"
        "ARG TARGETARCH\nRUN echo $TARGETARCH has $(cat /n) > /arch; cat /arch\n"
        "FROM scratch\nCOPY --from=made /arch /\nCOPY --from=made /n /\n"
    )
    built = build(text, "--platform", BOTH)
    names = re.findall(r"^#\d+ (\[.*/c/n.*)$", built.stderr, re.MULTILINE)
    assert set(names) == {"[linux/amd64 made 2/3] RUN --mount=type=cache,target=/c echo x >> /c/n; cp /c/n /n"}
    assert len(set(re.findall(r"^#\d+ \[.*COPY --from=made /n /", built.stderr, re.MULTILINE))) == 2  # upon files that differ
    assert ("amd64 has x\n" in built.stderr, "arm64 has x\n" in built.stderr) == (True, True)
    again = build(text, "--platform", BOTH, "--no-cache")
    assert again.stderr.count("has x x\n") == 2


def test_what_they_have_not_in_common_is_done_at_the_same_time(build: Build) -> None:
    # Each waits for the other: one after the other, the first would give up.
    wait = "for i in $(seq 600); do test -e /c/amd64 -a -e /c/arm64 && exit 0; sleep 0.1; done; exit 1"
    build(
        "FROM --platform=$BUILDPLATFORM busybox AS made\nARG TARGETARCH\n"
        f"RUN --mount=type=cache,target=/c touch /c/$TARGETARCH; {wait}\nFROM scratch\nCOPY --from=made /bin/sh /\n",
        "--platform", BOTH, "--jobs", "2",
    )  # fmt: skip


def test_a_step_that_fails_for_one_platform(build: Build) -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH\nRUN test $TARGETARCH = amd64 || sleep 1; test $TARGETARCH = amd64\n"
    failed = build(text, "--platform", BOTH, status=1).stderr
    assert "[linux/amd64->arm64 2/2] RUN test arm64 = amd64" in failed
    assert "exit code: 1" in failed


def test_a_registry_has_all_of_them(
    build: Build, rootless: Rootless, context: Path, registry: Registry, podman: Podman
) -> None:
    name = f"{registry.address}/several:1"
    build(TEXT, "--platform", BOTH, "-t", name, "--push", "--tls-verify=false", "--cache-to",
          f"type=registry,ref={name}-cache,mode=max")  # fmt: skip
    raw = json.loads(podman.tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    assert len(raw["manifests"]) == 2
    podman("pull", "-q", "--tls-verify=false", name)
    assert podman.output("--network=none", name) == "amd64\n"
    podman("pull", "-q", "--tls-verify=false", "--platform", "linux/arm64", name)
    found = json.loads(podman("image", "inspect", name))[0]
    assert found["Architecture"] == "arm64"


def test_a_cache_of_all_of_them(build: Build, other_machine: Rootless, context: Path, tmp_path: Path) -> None:
    build(TEXT, "--platform", BOTH, "--cache-to", f"type=local,dest={tmp_path}/c,mode=max")
    from_there = other_machine(
        "build", "--progress=plain", "--platform", BOTH, "--cache-from", f"type=local,src={tmp_path}/c", "-t", "app", context
    )
    assert set(steps(from_there.stderr).values()) == {"CACHED"}
    assert other_machine("run", "--rm", "app").stdout == "amd64\n"


def test_layouts_and_directories(build: Build, context: Path, tmp_path: Path) -> None:
    build(TEXT, "--platform", BOTH, "-t", "app", "-o", f"type=oci,dest={tmp_path}/app.tar", "-o", f"type=local,dest={tmp_path}/out")
    assert (tmp_path / "out/linux_arm64/arch").read_text() == "arm64\n"
    assert (tmp_path / "out/linux_amd64/arch").read_text() == "amd64\n"
    build(TEXT, "--platform", BOTH, "-o", f"type=oci,dest={tmp_path}/layout,tar=false")
    with tarfile.open(tmp_path / "app.tar") as archive:
        assert "oci-layout" in archive.getnames()
    skopeo = need_program("skopeo")
    for number, source in enumerate((f"oci-archive:{tmp_path}/app.tar", f"oci:{tmp_path}/layout")):
        done = subprocess.run(
            [skopeo, "copy", "-q", "--insecure-policy", "--all", source, f"oci:{tmp_path}/{number}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_what_one_image_alone_can_be(build: Build, tmp_path: Path) -> None:
    for output, said in (("docker", "does not currently support exporting manifest lists"), ("tar", "is of one platform")):
        refused = build(TEXT, "--platform", BOTH, "-o", f"type={output},dest={tmp_path}/x", status=None)
        assert (refused.status != 0, said in refused.stderr) == (True, True)
    assert "tag is needed" in build(TEXT, "--platform", BOTH, "--push", status=None).stderr


def test_a_list_of_one(build: Build, rootless: Rootless, tmp_path: Path) -> None:
    asked = ("--build-arg", "BUILDKIT_MULTI_PLATFORM=1")
    text = "FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"
    built = build(text, *asked, "--annotation", "index:a=b", "-t", "one", "-o", "type=image", "-o",
                  f"type=local,dest={tmp_path}/out")  # fmt: skip
    assert re.search(r"\[linux/\w+ 2/2\] RUN", built.stderr)
    (directory,) = (tmp_path / "out").iterdir()
    architecture = (directory / "arch").read_text().strip()
    assert directory.name.startswith(f"linux_{architecture}")
    listed = json.loads(rootless("manifest", "inspect", "one").stdout)
    assert ([each["platform"]["architecture"] for each in listed["manifests"]], listed["annotations"]) == ([architecture], {"a": "b"})
    assert rootless("run", "--rm", "one", "cat", "/arch").stdout.strip() == architecture
    plain = build(text, "-q").stdout.strip()
    assert rootless("image", "inspect", "-f", "{{.Id}}", plain).stdout.strip() == plain  # an image, no list
    for words, said in (
        ((*asked, "-o", f"type=docker,dest={tmp_path}/x"), "does not currently support exporting manifest lists"),
        (("--build-arg", "BUILDKIT_MULTI_PLATFORM=0", "--platform", BOTH), "returning multiple target platforms is not allowed"),
        (("--build-arg", "BUILDKIT_MULTI_PLATFORM=perhaps"), "invalid boolean value perhaps"),
    ):
        assert said in build(text, *words, status=1).stderr


@pytest.mark.own_store
def test_one_platform_of_a_list_is_saved_and_shown(rootless: Rootless, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\n")
    rootless("build", "-q", "-t", "both", "--platform", "linux/amd64,linux/arm64", tmp_path)
    for architecture in ("amd64", "arm64"):
        asked = ("--platform", f"linux/{architecture}", "both")
        shown = rootless("image", "inspect", "-f", "{{.Architecture}} {{.Config.Labels.arch}}", *asked).stdout
        assert shown == f"{architecture} {architecture}\n"
        assert f"LABEL arch={architecture}" in rootless("history", "--no-trunc", *asked).stdout
        rootless("save", "-o", tmp_path / f"{architecture}.tar", *asked)
        with tarfile.open(tmp_path / f"{architecture}.tar") as tar:
            (entry,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            assert entry["RepoTags"] == ["both:latest"]
            assert json.load(tar.extractfile(entry["Config"]))["architecture"] == architecture  # type: ignore[arg-type]
    for words in (("save", "-o", tmp_path / "x"), ("image", "inspect"), ("history",)):
        done = rootless(*words, "--platform", "linux/s390x", "both", status=1)
        assert "does not provide the specified platform (linux/s390x)" in done.stderr
    rootless("rmi", "both")


def test_without_a_name_the_list_is_kept_by_its_id(
    build: Build, rootless: Rootless, context: Path, registry: Registry, podman: Podman
) -> None:
    before = rootless("images", "-q").lines
    identifier = build(TEXT, "--platform", BOTH, "-q", "--iidfile", context / "id").stdout.strip()
    assert identifier == (context / "id").read_text()
    assert len(rootless("images", "-q").lines) == len(before) + 1  # one image, as docker shows it
    assert build(TEXT, "--platform", BOTH, "-q").stdout.strip() == identifier
    assert len(json.loads(rootless("manifest", "inspect", identifier).stdout)["manifests"]) == 2
    for text in (identifier, identifier[7:19]):
        assert rootless("run", "--rm", text).stdout == "amd64\n"
        shown = rootless("image", "inspect", "-f", "{{.Architecture}}", "--platform", "linux/arm64", text).stdout
        assert shown == "arm64\n"
    name = f"{registry.address}/unnamed:1"
    rootless("tag", identifier, name)
    rootless("push", "-q", "--tls-verify=false", name)
    raw = json.loads(podman.tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    assert len(raw["manifests"]) == 2
    rootless("rmi", name)
    assert rootless("images", "-q").lines == before
    assert "No such image" in rootless("run", identifier, status=125).stderr


def test_a_list_without_a_name_goes_whole(build: Build, rootless: Rootless) -> None:
    before = rootless("images", "-q").lines
    identifier = build(TEXT, "--platform", BOTH, "-q").stdout.strip()
    (own,) = rootless("images", "-q", "--filter", "dangling=true").lines
    for words in (("rmi", identifier), ("rmi", own), ("image", "prune", "-f")):
        build(TEXT, "--platform", BOTH, "-q")
        assert len(rootless("images", "-q").lines) == len(before) + 1
        told = rootless(*words).stdout
        assert rootless("images", "-q").lines == before
        assert len(list((rootless.root / "images/by-id").glob("*.json"))) == len(set(before))
        assert identifier in told.lower()
    # What a list has is not taken out of it.
    build(TEXT, "--platform", BOTH, "-q")
    other = rootless("image", "inspect", "-f", "{{.ID}}", "--platform", "linux/arm64", identifier).stdout.strip()
    assert "is part of the list" in rootless("rmi", other, status=1).stderr
    rootless("image", "prune", "-f")


def test_the_tree_shows_all_of_a_list(build: Build, rootless: Rootless) -> None:
    build(TEXT, "--platform", BOTH, "-t", "app", "-t", "other")
    build("FROM scratch\nENV a=b\n", "--platform", "linux/arm64,linux/s390x", "-t", "foreign")
    build(TEXT, "--platform", "linux/s390x," + BOTH)
    lines = [line.split("  ")[0] for line in rootless("images", "--tree").lines]
    assert lines[lines.index("app:latest"):][:4] == ["app:latest", "other:latest", "├─ linux/amd64", "└─ linux/arm64"]
    assert lines[lines.index("foreign:latest"):][:3] == ["foreign:latest", "├─ linux/arm64", "└─ linux/s390x"]
    assert lines[lines.index("<none>:<none>"):][:4] == ["<none>:<none>", "├─ linux/s390x", "├─ linux/amd64", "└─ linux/arm64"]
    assert "foreign" in rootless("images").stdout
    rootless("rmi", "app", "other", "foreign")
    rootless("image", "prune", "-f")


@pytest.mark.parametrize("platforms", ["linux/amd64", BOTH])
def test_what_was_pushed_where(
    build: Build, registry: Registry, podman: Podman, tmp_path: Path, platforms: str, user: User
) -> None:
    """One name's layers are there, packed otherwise: that registry keeps what it has."""
    (tmp_path / "registry").mkdir()
    with Registry(tmp_path / "registry") as other:
        one, two, kept = f"{registry.address}/where:1", f"{other.address}/where:1", "docker.io/library/kept:latest"
        build(TEXT, "--platform", platforms, "-o", f"type=registry,name={two},compression=zstd,oci-mediatypes=true", "--tls-verify=false")
        build(TEXT, "--platform", platforms, "-o", f"type=registry,name={one},compression=gzip", "-o", f"type=registry,name={two}",
              "-o", "type=image,name=kept", "--metadata-file", tmp_path / "meta", "--tls-verify=false")  # fmt: skip
        found = json.loads((tmp_path / "meta").read_text())
        assert found["image.name"] == f"{one},{two},{kept}"
        digests = {}
        for name in (one, two):
            raw = podman.tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}")
            digests[name] = "sha256:" + hashlib.sha256(raw.encode()).hexdigest()
        assert digests[one] != digests[two]
        assert found["rootless.pushed"] == digests
        assert found["containerimage.digest"] == found["containerimage.descriptor"]["digest"] == digests[one]
