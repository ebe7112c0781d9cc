"""Images by name and id, what tagging and removing do, and what collecting takes."""

from __future__ import annotations

import io
import json
import os

import pytest

from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.storage import blobs, images, volumes
from rootless.storage.containers import containers
from rootless.storage.layers import layers
from rootless.storage.maintenance import gc, usage
from rootless.storage.store import Store
from tests.storage import tars
from tests.storage.joined import Joined
from tests.storage.tars import archive, file

NAME = "docker.io/library/debian:bookworm"


def put(
    store: Store, name: str, *, layer: bytes = b"", created: str = "2020-01-01T00:00:00Z"
) -> images.Image:
    """An image with one layer, as a pull leaves it. Runs in the session."""
    data = archive(file("f", layer))
    layers.unpack(store, tars.diff_id(data), io.BytesIO(data))
    layer_digest = blobs.add_bytes(store, b"compressed" + data)
    config = {"created": created, "rootfs": {"type": "layers", "diff_ids": [tars.diff_id(data)]}}
    config_digest = blobs.add_bytes(store, json.dumps(config).encode())
    manifest = {"config": {"digest": config_digest}, "layers": [{"digest": layer_digest}]}
    digest = blobs.add_bytes(store, json.dumps(manifest).encode())
    return images.add(store, name, {"digest": digest, "size": 1}, manifest, config)


def test_found_by_name_id_and_prefix(store: Store, joined: Joined) -> None:
    def run() -> None:
        with pytest.raises(NotFound, match="No such image"):
            images.find(store, NAME)
        assert images.list_images(store) == []
        image = put(store, NAME, layer=b"12345")
        assert image.names == (NAME,)
        assert image.size == 5
        for ref in (NAME, image.id, image.id[7:], image.id[7:19], image.id[:19]):
            assert images.find(store, ref) == image
        assert images.find(store, NAME, all_names=False).names == (NAME,)
        for ref in ("docker.io/library/debian:x", "", "g", "0" * 64, "../by-id/x", "sha256:"):
            with pytest.raises(NotFound):
                images.find(store, ref)

    joined(run)


def test_tags_move_and_images_dangle(store: Store, joined: Joined) -> None:
    def run() -> None:
        old = put(store, NAME, layer=b"old")
        images.tag(store, old.id, "localhost:5000/me/it:1")
        new = put(store, NAME, layer=b"new", created="2021-01-01T00:00:00Z")
        assert images.find(store, NAME).id == new.id
        assert images.find(store, old.id).names == ("localhost:5000/me/it:1",)
        assert [image.id for image in images.list_images(store)] == [new.id, old.id]
        images.untag(store, "localhost:5000/me/it:1")
        assert images.find(store, old.id).names == ()
        with pytest.raises(NotFound):
            images.untag(store, "localhost:5000/me/it:1")
        images.tag(store, new.id, "a.b/" + "c" * 300 + "/x:y")
        assert len(images.find(store, "a.b/" + "c" * 300 + "/x:y").names) == 2
        images.remove(store, new.id)
        assert images.list_images(store)[0].id == old.id
        with pytest.raises(NotFound):
            images.find(store, NAME)
        assert os.listdir(store.images + "/names") == []

    joined(run)


@pytest.mark.parametrize(
    "name", ["a/b:c", "100%2Fx/y:z", "%25:%2E", ".hidden/x:1", "x@sha256:" + "0" * 64, "a+/b:c"]
)
def test_names_are_quoted_and_back(store: Store, joined: Joined, name: str) -> None:
    def run() -> None:
        image = put(store, name)
        assert image.names == (name,)
        assert images.find(store, name).names == (name,)
        assert os.listdir(store.root + "/images/by-id") == [image.id[7:] + ".json"]

    joined(run)


def test_collecting_keeps_what_is_used(store: Store, joined: Joined) -> None:
    def run() -> None:
        used, idle, kept = (put(store, f"x/{n}:1", layer=n.encode()) for n in ("used", "idle", "kept"))
        identifier = containers.new_id()
        containers.create(
            store, identifier, "web", {"image_id": used.id, "diff_ids": list(used.diff_ids)}, durable=False
        )
        assert images.containers_using(store, used.id) == [identifier]
        assert images.containers_using(store, idle.id) == []
        assert gc.collect(store) == gc.Collected(0, 0, 0, False)
        images.remove(store, idle.id)
        images.remove(store, used.id)
        with store.lease():
            assert gc.collect(store).postponed
        done = gc.collect(store)
        assert (done.blobs, done.layers, done.postponed) == (6, 1, False)
        assert done.freed_bytes > 0
        assert layers.has(store, used.diff_ids[0])
        assert not layers.has(store, idle.diff_ids[0])
        containers.remove(store, identifier)
        assert gc.collect(store).layers == 1
        assert layers.list_layers(store) == list(kept.diff_ids)
        assert len(list(blobs.digests(store))) == 3

    joined(run)


def test_collecting_spares_a_download_under_way(store: Store) -> None:
    digest = "sha256:" + "a" * 64
    with blobs.writer(store, digest, 10) as out:
        out.write(b"12345")
        assert gc.collect(store).freed_bytes == 0
    assert gc.collect(store).freed_bytes == 5


def test_volumes(store: Store, joined: Joined) -> None:
    made, new = volumes.ensure(store, "data", labels={"a": "b"})
    assert new
    assert volumes.ensure(store, "data") == (made, False)
    assert volumes.find(store, "data") == made
    assert (made.name, made.labels, made.anonymous) == ("data", {"a": "b"}, False)
    assert made.path == f"{store.root}/volumes/data/_data"
    with pytest.raises(Conflict):
        volumes.create(store, "data")
    anonymous = volumes.create(store, anonymous=True)
    assert len(anonymous.name) == 64
    for bad in ("", "a", "../x", "a/b", ".x"):
        with pytest.raises(InvalidInput):
            volumes.create(store, bad)
    with pytest.raises(NotFound, match="get other: no such volume"):
        volumes.remove(store, "other")
    volumes.remove(store, "other", missing_ok=True)
    joined(lambda: os.close(os.open(made.path + "/f", os.O_CREAT)))
    joined(lambda: os.chown(made.path + "/f", 77, 77))
    assert [volume.name for volume in volumes.list_volumes(store)] == sorted(["data", anonymous.name])
    assert joined(lambda: volumes.prune(store, used={"data"})) == [anonymous.name]
    joined(lambda: volumes.remove(store, "data"))
    assert os.listdir(store.volumes) == []


def test_disk_usage(store: Store, joined: Joined) -> None:
    def run() -> None:
        image = put(store, NAME, layer=b"x" * 100)
        containers.create(
            store, "a" * 64, "web", {"image_id": image.id, "diff_ids": list(image.diff_ids)}, durable=False
        )
        os.mkdir(containers.directory(store, "a" * 64) + "/upper")
        with open(containers.directory(store, "a" * 64) + "/upper/f", "w") as out:
            out.write("x" * 50)
        volumes.create(store, "data")
        found = usage.disk_usage(store)
        assert found["images"] == usage.DiskUsage(1, 1, 100, 0)
        assert found["containers"] == usage.DiskUsage(1, 0, 50, 50)
        assert found["volumes"] == usage.DiskUsage(1, 0, 0, 0)

    joined(run)


@pytest.mark.parametrize(
    "name",
    [
        f"{'r' * 60}.{'r' * 60}.{'r' * 60}:5000/{'a/' * 127}b:{'t' * 128}",
        f"localhost:5000/{'a' * (200 - 15)}.b/c.d:v1.",
        "docker.io/library/" + "x" * (200 - 18 + 254) + ".y:1",
    ],
)
def test_the_longest_names(store: Store, joined: Joined, name: str) -> None:
    def run() -> None:
        image = put(store, NAME)
        images.tag(store, image.id, name)
        assert images.find(store, name).names == tuple(sorted((NAME, name)))
        images.untag(store, name)
        assert images.find(store, NAME).names == (NAME,)
        assert len(os.listdir(store.root + "/images/names")) == 1

    joined(run)
