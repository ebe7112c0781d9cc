"""Lists of several platforms under one name: here, and in registries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.images import busybox_layer, static_busybox
from tests.harness.podman import Podman
from tests.harness.writable_registry import WritableRegistry, digest_of
from tests.image.publishing import HOST, OTHER, architectures, empty_registry, publish
from tests.image.strange_registry import OCI_INDEX, OCI_MANIFEST

__all__ = ["empty_registry"]

@pytest.fixture
def two(rootless: Rootless, writable: WritableRegistry) -> tuple[str, str]:
    """Names of two images of the store, the second for another machine."""
    for architecture in (HOST, OTHER):
        layer = busybox_layer(static_busybox()) if architecture == HOST else b""
        publish(writable, f"base/{architecture}", architecture, layer=layer)
        rootless("pull", "--platform", f"linux/{architecture}", f"{writable.address}/base/{architecture}")
    return f"{writable.address}/base/{HOST}", f"{writable.address}/base/{OTHER}"


def shown(rootless: Rootless, name: str) -> dict[str, Any]:
    found = json.loads(rootless("manifest", "inspect", name).stdout)
    assert isinstance(found, dict)
    return found


def test_one_name_for_two_images(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    assert rootless("manifest", "create", "app:1", *two).stdout == "Created manifest list docker.io/library/app:1\n"
    assert architectures(shown(rootless, "app:1")) == [HOST, OTHER]
    assert rootless("run", "--rm", "app:1", "echo", "here").stdout == "here\n"
    inspected = json.loads(rootless("image", "inspect", "app:1").stdout)[0]
    assert inspected["Architecture"] == HOST
    assert "app:1" in inspected["RepoTags"]
    created = rootless("create", "--platform", f"linux/{OTHER}", "--pull", "never", "app:1").stdout.strip()
    assert json.loads(rootless("inspect", created).stdout)[0]["Image"] == image_id(rootless, two[1])
    rootless("rm", created)
    assert rootless("images", "--format", "{{.Repository}}:{{.Tag}}", "app").lines == ["app:1"]
    missing = rootless("create", "--platform", "linux/ppc64le", "--pull", "never", "app:1", status=125)
    assert "does not provide the specified platform" in missing.stderr


def image_id(rootless: Rootless, name: str) -> str:
    return str(json.loads(rootless("image", "inspect", name).stdout)[0]["Id"])


def test_its_images_are_kept_and_go_with_it(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    rootless("manifest", "create", "app:1", *two)
    other = image_id(rootless, two[1])
    rootless("rmi", *two)
    rootless("image", "prune", "-f")
    assert rootless("images", "-q", "-f", "dangling=true").stdout == ""
    assert rootless("run", "--rm", "app:1", "echo", "here").stdout == "here\n"
    rootless("tag", "app:1", f"{writable.address}/app:2")
    rootless("rmi", "app:1")
    rootless("push", f"{writable.address}/app:2")
    assert architectures(writable.document("app", "2")) == [HOST, OTHER]
    removed = rootless("rmi", f"{writable.address}/app:2").stdout
    assert f"Deleted: {other}" in removed
    assert rootless("images", "-aq").stdout == ""
    assert not list((rootless.root / "images/indexes").iterdir())
    assert not list((rootless.root / "blobs/sha256").iterdir())


def test_pushed_with_all_its_images(
    rootless: Rootless, writable: WritableRegistry, two: tuple[str, str], podman: Podman, tmp_path: Path
) -> None:
    rootless("manifest", "create", "app:1", *two)
    told = rootless("push", "--digestfile", tmp_path / "digest", "app:1", f"{writable.address}/app:1").stdout
    document = writable.document("app", "1")
    assert architectures(document) == [HOST, OTHER]
    assert document["mediaType"] == OCI_INDEX
    assert f"1: digest: {(tmp_path / 'digest').read_text()} size: " in told
    assert writable.seen[-1].path.endswith("/manifests/1")  # the index last
    ran = podman.output("--tls-verify=false", "--network=none", f"{writable.address}/app:1", "echo", "podman")
    assert ran.endswith("podman\n")
    # What is here and what is there are the same, byte for byte; so another push has nothing to do.
    assert digest_of(writable.manifests["app"]["1"][1]) == (tmp_path / "digest").read_text()
    rootless("push", "--platform", f"linux/{OTHER}", "app:1", f"{writable.address}/single:1")
    assert "manifests" not in writable.document("single", "1")


def test_a_mixture_becomes_ocis(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    """Quay takes no index that mixes Docker's types with OCI's."""
    rootless("push", "--format", "v2s2", two[0], f"{writable.address}/docker:1")
    rootless("manifest", "create", "docker:1", f"docker://{writable.address}/docker:1")
    rootless("push", "docker:1", f"{writable.address}/pure:1")
    assert "manifest.list.v2" in writable.document("pure", "1")["mediaType"]
    rootless("rmi", two[0])
    rootless("pull", f"{writable.address}/docker:1")
    rootless("manifest", "create", "mixed:1", f"{writable.address}/docker:1", two[1])
    rootless("manifest", "push", "mixed:1", f"{writable.address}/mixed:1")
    types = {entry["mediaType"] for entry in writable.document("mixed", "1")["manifests"]}
    assert types == {OCI_MANIFEST}


def test_entries_that_only_a_registry_has(rootless: Rootless, writable: WritableRegistry) -> None:
    first = publish(writable, "a", HOST)
    with WritableRegistry() as elsewhere:
        second = publish(elsewhere, "b", OTHER)
        name = f"{writable.address}/list:1"
        rootless("manifest", "create", name)
        assert rootless("manifest", "add", name, f"docker://{writable.address}/a").stdout == first + "\n"
        rootless("manifest", "add", "--annotation", "k=v", name, f"{elsewhere.address}/b")
        assert rootless("images", "-aq").stdout == ""  # nothing was pulled
        missing = rootless("run", "--pull", "never", name, status=125)
        assert "no image for this machine" in missing.stderr
        assert rootless("manifest", "push", name).stdout.strip() == digest_of(writable.manifests["list"]["1"][1])
    assert {first, second} <= set(writable.manifests["list"])
    assert writable.document("list", "1")["manifests"][1]["annotations"] == {"k": "v"}
    assert [seen.method for seen in writable.seen if "mount=" in seen.path] == ["POST", "POST"]  # what was its own
    assert len(writable.blobs["list"]) == 4


def test_lists_are_changed(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    rootless("manifest", "create", "--annotation", "of=list", "app:1", two[0])
    first = shown(rootless, "app:1")["manifests"][0]["digest"]
    taken = rootless("manifest", "create", "app:1", two[1], status=1)
    assert "refusing to amend" in taken.stderr
    rootless("manifest", "create", "--amend", "app:1", two[1])
    rootless(
        "manifest", "annotate", "--arch", "arm", "--variant", "v7", "--os", "linux", "--os-version", "1",
        "--os-features", "x,y", "--annotation", "a=b", "app:1", two[1],
    )  # fmt: skip
    rootless("manifest", "annotate", "--index", "--annotation", "more=1", "app:1")
    document = shown(rootless, "app:1")
    assert document["annotations"] == {"of": "list", "more": "1"}
    assert document["manifests"][1]["annotations"] == {"a": "b"}
    assert document["manifests"][1]["platform"] == {
        "architecture": "arm", "os": "linux", "variant": "v7", "os.version": "1", "os.features": ["x", "y"],
    }  # fmt: skip
    rootless("manifest", "remove", "app:1", first)
    assert architectures(shown(rootless, "app:1")) == ["arm"]
    rootless("manifest", "exists", "app:1")
    rootless("manifest", "rm", "app:1")
    rootless("manifest", "exists", "app:1", status=1)
    assert "No such manifest: app:1" in rootless("manifest", "rm", "app:1", status=1).stderr
    assert "already" in rootless("manifest", "create", two[0], status=1).stderr
    assert "has no manifest" in rootless_remove(rootless, two)


def rootless_remove(rootless: Rootless, two: tuple[str, str]) -> str:
    rootless("manifest", "create", "more:1", two[0])
    return rootless("manifest", "remove", "more:1", digest_of(b"?"), status=1).stderr


def test_its_images_are_not_taken_from_it(rootless: Rootless, two: tuple[str, str]) -> None:
    rootless("manifest", "create", "app:1", *two)
    rootless("rmi", two[1])
    other = shown(rootless, "app:1")["manifests"][1]
    refused = rootless("rmi", json_id(rootless, other["digest"]), status=1)
    assert "image is part of the list app:1" in refused.stderr
    rootless("image", "prune", "-af")
    assert rootless("images", "-aq").stdout == ""
    rootless("manifest", "exists", "app:1", status=1)


def json_id(rootless: Rootless, digest: str) -> str:
    """The id of the image whose manifest has this digest."""
    for path in (rootless.root / "images/by-id").iterdir():
        record = json.loads(path.read_text())
        if record["manifest"]["digest"] == digest:
            return str(record["id"])
    raise AssertionError(digest)


def test_purged_after_the_push(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    rootless("manifest", "create", "app:1", *two)
    rootless("manifest", "push", "--purge", "app:1", f"{writable.address}/app:1")
    rootless("manifest", "exists", "app:1", status=1)
    rootless("image", "inspect", two[1])


def test_inspect_of_what_a_registry_has(rootless: Rootless, writable: WritableRegistry) -> None:
    publish(writable, "a", HOST)
    assert shown(rootless, f"{writable.address}/a")["mediaType"] == OCI_MANIFEST


def test_a_layer_that_nobody_has_packed(rootless: Rootless, writable: WritableRegistry, two: tuple[str, str]) -> None:
    """A build's or a commit's: the index is written anew with what was pushed."""
    rootless("create", "--name", "made", "-l", "a=b", two[0])
    rootless("cp", "/etc/passwd", "made:/copied")
    rootless("commit", "made", "made:1")
    rootless("rm", "made")
    rootless("manifest", "create", "app:1", "made:1", two[1])
    rootless("push", "app:1", f"{writable.address}/app:1")
    entry = writable.document("app", "1")["manifests"][0]
    pushed = json.loads(writable.manifests["app"][entry["digest"]][1])
    assert all(layer["mediaType"].endswith("+gzip") for layer in pushed["layers"])
    assert entry["digest"] != shown(rootless, "app:1")["manifests"][0]["digest"]
