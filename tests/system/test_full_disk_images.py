"""build, commit, save and push where the disk fills at any step: the error names the space, what is there stays good,
and the same command does its work once there is room again."""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.harness.writable_registry import WritableRegistry, digest_of
from tests.need import need

# As root of a user namespace with a mount and a pid namespace of its own: a small file system, and all processes gone
# at the end, whatever the test did. The context lies outside. `leave KIB` fills it but for so much.
BEGIN = """\
set -u
mount -t tmpfs -o size=40m,mode=700 small "$1"
export ROOTLESS_ROOT="$1/root" XDG_RUNTIME_DIR="$2" PATH="$4:$PATH" HOME="$5" ROOTLESS_BUILD_CACHE=30m
cd "$5"
rootless load -q -i "$3" >&2 2>/dev/null
leave() {
    rm -f "$DISK/ballast"
    free=$(df --output=avail -k "$DISK" | tail -n 1)
    head -c $(( (free - $1) * 1024 )) /dev/zero >"$DISK/ballast"
}
room() { rm -f "$DISK/ballast"; }
DISK=$1
# What fails must say why; what works is fine: there was room enough.
try() {
    if out=$("$@" 2>&1); then echo done; else
        case $out in *"o space left on"* | *"there is room for"*) echo full ;; *) echo "WITHOUT THE CAUSE: $*: $out" ;; esac
    fi
    case $out in *Traceback* | *"internal error"*) echo "A TRACEBACK: $out" ;; esac
}
must() { out=$("$@" 2>&1) || echo "FAILED: $*: $out"; }
"""
DOCKERFILE = """\
FROM busybox AS one
COPY data /copied
RUN head -c 3000000 /copied > /written && sync
FROM busybox
RUN echo first > /first
COPY --from=one /written /
RUN --mount=type=cache,target=/cache head -c 2000000 /written > /cache/kept && cat /cache/kept /first > /second
"""
DATA = b"".join(b"%d some words\n" % (number * number) for number in range(300_000))[:5_000_000]
SUM = digest_of(DATA[:2_000_000] + b"first\n")[7:]
LEFT = (0, 12, 60, 300, 1000, 2500, 4000, 5500, 7500, 10000, 24000)


@pytest.fixture
def small(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> Iterator[list[str]]:
    words = ["unshare", "-Urmpf", "--mount-proc", "--kill-child", "--"]
    possible = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Urmpf does not work here")
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    root = Path(tempfile.mkdtemp(prefix="rl-small-", dir="/var/tmp"))
    runtime = Path(tempfile.mkdtemp(prefix="rl-small-", dir="/tmp"))
    place = str(Path(rootless.argv[0]).parent)
    yield [*words, "sh", "-c", "SCRIPT", "sh", str(root), str(runtime), str(busybox_archive), place, str(tmp_path)]
    remove_tree(root)
    remove_tree(runtime)


def said(small: list[str], *script: str) -> list[str]:
    argv = ["\n".join(script) if word == "SCRIPT" else word for word in small]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=110, check=False)
    return done.stdout.splitlines()


def each(kib: tuple[int, ...], body: str) -> str:
    return f"for kib in {' '.join(map(str, kib))}; do {body}; done"


def test_a_build_on_a_disk_that_fills(small: list[str]) -> None:
    """Each fails at another step. The one after it, with room, finds nothing half-made in the cache."""
    out = said(
        small, BEGIN,
        each(LEFT, 'leave $kib; try rootless build -q -t app .; room; must rootless build -q -t app .; '
                   'rootless run --rm --network none app sha256sum /second | cut -d" " -f1; '
                   'must rootless rmi -f app; must rootless builder prune -af'),
        "ls -A $ROOTLESS_ROOT/build/steps $ROOTLESS_ROOT/blobs/partial | grep -v :",
    )  # fmt: skip
    assert [line for line in out if line not in ("full", "done", "")] == [SUM] * len(LEFT), out
    assert out.count("full") > 8
    assert out.count("done") >= 1


def test_the_cache_stays_good_while_the_disk_is_full(small: list[str]) -> None:
    """What is cached is still found: with the disk full, and after a build that failed of it."""
    cached = "rootless build --progress=plain -t app . 2>&1 | grep -c CACHED"
    out = said(
        small, BEGIN, "must rootless build -q -t app .", cached,
        "sed 's/echo first/echo another/' Dockerfile >Dockerfile.other",
        each((0, 20, 500), f"leave $kib; try rootless build -q -t other -f Dockerfile.other .; {cached}; room; {cached}"),
        'rootless run --rm --network none app sha256sum /second | cut -d" " -f1',
        "must rootless build -q -t other -f Dockerfile.other .; rootless run --rm --network none other tail -c 8 /second",
    )  # fmt: skip
    assert int(out[0]) > 3
    assert out[1:] == [*["full", out[0], out[0]] * 3, SUM, "another"], out


def test_a_commit_on_a_disk_that_fills(small: list[str]) -> None:
    """The container keeps what it has, and the image is whole or not there."""
    out = said(
        small, BEGIN,
        "rootless run --name web --network none busybox sh -c "
        "'mkdir /made; for n in 1 2 3; do head -c 2000000 /dev/urandom >/made/$n; done; sha256sum /made/* >/sums'",
        each((0, 12, 60, 500, 2500, 5000, 20000),
             'leave $kib; try rootless commit -q web kept; room; must rootless commit -q web kept; '
             'rootless run --rm --network none kept sha256sum -c /sums | grep -c OK; must rootless rmi kept'),
    )  # fmt: skip
    assert out == [*["full", "3"] * 6, "done", "3"], out


def test_a_push_and_a_save_on_a_disk_that_fills(small: list[str]) -> None:
    """Nothing of a broken archive is left, and nothing of the image at the registry before it is whole."""
    build = "printf 'FROM busybox\nRUN head -c 6000000 /dev/urandom >/noise\n' >Dockerfile; must rootless build -q -t noise ."
    with WritableRegistry() as server:
        out = said(
            small, BEGIN, build, "cd $DISK",
            each((0, 12, 60, 2500, 5000), f"leave $kib; try rootless push -q noise {server.address}/x$kib"),
            each((0, 12, 60, 2500, 5000), "leave $kib; try rootless save -o saved.tar noise; ls saved.tar 2>/dev/null"),
            f"room; ls -A $ROOTLESS_ROOT/blobs/partial; must rootless push -q noise {server.address}/x",
            "must rootless save -o saved.tar noise; tar -tf saved.tar | grep -c ^manifest.json",
        )  # fmt: skip
        assert out == [*["full"] * 10, "1"], out
        assert list(server.manifests) == ["x"]
        layer = server.document("x")["layers"][1]["digest"]
        assert len(gzip.decompress(server.blobs["x"][layer])) > 6_000_000
        assert json.loads(server.blobs["x"][server.document("x")["config"]["digest"]])["rootfs"]["type"] == "layers"
