"""`builder prune`, the budget, `system df`: what the cache keeps, and what of it goes."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store


def cached(rootless: Rootless) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(rootless("system", "df", "-v", "--format", "json").stdout)["BuildCache"]
    return found


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_no_image_has_goes(build: Build, rootless: Rootless) -> None:
    text = (
        "FROM busybox AS made\nRUN --mount=type=cache,target=/c head -c 100000 /dev/zero | tee /c/x > /big\n"
        "FROM busybox\nRUN echo small > /small\nCOPY --from=made /big /big\n"
    )
    build(text, "-t", "x")
    kinds = {entry["CacheType"] for entry in cached(rootless)}
    assert {"regular", "exec.cachemount"} <= kinds
    told = rootless("builder", "prune", "-f").stdout
    assert told.splitlines()[0].split() == ["ID", "RECLAIMABLE", "SIZE", "LAST", "ACCESSED"]
    assert told.splitlines()[-1].startswith("Total:\t2")  # 200 kB and some
    assert {entry["Shared"] for entry in cached(rootless)} == {"true"}
    assert rootless("run", "--rm", "x", "cat", "/small").stdout == "small\n"
    # What the image has is still good for the next build; all of it goes with -a, but not the image.
    assert "RUN echo small > /small\n#" in build(text, "-t", "x").stderr
    rootless("builder", "prune", "-af")
    assert cached(rootless) == []
    assert rootless("run", "--rm", "x", "cat", "/small").stdout == "small\n"
    rootless("rmi", "x")
    layers = [path.name for path in (rootless.root / "layers").iterdir() if len(path.name) == 64]
    assert len(layers) == 1  # busybox's


def test_filters(build: Build, rootless: Rootless) -> None:
    build("FROM busybox\nRUN --mount=type=cache,target=/c touch /c/x /made\n", "-o", "type=cacheonly")
    rootless("buildx", "prune", "-f", "--filter", "until=1h")
    assert len(cached(rootless)) >= 2
    rootless("builder", "prune", "-f", "--filter", "type=exec.cachemount")
    assert {entry["CacheType"] for entry in cached(rootless)} == {"regular"}
    assert "invalid filter 'type=x'" in rootless("builder", "prune", "-f", "--filter", "type=x", status=1).stderr


def test_a_budget_is_held_by_least_recent_use(build: Build, rootless: Rootless) -> None:
    text = "FROM busybox\nRUN head -c 300000 /dev/zero > /{}\n"
    only = ("-o", "type=cacheonly")
    build(text.format("old"), *only)
    build(text.format("kept"), *only)
    build(text.format("old").replace("old", "new"), *only, env={"ROOTLESS_BUILD_CACHE": "700k"})

    def names() -> set[str]:
        return {entry["Description"].rpartition("/")[2] for entry in cached(rootless) if entry["CacheType"] == "regular"}

    wait_for(lambda: names() == {"kept", "new"})
    assert build(text.format("kept"), *only).stderr.count("CACHED") == 2


WAITING = (
    "FROM busybox AS made\nRUN echo first > /first\n"
    "FROM made AS used\nRUN --mount=type=cache,target=/c touch /c/begun; until test -e /c/go; do sleep 0.1; done; cp /first /second\n"
    "FROM busybox\nCOPY --from=used /second /\nCOPY --from=made /first /\n"
)


def begun(rootless: Rootless, context: Path, *args: str) -> tuple[subprocess.Popen[bytes], Path]:
    """A build that waits in its second step, the first of which was in the cache; what lets it go on, when it is there."""
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(WAITING)
    running = rootless.start("build", "-q", *args, context)
    wait_for(lambda: list((rootless.root / "build/mounts").glob("*/data/begun")))
    (found,) = (rootless.root / "build/mounts").glob("*/data/begun")
    return running, found.with_name("go")


def test_beside_a_running_build_goes_what_it_does_not_use(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(WAITING.partition("FROM made AS used")[0])
    rootless("build", "-q", tmp_path)
    rootless("image", "prune", "-f")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo another > /another\n")
    rootless("build", "-q", "-o", "type=cacheonly", tmp_path)
    time.sleep(2)  # the times of files are compared
    running, go = begun(rootless, tmp_path / "context", "-t", "x")
    told = rootless("builder", "prune", "-af").stdout
    assert "Total:\t0B" not in told
    left = {entry["Description"].partition("] ")[2] for entry in cached(rootless) if entry["CacheType"] == "regular"}
    assert left == {"RUN echo first > /first"}
    assert "exec.cachemount" in {entry["CacheType"] for entry in cached(rootless)}
    go.touch()
    assert running.wait(60) == 0
    assert rootless("run", "--rm", "x", "cat", "/second", "/first").stdout == "first\nfirst\n"
    assert rootless("builder", "prune", "-af").stdout.splitlines()[-1] != "Total:\t0B"
    assert cached(rootless) == []
    assert rootless("run", "--rm", "x", "cat", "/second", "/first").stdout == "first\nfirst\n"
    rootless("rmi", "x")


def test_prunes_that_are_killed_beside_a_running_build(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    running, go = begun(rootless, tmp_path / "context", "-t", "x")
    for number in range(6):
        (tmp_path / "Dockerfile").write_text(f"FROM busybox\nRUN echo {number} > /n\nRUN echo more >> /n\n")
        rootless("build", "-q", "-o", "type=cacheonly", tmp_path)
        pruning = rootless.start("builder", "prune", "-af")
        time.sleep(0.1 * (number + 1))
        pruning.kill()
        pruning.wait(60)
    go.touch()
    assert running.wait(60) == 0
    assert rootless("run", "--rm", "x", "cat", "/second").stdout == "first\n"
    rootless("builder", "prune", "-af")
    rootless("rmi", "x")
    assert cached(rootless) == []
    assert list((rootless.root / "build/steps").iterdir()) == []


def test_a_killed_build_keeps_nothing(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    running, _ = begun(rootless, tmp_path / "context")
    running.kill()
    running.wait(60)

    def pruned() -> bool:
        rootless("builder", "prune", "-af")
        return cached(rootless) == []

    wait_for(pruned)
    assert list((rootless.root / "build/running").iterdir()) == []
