"""`builder prune`, the budget, `system df`: what the cache keeps, and what of it goes."""

from __future__ import annotations

import json
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


def test_a_running_build_is_not_pruned_from_under(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo first > /first\nRUN sleep 3; cat /first > /second\n")
    running = rootless.start("build", "-q", "-t", "x", tmp_path)
    wait_for(lambda: any((rootless.root / "build/cache").glob("*.json")) if (rootless.root / "build/cache").exists() else False)
    refused = rootless("builder", "prune", "-af", status=1)
    assert "the build cache is in use" in refused.stderr
    assert running.wait(60) == 0
    assert rootless("run", "--rm", "x", "cat", "/second").stdout == "first\n"
