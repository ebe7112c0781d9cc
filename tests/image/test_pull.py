"""`pull` end to end: layers fetched, verified, unpacked; broken off, resumed, lied to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.image.strange_registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Handler,
    StrangeRegistry,
    digest_of,
    tar_of,
)

BIG = os.urandom(8 << 20)


@pytest.fixture
def strange() -> Iterator[StrangeRegistry]:
    with StrangeRegistry() as server:
        yield server


def nothing_visible(rootless: Rootless) -> None:
    """No image, no layer, nothing half-made."""
    assert rootless("images", "-q").stdout == ""
    layers = rootless.root / "layers"
    assert not layers.exists() or not [name for name in os.listdir(layers) if not name.startswith(".lock")]


def fs(rootless: Rootless, layer: bytes) -> Path:
    return rootless.root / "layers" / digest_of(layer)[7:] / "fs"


def test_pull_and_pull_again(rootless: Rootless, strange: StrangeRegistry) -> None:
    layers = [tar_of({"a": b"1"}), tar_of({"b": b"2"})]
    strange.add_image(layers)
    rootless("pull", f"{strange.address}/x")
    assert (fs(rootless, layers[0]) / "a").read_bytes() == b"1"
    fetched = strange.count("/blobs/")
    assert fetched == 3
    rootless("pull", f"{strange.address}/x")
    assert strange.count("/blobs/") == fetched + 1  # the configuration; no layer
    # Another image with one layer of the first and a new one.
    strange.add_image([layers[0], tar_of({"c": b"3"})], tag="other")
    rootless("pull", f"{strange.address}/x:other")
    assert strange.count("/blobs/") == fetched + 3


def test_platforms(rootless: Rootless, strange: StrangeRegistry) -> None:
    entries = []
    for architecture in ("arm64", "amd64"):
        layer = tar_of({"arch": architecture.encode()})
        strange.add_image([layer], tag=architecture, architecture=architecture)
        _, data = strange.manifests[architecture]
        entries.append(
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest_of(data),
                "size": len(data),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    strange.add_manifest(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, media_type=OCI_INDEX
    )
    rootless("pull", "--platform", "linux/arm64", f"{strange.address}/x")
    assert fs(rootless, tar_of({"arch": b"arm64"})).exists()
    assert not fs(rootless, tar_of({"arch": b"amd64"})).exists()
    refused = rootless("pull", "--platform", "linux/s390x", f"{strange.address}/x", status=None)
    assert refused.status != 0
    assert "no matching manifest for linux/s390x" in refused.stderr


def test_a_list_that_is_pinned(rootless: Rootless, strange: StrangeRegistry, tmp_path: Path) -> None:
    """Whoever finds a published image by its list's digest has the list's own document to prove it, which goes with the image."""
    architecture = "amd64" if os.uname().machine == "x86_64" else "arm64"
    strange.add_image([tar_of({"a": b"1"})], tag="one", architecture=architecture)
    data = strange.manifests["one"][1]
    platform = {"os": "linux", "architecture": architecture}
    entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(data), "size": len(data), "platform": platform}
    strange.add_manifest({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}, media_type=OCI_INDEX)
    pin = digest_of(strange.manifests["latest"][1])
    name = f"{strange.address}/x"
    rootless("pull", name)
    rootless("image", "prune", "-f")
    rootless("image", "publish", tmp_path / "store", name)
    reader = {"ROOTLESS_ROOT": str(tmp_path / "reader"), "ROOTLESS_STORES": str(tmp_path / "store")}
    identifier = rootless("image", "inspect", "-f", "{{.Id}}", f"{name}@{pin}").stdout
    assert rootless("image", "inspect", "-f", "{{.Id}}", f"{name}@{pin}", env=reader).stdout == identifier
    # A list of other images proves nothing, whatever the store says.
    document = next((tmp_path / "store/images/names").rglob("*latest*"))
    false = b'{"schemaVersion":2,"manifests":[]}'
    (tmp_path / "store/blobs/sha256" / digest_of(false)[7:]).write_bytes(false)
    document.write_text(json.dumps({**json.loads(document.read_text()), "indexes": [digest_of(false)]}))
    assert "No such image" in rootless("image", "inspect", f"{name}@{digest_of(false)}", env=reader, status=1).stderr
    rootless("rmi", name)
    assert not list((rootless.root / "blobs/sha256").iterdir())


def test_a_broken_connection_is_resumed_at_once(rootless: Rootless, strange: StrangeRegistry) -> None:
    layer = tar_of({"big": BIG})
    manifest = strange.add_image([layer])
    digest = manifest["layers"][0]["digest"]
    cut = [False]

    def cut_once(handler: Handler) -> bool:
        if handler.path.endswith(digest) and not cut[0]:
            cut[0] = True
            handler.cut(strange.blobs[digest], 5 << 20)
            return True
        return False

    strange.before = cut_once
    rootless("pull", f"{strange.address}/x")
    assert (fs(rootless, layer) / "big").read_bytes() == BIG
    ranges = [headers.get("Range") for _, path, headers in strange.requests if path.endswith(digest)]
    assert ranges == [None, f"bytes={5 << 20}-"]


def test_a_wrong_layer_is_named_and_not_kept(rootless: Rootless, strange: StrangeRegistry) -> None:
    layer = tar_of({"a": b"1"})
    digest = strange.add_image([layer])["layers"][0]["digest"]
    right = strange.blobs[digest]
    strange.blobs[digest] = right[:-1] + bytes([right[-1] ^ 1])
    refused = rootless("pull", f"{strange.address}/x", status=None)
    assert refused.status != 0
    assert digest[7:19] in refused.stderr
    nothing_visible(rootless)
    assert not (rootless.root / "blobs/sha256" / digest[7:]).exists()
    strange.blobs[digest] = right
    rootless("pull", f"{strange.address}/x")


def test_a_lying_diff_id_is_named_and_not_kept(rootless: Rootless, strange: StrangeRegistry) -> None:
    wrong = "sha256:" + "5" * 64
    strange.add_image([tar_of({"a": b"1"})], rootfs={"type": "layers", "diff_ids": [wrong]})
    refused = rootless("pull", f"{strange.address}/x", status=None)
    assert refused.status != 0
    assert wrong in refused.stderr
    nothing_visible(rootless)


def test_a_truncated_layer_is_named(rootless: Rootless, strange: StrangeRegistry) -> None:
    digest = strange.add_image([tar_of({"a": BIG})])["layers"][0]["digest"]
    short = strange.blobs[digest][:1000]

    def shorten(handler: Handler) -> bool:
        if handler.path.endswith(digest):
            # Always the same thousand bytes, whatever range is asked for.
            handler.reply(200, short)
            return True
        return False

    strange.before = shorten
    refused = rootless("pull", f"{strange.address}/x", status=None, timeout=60)
    assert refused.status != 0
    assert digest[7:19] in refused.stderr
    assert "truncated" in refused.stderr
    nothing_visible(rootless)


def test_a_layer_longer_than_announced(rootless: Rootless, strange: StrangeRegistry) -> None:
    digest = strange.add_image([tar_of({"a": b"1"})])["layers"][0]["digest"]
    strange.blobs[digest] += b"more"
    refused = rootless("pull", f"{strange.address}/x", status=None)
    assert refused.status != 0
    assert "longer than" in refused.stderr
    nothing_visible(rootless)


@pytest.mark.parametrize("whom", ["parent", "interrupt"])
def test_killed_then_resumed(rootless: Rootless, strange: StrangeRegistry, whom: str) -> None:
    layer = tar_of({"big": BIG})
    digest = strange.add_image([layer])["layers"][0]["digest"]
    data = strange.blobs[digest]

    def stall(handler: Handler) -> bool:
        if not handler.path.endswith(digest):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: 4 << 20])
        handler.wfile.flush()
        time.sleep(60)
        return True

    strange.before = stall
    running = rootless.start("pull", f"{strange.address}/x", stderr=subprocess.DEVNULL)
    partial = rootless.root / "blobs/partial" / digest[7:]
    deadline = time.monotonic() + 60
    while not partial.exists() or partial.stat().st_size < 4 << 20:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL if whom == "parent" else signal.SIGINT)
    assert running.wait(60) != 0
    strange.before = lambda _: False
    strange.requests.clear()
    rootless("pull", f"{strange.address}/x")
    assert (fs(rootless, layer) / "big").read_bytes() == BIG
    ranges = [headers.get("Range") for _, path, headers in strange.requests if path.endswith(digest)]
    assert ranges == [f"bytes={4 << 20}-"]


def test_two_pulls_at_once(rootless: Rootless, strange: StrangeRegistry) -> None:
    layer = tar_of({"big": BIG})
    digest = strange.add_image([layer])["layers"][0]["digest"]
    pulls = [rootless.start("pull", f"{strange.address}/x") for _ in range(3)]
    for pull in pulls:
        _, stderr = pull.communicate(timeout=60)
        assert pull.returncode == 0, stderr
    assert strange.count(digest) == 1
    assert (fs(rootless, layer) / "big").read_bytes() == BIG


def test_a_bad_partial_download_is_thrown_away(rootless: Rootless, strange: StrangeRegistry) -> None:
    layer = tar_of({"big": BIG})
    digest = strange.add_image([layer])["layers"][0]["digest"]
    partial = rootless.root / "blobs/partial" / digest[7:]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"\x1f\x8b" + b"rubbish" * 1000)
    rootless("pull", f"{strange.address}/x")
    assert (fs(rootless, layer) / "big").read_bytes() == BIG


def test_mirrors_and_short_names(rootless: Rootless, strange: StrangeRegistry, tmp_path: Path) -> None:
    strange.add_image([tar_of({"a": b"1"})])
    conf = tmp_path / "registries.conf"
    env = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
    conf.write_text(
        'unqualified-search-registries = ["example.invalid"]\n'
        '[[registry]]\nprefix = "example.invalid"\nlocation = "127.0.0.1:1/gone"\n'
        f'[[registry.mirror]]\nlocation = "{strange.address}/mirror"\n'
        '[[registry]]\nprefix = "example.invalid/bad"\nblocked = true\n'
    )
    rootless("pull", "x/y", env=env)
    assert strange.requests[0][1] == "/v2/mirror/x/y/manifests/latest"
    assert "example.invalid/x/y" in rootless("images").stdout
    refused = rootless("pull", "example.invalid/bad/z", env=env, status=None)
    assert refused.status != 0
    assert "blocked" in refused.stderr
    conf.write_text("x = [")
    assert str(conf) in rootless("pull", "x/y", env=env, status=None).stderr


def test_a_docker_registry(rootless: Rootless, strange: StrangeRegistry, registry: object) -> None:
    """What skopeo pushes to a real registry, as Docker's schema 2 and as OCI, with zstd."""
    from tests.harness.registry import Registry
    from tests.need import need_program

    assert isinstance(registry, Registry)
    skopeo = need_program("skopeo")
    layer = tar_of({"a": BIG})
    strange.add_image([layer])
    for name, options in (("v2s2", ["--format", "v2s2"]), ("oci", ["--format", "oci"]),
                          ("zstd", ["--format", "oci", "--dest-compress-format", "zstd"])):  # fmt: skip
        subprocess.run(
            [skopeo, "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--insecure-policy",
             *options, f"docker://{strange.address}/x", f"docker://{registry.address}/{name}"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        rootless("pull", f"{registry.address}/{name}")
        assert (fs(rootless, layer) / "a").read_bytes() == BIG
        found = json.loads(rootless("inspect", f"{registry.address}/{name}").stdout)
        assert found[0]["Config"]["Cmd"] == ["sh"]
        rootless("rmi", f"{registry.address}/{name}")
