"""--annotation: in the manifest of an image, in the index of several platforms, or an error; never dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootless.build.output.annotations import parse
from rootless.build.output.requested import Output
from rootless.build.output.requested import parse as parse_output
from rootless.errors import RootlessError
from tests.harness.command import Rootless


def test_words() -> None:
    words = ["a=1", "manifest[linux/arm64]:b=2", "index:c=3", "manifest,index:d=4", "io.x:y=5", "e="]
    found = parse(words, [Output("image", attributes={"annotation.f": "6", "annotation-index.g": "7"})], several=True)
    assert found.manifest("linux/amd64") == {"a": "1", "d": "4", "io.x:y": "5", "e": "", "f": "6"}
    assert found.manifest("linux/arm64") == {"a": "1", "b": "2", "d": "4", "io.x:y": "5", "e": "", "f": "6"}
    assert found.of_index == {"c": "3", "d": "4", "g": "7"}


@pytest.mark.parametrize("word", ["nothing", "=x", "manifest:=x", "index:a=b", "manifest-descriptor:a=b", "manifest[linux/amd64:a=b"])
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(RootlessError):
        parse([word], [], several=False)


@pytest.mark.parametrize(
    "word",
    ["type=image,fancy=1", "type=local,dest=x,mode=delete", "type=image,compression=estargz", "type=registry,push-by-digest=true"],
)
def test_attributes_that_nothing_would_come_of(word: str) -> None:
    with pytest.raises(RootlessError):
        parse_output(word)


@pytest.mark.own_store
def test_they_are_in_the_image(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox_image}\nLABEL x=y\n")
    rootless("build", "-q", "-t", "noted", "--annotation", "a=b", tmp_path)
    rootless("save", "-o", tmp_path / "oci", "--format", "oci-dir", "noted")
    index = json.loads((tmp_path / "oci/index.json").read_text())
    blobs = tmp_path / "oci/blobs/sha256"
    assert json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())["annotations"] == {"a": "b"}
    platform = ("--platform", "linux/amd64,linux/arm64")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL x=y\n")
    rootless("build", "-q", "-t", "both", *platform, "--annotation", "index:c=d", "--annotation", "manifest[linux/arm64]:e=f", tmp_path)
    document = json.loads(rootless("manifest", "inspect", "both").stdout)
    assert document["annotations"] == {"c": "d"}
    rootless("build", *platform, "-o", f"type=local,dest={tmp_path}/out", "--metadata-file", tmp_path / "meta", tmp_path)
    assert json.loads((tmp_path / "meta").read_text()) == {}
