"""The whole table of `cp` (harness/cp_rules.py), against directories in the place of containers' roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.engine.files.copy import copy
from rootless.engine.files.copy_end import CopyEnd
from rootless.errors import RootlessError
from tests.harness.cp_rules import FOLLOWED, SOURCES, Cases, Sides, cases
from tests.storage.conftest import joined as joined
from tests.storage.conftest import session_runtime as session_runtime
from tests.storage.joined import Joined


def place_of(directory: Path, *, container: bool) -> tuple[CopyEnd, str]:
    """One side, and what its paths begin with."""
    if not container:
        return CopyEnd(-1), f"{directory}/"
    return CopyEnd(os.open(directory, os.O_PATH | os.O_DIRECTORY)), "/"


@pytest.mark.parametrize("follow_link", [False, True])
@pytest.mark.parametrize("source_is", ["container", "host"])
@pytest.mark.parametrize("target_is", ["container", "host"])
def test_the_table(joined: Joined, tmp_path: Path, source_is: str, target_is: str, follow_link: bool) -> None:
    todo: Cases = cases(FOLLOWED if follow_link else SOURCES)

    def run() -> list[str]:
        sides = Sides(tmp_path)
        source, origin = place_of(sides.sources, container=source_is == "container")
        target, goal = place_of(sides.destinations, container=target_is == "container")

        def copied(source_path: str, target_path: str) -> bool:
            try:
                copy(source, origin + source_path, target, goal + target_path, archive=False, follow_link=follow_link)
            except RootlessError:
                return False
            return True

        return sides.wrong(todo, copied)

    assert joined(run) == []
