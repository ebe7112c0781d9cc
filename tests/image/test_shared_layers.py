"""One layer, compressed in two ways by two images: its one blob serves both, as long as either is there."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless
from tests.image.strange_registry import StrangeRegistry, digest_of, tar_of

pytestmark = pytest.mark.own_store
LAYER = tar_of({"etc/hello": b"hello\n" * 100})


@pytest.fixture
def strange() -> Iterator[StrangeRegistry]:
    with StrangeRegistry() as server:
        yield server


def pull_both(rootless: Rootless, strange: StrangeRegistry) -> tuple[str, str]:
    """The same contents as two images; only the first brings a blob of the layer."""
    names = []
    for tag, level in (("fast", 1), ("small", 9)):
        strange.add_image([LAYER], tag=tag, level=level, author=tag)
        names.append(f"{strange.address}/x:{tag}")
        rootless("pull", names[-1])
    assert len(list((rootless.root / "blobs/sha256").iterdir())) == 2 + 2 + 1
    return names[0], names[1]


def test_the_image_that_brought_it_goes(rootless: Rootless, strange: StrangeRegistry) -> None:
    first, second = pull_both(rootless, strange)
    saved = rootless("save", second).raw
    rootless("rmi", first)
    assert rootless("save", second).raw == saved
    # And what was saved is the same image anywhere.
    identity = rootless("images", "-q", "--no-trunc").stdout
    rootless("rmi", second)
    assert rootless("images", "-q").stdout == ""
    rootless("load", stdin=saved)
    assert rootless("images", "-q", "--no-trunc").stdout == identity


def test_a_blob_that_is_gone_is_told(rootless: Rootless, strange: StrangeRegistry) -> None:
    """Deleted by hand: what is unpacked runs on, but is not the archive's bytes any more."""
    _, second = pull_both(rootless, strange)
    packed = digest_of(gzip.compress(LAYER, 1, mtime=0))
    (rootless.root / "blobs/sha256" / packed[7:]).unlink()
    told = rootless("save", second, status=1).stderr
    assert "the compressed layer sha256:" in told
    assert "hint: remove the image, pull it again, then save it" in told
    container = rootless("create", "--network", "none", second, "x").stdout.strip()
    assert rootless("cp", f"{container}:/etc/hello", "-").raw.count(b"hello\n") == 100
    rootless("rm", container)
