"""A cache of somebody else's: what it says counts for the builds that name it, and for no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import context as context
from tests.build.conftest import other_machine as other_machine
from tests.build.test_cache_transfer import On, blob, manifest_of, rewrite
from tests.build.test_cache_transfer import on as on
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store

TEXT = "FROM busybox AS made\nCOPY a.txt /src/\nFROM busybox\nRUN --mount=type=bind,from=made,source=/src,target=/m cat /m/a.txt > /out\n"


def document(layout: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(blob(layout, manifest_of(layout)["config"]["digest"]).read_text())
    return found


def test_a_lie_about_what_a_run_reads_is_not_remembered(
    on: On, rootless: Rootless, other_machine: Rootless, context: Path, tmp_path: Path
) -> None:
    """Else the result of the files of today would be that of files that come tomorrow, for builds that name no cache."""
    answers = {}
    for name in ("new", "old"):
        (context / "a.txt").write_text(name)
        on(rootless, "--cache-to", f"type=local,dest={tmp_path}/{name},mode=max", text=TEXT)
        (answers[name],) = document(tmp_path / name)["digests"].values()

    def lie(found: dict[str, Any]) -> None:
        found["digests"] = dict.fromkeys(found["digests"], answers["new"])
        by_layers = {record["diff_id"]: record for record in found["records"]}
        found["records"] = [by_layers[found["diff_ids"][0]]]  # the copy's: the run is the victim's to do

    rewrite(tmp_path / "old", lie)
    told = on(other_machine, "-t", "old", "--cache-from", f"type=local,src={tmp_path}/old", text=TEXT)
    assert "importing layer" in told.stderr
    assert other_machine("run", "--rm", "old", "cat", "/out").stdout == "old"
    (context / "a.txt").write_text("new")
    on(other_machine, "-t", "new", text=TEXT)
    assert other_machine("run", "--rm", "new", "cat", "/out").stdout == "new"


def test_a_lie_about_what_a_copy_writes_is_not_passed_on(
    on: On, rootless: Rootless, other_machine: Rootless, context: Path, tmp_path: Path
) -> None:
    """The victim has done the copy, and knows better: its own cache says what it wrote, and so does its store."""
    text = "FROM busybox AS made\nCOPY a.txt /src/\nFROM busybox\nCOPY --from=made /src/a.txt /out\n"
    answers = {}
    for name in ("new", "old"):
        (context / "a.txt").write_text(name)
        on(rootless, "--cache-to", f"type=local,dest={tmp_path}/{name},mode=max", text=text)
        (answers[name],) = document(tmp_path / name)["digests"].values()

    def lie(found: dict[str, Any]) -> None:
        found["digests"] = dict.fromkeys(found["digests"], answers["new"])
        by_layers = {record["diff_id"]: record for record in found["records"]}
        found["records"] = [by_layers[found["diff_ids"][0]]]  # the first copy's: the second is the victim's to do

    rewrite(tmp_path / "old", lie)
    imported = ("--cache-from", f"type=local,src={tmp_path}/old")
    told = on(other_machine, "-t", "old", *imported, "--cache-to", f"type=local,dest={tmp_path}/again,mode=max", text=text)
    assert "importing layer" in told.stderr
    assert other_machine("run", "--rm", "old", "cat", "/out").stdout == "old"
    assert list(document(tmp_path / "again")["digests"].values()) == [answers["old"]]
    (context / "a.txt").write_text("new")
    on(other_machine, "-t", "new", text=text)
    assert other_machine("run", "--rm", "new", "cat", "/out").stdout == "new"
