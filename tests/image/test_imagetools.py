"""Indexes made in a registry of what registries have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.writable_registry import WritableRegistry, digest_of
from tests.image.publishing import HOST, OTHER, architectures, empty_registry, publish
from tests.image.strange_registry import OCI_INDEX, OCI_MANIFEST

__all__ = ["empty_registry"]


def test_imagetools(rootless: Rootless, writable: WritableRegistry, tmp_path: Path) -> None:
    first, second = publish(writable, "a", HOST), publish(writable, "b", OTHER)
    a, b, made = (f"{writable.address}/{name}" for name in ("a", "b", "made:1"))
    words = ("buildx", "imagetools", "create")
    dry = json.loads(rootless(*words, "--dry-run", a, b).stdout)
    assert architectures(dry) == [HOST, OTHER]
    assert "made" not in writable.manifests
    rootless(*words, "-t", made, "-t", f"{writable.address}/more:2", "--metadata-file", tmp_path / "told", a, b)
    assert architectures(writable.document("made", "1")) == [HOST, OTHER]
    assert writable.manifests["more"]["2"] == writable.manifests["made"]["1"]
    assert {first, second} <= set(writable.manifests["made"])
    digest = json.loads((tmp_path / "told").read_text())["containerimage.digest"]
    told = rootless("buildx", "imagetools", "inspect", made).stdout
    assert f"Digest:    {digest}\n" in told
    assert f"Platform:    linux/{OTHER}" in told
    inspect = ("buildx", "imagetools", "inspect", made)
    assert rootless(*inspect, "--format", "{{.Manifest.Digest}}").stdout == digest + "\n"
    assert rootless(*inspect, "--raw").raw == writable.manifests["made"]["1"][1]
    configurations = json.loads(rootless(*inspect, "--format", "{{json .Image}}").stdout)
    assert configurations[f"linux/{OTHER}"]["architecture"] == OTHER
    assert rootless("images", "-aq").stdout == ""


def test_imagetools_copies_appends_and_chooses(rootless: Rootless, writable: WritableRegistry, tmp_path: Path) -> None:
    publish(writable, "a", HOST)
    a, made = f"{writable.address}/a", f"{writable.address}/made:1"
    words = ("buildx", "imagetools", "create")
    rootless(*words, "--prefer-index=false", "-t", made, a)
    assert writable.manifests["made"]["1"] == writable.manifests["a"]["latest"]
    rootless(*words, "-t", made, a)  # one image, and an index all the same
    assert architectures(writable.document("made", "1")) == [HOST]
    (tmp_path / "names").write_text(f"{writable.address}/b\n")
    publish(writable, "b", OTHER)
    rootless(
        *words, "--append", "-t", made, "-f", tmp_path / "names", "--annotation", "index:k=v",
        "--annotation", f"manifest-descriptor[linux/{OTHER}]:only=there",
    )  # fmt: skip
    document = writable.document("made", "1")
    assert architectures(document) == [HOST, OTHER]
    assert document["annotations"] == {"k": "v"}
    assert [entry.get("annotations") for entry in document["manifests"]] == [None, {"only": "there"}]
    with WritableRegistry() as elsewhere:
        rootless(*words, "-t", f"{elsewhere.address}/copy:1", made)
        assert elsewhere.manifests["copy"]["1"] == writable.manifests["made"]["1"]
        rootless(*words, "--platform", f"linux/{OTHER}", "-t", f"{elsewhere.address}/one:1", made)
        assert architectures(elsewhere.document("one", "1")) == [OTHER]
    assert "no sources" in rootless(*words, "-t", made, status=1).stderr
    assert "no tag is given" in rootless(*words, a, status=1).stderr
    assert "invalid annotation" in rootless(*words, "--dry-run", "--annotation", "x", a, status=1).stderr


def test_what_is_no_image_is_copied_as_well(rootless: Rootless, writable: WritableRegistry) -> None:
    """BuildKit's attestations stand in an index as manifests whose layers are no tars."""
    digest = publish(writable, "a", HOST)
    statement = b'{"_type": "in-toto"}'
    writable.blobs["a"][digest_of(statement)] = statement
    attestation = json.loads(writable.manifests["a"][digest][1])
    attestation["layers"] = [
        {"mediaType": "application/vnd.in-toto+json", "digest": digest_of(statement), "size": len(statement)}
    ]
    data = json.dumps(attestation).encode()
    writable.manifests["a"][digest_of(data)] = (OCI_MANIFEST, data)
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": name, "size": len(writable.manifests["a"][name][1]), "platform": platform}
        for name, platform in (
            (digest, {"os": "linux", "architecture": HOST}),
            (digest_of(data), {"os": "unknown", "architecture": "unknown"}),
        )
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    writable.manifests["a"]["both"] = writable.manifests["a"][digest_of(index)] = (OCI_INDEX, index)
    rootless("buildx", "imagetools", "create", "-t", f"{writable.address}/copy:1", f"{writable.address}/a:both")
    assert digest_of(statement) in writable.blobs["copy"]
    assert writable.manifests["copy"]["1"] == (OCI_INDEX, index)


@pytest.mark.parametrize(
    "document",
    [
        [], 1, None, "x", {"manifests": 1}, {"manifests": [1]}, {"manifests": [[]]}, {"manifests": {}},
        {"manifests": [{"digest": 1, "platform": [], "annotations": 2}]},
        {"manifests": [{"digest": "sha256:" + "0" * 64, "size": 1, "mediaType": "x\x1b[31m", "platform": {"os": [1], "architecture": {}}}]},
        {"schemaVersion": 2, "manifests": [], "layers": []},
    ],
    ids=repr,
)  # fmt: skip
def test_documents_of_strangers(rootless: Rootless, writable: WritableRegistry, document: object) -> None:
    """An error or an answer, never a traceback, and no escape sequence."""
    data = json.dumps(document).encode()
    writable.manifests["a"] = {"latest": (OCI_INDEX, data)}
    name = f"{writable.address}/a"
    rootless("manifest", "create", "list:1")
    for words in (
        ("buildx", "imagetools", "inspect", name), ("buildx", "imagetools", "inspect", "--format", "{{json .Image}}", name),
        ("buildx", "imagetools", "create", "--dry-run", name, name), ("buildx", "imagetools", "create", "-t", f"{name}:2", name),
        ("manifest", "inspect", name), ("manifest", "add", "--all", "list:1", f"docker://{name}"),
    ):  # fmt: skip
        told = rootless(*words, status=None)
        assert told.status in (0, 1, 64)
        assert "defect" not in told.stderr
        assert "Traceback" not in told.stderr
        assert "\x1b" not in told.stdout + told.stderr
