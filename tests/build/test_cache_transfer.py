"""--cache-to and --cache-from: what one machine did, another does not do again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.build.test_build import steps
from tests.harness.command import Result, Rootless
from tests.harness.podman import Podman
from tests.harness.registry import Registry

pytestmark = pytest.mark.own_store

TEXT = (
    "FROM busybox AS made\nCOPY a.txt /src/\nRUN cat /src/a.txt > /result; date +%N > /when\n"
    "FROM busybox\nRUN date +%N > /stamp\nCOPY --from=made /result /\nRUN cat /result > /end\nLABEL a=b\n"
)
DONE = ["COPY a.txt /src/", "RUN cat /src/a.txt > /result; date +%N > /when", "RUN date +%N > /stamp"]
LAST = ["COPY --from=made /result /", "RUN cat /result > /end"]

On = Callable[..., Result]


@pytest.fixture
def on(busybox_image: str, context: Path) -> On:
    """on(machine, "-t", "x", text=...): a build there."""
    (context / "a.txt").write_text("a\n")

    def run(machine: Rootless, *args: str, text: str = TEXT, status: int | None = 0, **options: Any) -> Result:
        (context / "Dockerfile").write_text(text)
        words = ["build", "--progress=plain", "--tls-verify=false", *args, str(context)]
        return machine(*words, status=status, **options)

    return run


def done(result: Result) -> list[str]:
    return [step for step, how in steps(result.stderr).items() if how == "DONE" and not step.startswith("FROM")]


def identity(machine: Rootless, name: str) -> str:
    return str(json.loads(machine("image", "inspect", name).stdout)[0]["Id"])


def layers_fetched(result: Result) -> int:
    return len(set(re.findall(r" importing layer (sha256:\w+)", result.stderr)))


def manifest_of(layout: Path, tag: str = "latest") -> dict[str, Any]:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    entry = next(one for one in entries if one["annotations"]["org.opencontainers.image.ref.name"] == tag)
    found: dict[str, Any] = json.loads(blob(layout, entry["digest"]).read_text())
    return found


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def test_a_directory(on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = on(rootless, "-t", "app", "--cache-to", f"type=local,dest={cache},mode=max")
    assert sorted(done(first)) == sorted(DONE + LAST)
    assert "exporting cache to client directory" in first.stderr
    second = on(other_machine, "-t", "app", "--cache-from", f"type=local,src={cache}")
    assert done(second) == []
    assert identity(other_machine, "app") == identity(rootless, "app")
    assert other_machine("run", "--rm", "app", "cat", "/end").stdout == "a\n"
    # The first stage's layers were not needed: their digests came along.
    assert layers_fetched(second) == 3
    third = on(other_machine, "-t", "app", "--cache-from", f"type=local,src={cache}")
    assert (done(third), layers_fetched(third)) == ([], 0)


def test_an_image_of_imported_layers_goes_on(
    on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path, registry: Registry
) -> None:
    """Also where the archives that the layers came in are not kept any more."""
    word = f"type=local,src={tmp_path}/c"
    on(rootless, "-t", "app", "--cache-to", f"type=local,dest={tmp_path}/c,mode=max")
    on(other_machine, "--cache-from", word, "-o", f"type=local,dest={tmp_path}/out")
    other_machine("image", "prune", "-f")
    name = f"{registry.address}/imported:1"
    built = on(other_machine, "-t", name, "--cache-from", word)
    assert (done(built), layers_fetched(built)) == ([], 0)
    other_machine("save", "-o", tmp_path / "app.tar", name)
    other_machine("push", "--tls-verify=false", name)
    rootless("pull", "--tls-verify=false", name)
    assert identity(rootless, name) == identity(rootless, "app")


def test_what_stands_on_an_imported_layer(on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path) -> None:
    on(rootless, "--cache-to", f"type=local,dest={tmp_path}/c,mode=max")
    more = TEXT.replace("/when\n", "/when\nRUN cat /when /result > /more\n").replace("/result /\n", "/more /result /\n")
    built = on(other_machine, "-t", "app", "--cache-from", f"type=local,src={tmp_path}/c", text=more)
    assert done(built)[0] == "RUN cat /when /result > /more"
    assert not set(DONE) & set(done(built))
    assert other_machine("run", "--rm", "app", "cat", "/end").stdout.endswith("a\n")


def test_what_is_imported_is_taken_only_where_it_is_asked_for(
    on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path
) -> None:
    on(rootless, "--cache-to", f"type=local,dest={tmp_path}/c,mode=max")
    on(other_machine, "--cache-from", f"type=local,src={tmp_path}/c")
    assert "RUN date +%N > /stamp" in done(on(other_machine))


@pytest.mark.parametrize("attributes", ["", ",mode=max,oci-mediatypes=false", ",mode=max,compression=zstd,compression-level=3"])
def test_a_registry(
    on: On, rootless: Rootless, other_machine: Rootless, registry: Registry, attributes: str, podman: Podman
) -> None:
    ref = f"{registry.address}/cache{len(attributes)}:x"
    first = on(rootless, "-t", "app", "--cache-to", f"type=registry,ref={ref}{attributes}")
    assert "exporting cache to registry" in first.stderr
    second = on(other_machine, "-t", "app", "--cache-from", ref)
    assert done(second) == []
    assert identity(other_machine, "app") == identity(rootless, "app")
    raw = json.loads(podman.tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{ref}"))
    assert len(raw["layers"]) == (5 if "max" in attributes else 3)
    if "zstd" in attributes:
        assert all(layer["mediaType"].endswith("zstd") for layer in raw["layers"])
    # What was never fetched goes on by its digest.
    again = on(other_machine, "--cache-from", ref, "--cache-to", f"{ref}2{attributes}".replace("127", "type=registry,ref=127", 1))
    assert done(again) == []
    raw2 = json.loads(podman.tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{ref}2"))
    assert {layer["digest"] for layer in raw2["layers"]} == {layer["digest"] for layer in raw["layers"]}


def test_a_stage_whose_layers_did_not_come_along_is_done_again_where_it_is_needed(
    on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path
) -> None:
    on(rootless, "--cache-to", f"type=local,dest={tmp_path}/c")
    assert len(manifest_of(tmp_path / "c")["layers"]) == 3
    more = TEXT.replace("/when\n", "/when\nRUN cp /when /result\n")
    built = on(other_machine, "--cache-from", f"type=local,src={tmp_path}/c", text=more)
    assert set(DONE[:2]) <= set(done(built))
    assert DONE[2] not in done(built)
    assert "not used" not in built.stderr


def test_inside_the_image(on: On, rootless: Rootless, other_machine: Rootless, registry: Registry) -> None:
    name = f"{registry.address}/inline:1"
    on(rootless, "-t", name, "--build-arg", "BUILDKIT_INLINE_CACHE=1", "--push")
    assert done(on(other_machine, "-t", name, "--cache-from", name, "--cache-to", "type=inline")) == []
    assert identity(other_machine, name) == identity(rootless, name)
    on(rootless, "-t", f"{name}-without", "--push")
    without = on(other_machine, "--no-cache", "--cache-from", f"{name}-without", status=None)
    assert (without.status, "the image carries no cache" in without.stderr) == (0, True)


def test_tags_and_orphans_of_a_directory(on: On, rootless: Rootless, tmp_path: Path, context: Path) -> None:
    cache = tmp_path / "c"
    on(rootless, "--cache-to", f"type=local,dest={cache},tag=one,mode=max")
    before = set((cache / "blobs/sha256").iterdir())
    (context / "a.txt").write_text("b\n")
    on(rootless, "--no-cache", "--cache-to", f"type=local,dest={cache},tag=two")
    assert manifest_of(cache, "one") != manifest_of(cache, "two")
    assert before < set((cache / "blobs/sha256").iterdir())
    on(rootless, "--cache-to", f"type=local,dest={cache},tag=two,reset=true")
    assert len(list((cache / "blobs/sha256").iterdir())) == len(manifest_of(cache, "two")["layers"]) + 2


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_what_is_damaged_is_a_miss(on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path) -> None:
    cache = tmp_path / "c"
    on(rootless, "-t", "app", "--cache-to", f"type=local,dest={cache},mode=max")
    word = f"type=local,src={cache}"
    for layer in manifest_of(cache)["layers"]:
        _flip(blob(cache, layer["digest"]))
    built = on(other_machine, "-t", "app", "--cache-from", word, status=None)
    assert (built.status, "an imported layer is not used" in built.stderr) == (0, True)
    assert other_machine("run", "--rm", "app", "cat", "/end").stdout == "a\n"
    _flip(blob(cache, manifest_of(cache)["config"]["digest"]))
    built = on(other_machine, "--no-cache", "--cache-from", word, status=None)
    assert (built.status, f"--cache-from {cache} is not used" in built.stderr) == (0, True)
    digest = json.loads((cache / "index.json").read_text())["manifests"][0]["digest"]
    assert on(other_machine, "--cache-from", f"{word},digest={digest}", status=None).status != 0
    gone = on(other_machine, "--cache-from", f"type=local,src={tmp_path}/nowhere", status=None)
    assert (gone.status, "is not used" in gone.stderr) == (0, True)


def rewrite(layout: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the cache's document as its owner could."""
    index = json.loads((layout / "index.json").read_text())
    found = json.loads(blob(layout, index["manifests"][0]["digest"]).read_text())
    document = json.loads(blob(layout, found["config"]["digest"]).read_text())
    change(document)
    found["config"] |= _put(layout, document)
    index["manifests"][0] |= _put(layout, found)
    (layout / "index.json").write_text(json.dumps(index))


def _put(layout: Path, value: object) -> dict[str, Any]:
    data = json.dumps(value).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    blob(layout, digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def _every(field: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for record in document["records"]:
            record[field] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _every("step", "step:../../../../etc"),
        _every("key", "../../x"),
        _every("diff_id", "sha256:zz"),
        _every("created", "yesterday"),
        lambda document: document.update(version=2),
        lambda document: document.update(records={}),
        lambda document: document.update(diff_ids=[]),
        lambda document: document["digests"].update({"../../x": "y"}),
    ],
)
def test_a_hostile_document_is_a_miss(
    on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    text = "FROM busybox\nRUN echo x > /x\n"
    on(rootless, "--cache-to", f"type=local,dest={tmp_path}/c", text=text)
    rewrite(tmp_path / "c", change)
    built = on(other_machine, "-t", "app", "--cache-from", f"type=local,src={tmp_path}/c", text=text, status=None)
    assert (built.status, "is not used" in built.stderr) == (0, True)
    assert done(built) == ["RUN echo x > /x"]


def test_an_entry_that_names_a_step_of_this_store_does_not_get_its_files(
    on: On, rootless: Rootless, other_machine: Rootless, tmp_path: Path
) -> None:
    """Nothing of this store gets into an image because a stranger's cache knows what it is called."""
    secret, text = "FROM busybox\nRUN echo secret > /x\n", "FROM busybox\nRUN echo x > /x\n"
    on(other_machine, "--cache-to", f"type=local,dest={tmp_path}/secret", text=secret)
    on(rootless, "--cache-to", f"type=local,dest={tmp_path}/c", text=text)
    config = json.loads(blob(tmp_path / "secret", manifest_of(tmp_path / "secret")["config"]["digest"]).read_text())
    rewrite(tmp_path / "c", _every("step", config["records"][0]["step"]))
    built = on(other_machine, "-t", "app", "--cache-from", f"type=local,src={tmp_path}/c", text=text)
    assert other_machine("run", "--rm", "app", "cat", "/x").stdout == "x\n"
    assert done(built) == ["RUN echo x > /x"]


def test_words(on: On, rootless: Rootless, tmp_path: Path) -> None:
    text = "FROM busybox\nLABEL a=b\n"
    for kind in ("gha", "s3", "azblob"):
        told = on(rootless, "--cache-from", f"type={kind},scope=x", "--cache-to", f"type={kind},mode=max", text=text)
        assert told.stderr.count("it has no effect") == 2
    for word, said in (
        ("type=local", "wants dest="),
        ("type=registry,mode=max", "wants ref="),
        ("type=tape", "unknown cache exporter"),
        ("type=local,dest=x,mode=most", "mode is min or max"),
        ("type=local,dest=x,compression=lzma", "unsupported compression"),
        ("type=local,dest=x,compression-level=10", "is no compression-level"),
    ):
        assert said in on(rootless, "--cache-to", word, text=text, status=None).stderr
    nowhere = "type=registry,ref=127.0.0.1:1/x"
    assert on(rootless, "--cache-to", nowhere, text=text, status=None).status == 1
    assert on(rootless, "--cache-to", f"{nowhere},ignore-error=true", text=text, status=None).status == 0
