"""What SOURCE_DATE_EPOCH means for a push: the bytes that every host would send."""

from __future__ import annotations

import gzip
from pathlib import Path

from rootless.image import compress
from tests.harness.command import Rootless
from tests.harness.writable_registry import WritableRegistry
from tests.need import need

EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


def portable(data: bytes) -> bytes:
    out: list[bytes] = []
    packer = compress.compressor("gzip", out.append, portable=True)
    packer.write(data)
    packer.finish()
    return b"".join(out)


def build(rootless: Rootless, directory: Path, *options: str) -> None:
    (directory / "words").write_bytes(b"".join(b"%d the same words\n" % (number * number) for number in range(100_000)))
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY words /\n")
    rootless("build", "-q", *options, directory)


def pushed(server: WritableRegistry, repository: str) -> bytes:
    return server.blobs[repository][server.document(repository)["layers"][0]["digest"]]


def test_a_push_under_source_date_epoch_packs_by_zlib_alone(rootless: Rootless, tmp_path: Path) -> None:
    """Also where the layer was packed otherwise before, and the registry has that."""
    need(compress.is_portable("gzip"), "Python's zlib is another")
    with WritableRegistry() as server:
        build(rootless, tmp_path, "-t", f"{server.address}/x")
        rootless("push", f"{server.address}/x")
        quick = pushed(server, "x")
        said = rootless("push", f"{server.address}/x", env=EPOCH).stderr
        assert "another digest" not in said
        assert pushed(server, "x") == portable(gzip.decompress(quick)) != quick
        # --push of a build for an epoch is the same.
        build(rootless, tmp_path, "--source-date-epoch", EPOCH["SOURCE_DATE_EPOCH"], "--push", "-t", f"{server.address}/y")
        assert pushed(server, "y") == portable(gzip.decompress(pushed(server, "y")))


def test_what_cannot_be_promised_is_told(rootless: Rootless, tmp_path: Path) -> None:
    with WritableRegistry() as server:
        build(rootless, tmp_path, "-t", f"{server.address}/x")
        said = rootless("push", "--compression-format", "zstd", f"{server.address}/x", env=EPOCH).stderr
        assert "this host's zstd may give another digest" in said
