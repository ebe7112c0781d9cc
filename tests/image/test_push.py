"""`push` end to end: what goes up, what does not go up twice, and who can read it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.images import busybox_layer, docker_archive, static_busybox
from tests.harness.podman import Podman
from tests.harness.registry import Registry
from tests.harness.writable_registry import Handler, WritableRegistry, digest_of
from tests.image.strange_registry import tar_of

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def writable() -> Iterator[WritableRegistry]:
    with WritableRegistry() as server:
        yield server


def load(rootless: Rootless, name: str, *layers: bytes) -> None:
    rootless("load", stdin=docker_archive(name, list(layers), {"Cmd": ["sh"]}))


def forget_blobs(rootless: Rootless, *, kept: tuple[str, ...]) -> None:
    """What a build leaves: layers that are only unpacked."""
    for path in (rootless.root / "blobs/sha256").iterdir():
        if path.name not in kept:
            path.unlink()


def imported(rootless: Rootless, name: str) -> dict[str, str]:
    """An image of one layer in the form in which we write layers ourselves; its manifest's and config's digests."""
    load(rootless, "seed", busybox_layer(static_busybox()))
    rootless("create", "--name", "seed", "seed")
    exported = rootless("export", "seed").raw
    rootless("rm", "seed")
    rootless("import", "-", name, stdin=exported)
    document = json.loads(rootless("image", "inspect", name).stdout)[0]
    record = json.loads((rootless.root / f"images/by-id/{document['Id'][7:]}.json").read_text())
    return {"id": document["Id"], "manifest": record["manifest"]["digest"], "layer": record["layers"][0]}


def test_what_docker_push_prints(rootless: Rootless, writable: WritableRegistry) -> None:
    one, two = tar_of({"a": b"1"}), tar_of({"b": b"2"})
    name = f"{writable.address}/a/b"
    load(rootless, name, one, two)
    pushed = rootless("push", name)
    data = writable.manifests["a/b"]["latest"][1]
    assert pushed.stdout == (
        f"Using default tag: latest\nThe push refers to repository [{name}]\n"
        f"latest: digest: {digest_of(data)} size: {len(data)}\n"
    )
    for layer in (one, two):
        assert f"{digest_of(layer)[7:19]}: Preparing\n" in pushed.stderr
        assert f"{digest_of(layer)[7:19]}: Pushed\n" in pushed.stderr
    again = rootless("push", f"{name}:latest")
    assert again.stderr.count("Layer already exists") == 2
    assert rootless("push", "-q", name).stdout == f"{name}:latest\n"
    assert f"{name}@{digest_of(data)}" in rootless("image", "inspect", name).stdout


def test_a_second_push_sends_nothing(rootless: Rootless, writable: WritableRegistry) -> None:
    name = f"{writable.address}/x"
    load(rootless, name, tar_of({"a": b"1"}))
    rootless("push", name)
    writable.seen.clear()
    rootless("push", name)
    assert [seen.method for seen in writable.seen] == ["HEAD", "HEAD", "PUT"]


def test_the_digest_of_what_was_pulled_stays(rootless: Rootless, writable: WritableRegistry) -> None:
    """A layer goes up as it came, and so does the manifest, whoever wrote it."""
    name = f"{writable.address}/x"
    load(rootless, name, tar_of({"a": b"1"}))
    rootless("push", "--format", "v2s2", name)
    digest = digest_of(writable.manifests["x"]["latest"][1])
    assert writable.document("x")["mediaType"] == DOCKER_MANIFEST
    rootless("rmi", name)
    rootless("pull", name)
    rootless("tag", name, f"{writable.address}/y:2")
    assert digest in rootless("push", f"{writable.address}/y:2").stdout
    assert writable.manifests["y"]["2"] == writable.manifests["x"]["latest"]


def test_what_the_registry_has_elsewhere_is_mounted(rootless: Rootless, writable: WritableRegistry) -> None:
    load(rootless, f"{writable.address}/x", tar_of({"a": b"1"}))
    rootless("push", f"{writable.address}/x")
    # Known from the pull of another store, too.
    rootless("rmi", f"{writable.address}/x")
    rootless("pull", f"{writable.address}/x")
    rootless("tag", f"{writable.address}/x", f"{writable.address}/deep/er/y")
    writable.seen.clear()
    assert ": Mounted from x\n" in rootless("push", f"{writable.address}/deep/er/y").stderr
    assert [seen.method for seen in writable.seen if "mount=" in seen.path] == ["POST"]
    assert len([seen for seen in writable.seen if seen.method == "PUT" and "/uploads/" in seen.path]) == 1  # config
    # What another registry has is of no use here.
    with WritableRegistry() as other:
        rootless("push", f"{writable.address}/x", f"{other.address}/x")
        assert not [seen for seen in other.seen if "mount=" in seen.path]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_mount(rootless: Rootless, writable: WritableRegistry, status: int) -> None:
    load(rootless, f"{writable.address}/x", tar_of({"a": b"1"}))
    rootless("push", f"{writable.address}/x")
    writable.mount = status
    rootless("push", f"{writable.address}/x", f"{writable.address}/y")
    assert writable.manifests["y"]["latest"] == writable.manifests["x"]["latest"]


def test_a_layer_that_is_only_unpacked(rootless: Rootless, writable: WritableRegistry) -> None:
    """It is written as the tar that its diff ID is of, and packed; once for a registry, and never kept here."""
    name = f"{writable.address}/x"
    image = imported(rootless, name)
    forget_blobs(rootless, kept=(image["id"][7:], image["manifest"][7:]))
    stored = set(os.listdir(rootless.root / "blobs/sha256"))
    rootless("push", name)
    layer = writable.document("x")["layers"][0]["digest"]
    assert layer in writable.blobs["x"]
    again = rootless("push", name).stderr
    assert "Layer already exists" in again
    assert ": Mounted from x\n" in rootless("push", name, f"{writable.address}/y").stderr
    assert set(os.listdir(rootless.root / "blobs/sha256")) == stored
    assert os.listdir(rootless.root / "blobs/partial") == []
    with WritableRegistry() as other:
        rootless("push", name, f"{other.address}/x")
        assert layer in other.blobs["x"]  # the same in, the same out
    rootless("rmi", name, "seed")
    rootless("pull", name)
    assert rootless("run", "--rm", name, "/bin/busybox", "echo", "back").stdout == "back\n"


def test_a_layer_that_cannot_be_written_again(rootless: Rootless, writable: WritableRegistry) -> None:
    """A stranger's tar has another order, other headers: nobody could unpack what we would make of it."""
    name = f"{writable.address}/x"
    load(rootless, name, tar_of({"b": b"2", "a": b"1"}))
    record = json.loads(next((rootless.root / "images/by-id").iterdir()).read_text())
    forget_blobs(rootless, kept=(record["id"][7:], record["manifest"]["digest"][7:]))
    failed = rootless("push", name, status=1)
    assert "cannot be written again as it was" in failed.stderr
    assert not writable.manifests.get("x")


@pytest.mark.parametrize("form", ["zstd", "uncompressed", "gzip"])
def test_compression(rootless: Rootless, writable: WritableRegistry, podman: Podman, form: str) -> None:
    """Other readers unpack what we pack; zstd is never written under Docker's types."""
    name = f"{writable.address}/x"
    load(rootless, name, busybox_layer(static_busybox()))
    rootless("push", "--compression-format", form, "--compression-level", "3", name)
    suffix = {"gzip": "+gzip", "zstd": "+zstd", "uncompressed": ""}[form]
    media_type = writable.document("x")["layers"][0]["mediaType"]
    assert media_type == "application/vnd.oci.image.layer.v1.tar" + suffix
    ran = podman.output("--pull=always", "--tls-verify=false", "--network=none", name, "echo", "read")
    assert ran.endswith("read\n")
    if form == "zstd":
        refused = rootless("push", "--compression-format", form, "--format", "v2s2", name, status=1)
        assert "zstd need OCI's media types" in refused.stderr
    # Without the option the image goes up as it is, whatever was made of it before.
    rootless("push", name)
    assert writable.document("x")["layers"][0]["mediaType"].endswith("+gzip")


def test_all_tags(rootless: Rootless, writable: WritableRegistry) -> None:
    name = f"{writable.address}/x"
    load(rootless, f"{name}:1", tar_of({"a": b"1"}))
    rootless("tag", f"{name}:1", f"{name}:one")
    load(rootless, f"{name}:2", tar_of({"a": b"2"}))
    pushed = rootless("push", "--all-tags", name)
    assert re.findall(r"^(\S+): digest", pushed.stdout, re.M) == ["1", "2", "one"]
    assert {"1", "2", "one"} <= set(writable.manifests["x"])
    assert "tag can't be used with --all-tags/-a" in rootless("push", "-a", f"{name}:1", status=1).stderr
    assert "does not exist locally" in rootless("push", "-a", f"{name}y", status=1).stderr


def test_words_that_mean_no_image(rootless: Rootless, writable: WritableRegistry) -> None:
    missing = rootless("push", f"{writable.address}/nope:3", status=1)
    assert f"An image does not exist locally with the tag: {writable.address}/nope" in missing.stderr
    digest = rootless("push", f"{writable.address}/nope@{digest_of(b'')}", status=1)
    assert "cannot push a digest reference" in digest.stderr
    assert "only to a registry" in rootless("push", "x", "oci:/tmp/x", status=1).stderr
    assert not writable.seen


def test_destination_digestfile_and_platform(rootless: Rootless, writable: WritableRegistry, tmp_path: Path) -> None:
    load(rootless, "local:1", tar_of({"a": b"1"}))
    rootless("push", "--digestfile", tmp_path / "digest", "local:1", f"docker://{writable.address}/x:7")
    assert (tmp_path / "digest").read_text() == digest_of(writable.manifests["x"]["7"][1])
    wrong = rootless("push", "--platform", "linux/s390x", "local:1", f"{writable.address}/x:8", status=1)
    assert "does not provide the specified platform" in wrong.stderr


def test_many_layers_at_once(rootless: Rootless, writable: WritableRegistry) -> None:
    """Four at a time, the manifest last."""
    barrier = threading.Barrier(4)
    left = [4]

    def meet(handler: Handler) -> bool:
        if handler.command == "POST" and left[0]:
            left[0] -= 1
            barrier.wait(timeout=30)  # broken, and the push with it, unless four come at once
        return False

    writable.before = meet
    layers = [tar_of({"a": str(number).encode()}) for number in range(7)]
    load(rootless, f"{writable.address}/x", *layers)
    rootless("push", f"{writable.address}/x")
    assert len(writable.document("x")["layers"]) == 7
    assert writable.seen[-1].path.endswith("/manifests/latest")


def test_a_layer_that_is_there_twice_goes_up_once(rootless: Rootless, writable: WritableRegistry) -> None:
    layer = tar_of({"a": b"1"})
    load(rootless, f"{writable.address}/x", layer, tar_of({"b": b"2"}), layer)
    rootless("push", f"{writable.address}/x")
    digests = [entry["digest"] for entry in writable.document("x")["layers"]]
    assert digests[0] == digests[2]
    assert len(writable.blobs["x"]) == 3


def test_killed_in_the_middle(rootless: Rootless, writable: WritableRegistry) -> None:
    """Nothing of the image is seen; what was sent is found by the next push."""
    stopped = threading.Event()
    first, second = tar_of({"a": b"1"}), tar_of({"b": os.urandom(100_000)})
    name = f"{writable.address}/x"
    load(rootless, name, first, second)
    writable.before = lambda handler: bool(handler.command == "PUT" and handler.length > 50_000 and _stop(handler, stopped))
    with subprocess.Popen(
        [*rootless.argv, "push", name], env=rootless.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        assert stopped.wait(30)
        running.send_signal(signal.SIGKILL)
    assert not writable.manifests.get("x")
    writable.before = lambda _: False
    writable.seen.clear()
    rootless("push", name)
    assert len(writable.document("x")["layers"]) == 2


def _stop(handler: Handler, stopped: threading.Event) -> bool:
    stopped.set()
    handler.hang_up()
    return True


def test_a_registry_that_fails_in_the_middle(rootless: Rootless, writable: WritableRegistry) -> None:
    """The push fails with the registry's word, and no manifest is left there."""
    load(rootless, f"{writable.address}/x", tar_of({"a": b"1"}), tar_of({"b": b"2"}))

    def refuse(handler: Handler) -> bool:
        if handler.command == "PUT":
            handler.discard()
            handler.refuse(403, "DENIED")
        return handler.command == "PUT"

    writable.before = refuse
    failed = rootless("push", f"{writable.address}/x", status=1)
    assert "denied: denied" in failed.stderr
    assert "rootless login" in failed.stderr
    assert not writable.manifests.get("x")


def test_a_registry_that_knows_no_oci(rootless: Rootless, writable: WritableRegistry) -> None:
    writable.knows_oci = False
    load(rootless, f"{writable.address}/x", tar_of({"a": b"1"}))
    assert "takes no OCI manifest" in rootless("push", f"{writable.address}/x").stderr
    assert writable.document("x")["mediaType"] == DOCKER_MANIFEST
    assert "manifest invalid" in rootless("push", "--format", "oci", f"{writable.address}/x", status=1).stderr


def test_docker_registry_skopeo_and_podman(
    rootless: Rootless, registry: Registry, podman: Podman, busybox_archive: Path, tmp_path: Path
) -> None:
    rootless("load", "-i", busybox_archive)
    name = f"{registry.address}/{tmp_path.name}/bb:1"
    digest = rootless("push", "busybox", name).stdout.split("digest: ")[1].split()[0]
    shown = podman.tool("skopeo", "inspect", "--tls-verify=false", f"docker://{name}")
    assert json.loads(shown)["Digest"] == digest
    podman.tool("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/layout:x")
    ran = podman.output("--tls-verify=false", "--network=none", name, "echo", "run by podman")
    assert ran.endswith("run by podman\n")
    rootless("rmi", "busybox")
    rootless("pull", name)
    assert rootless("run", "--rm", name, "echo", "back").stdout == "back\n"
