"""The STATUS column of `ps`, also where nobody knows when a container ended."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.engine.options.ages import parse_time
from rootless.engine.state import status_words
from rootless.engine.state.listing import ContainerRow
from rootless.storage.containers.status import ContainerStatus

ENDED = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("state", "finished_at", "words"),
    [
        ("restarting", ENDED, "Restarting (3) 5 seconds ago"), ("exited", ENDED, "Exited (3) 5 seconds ago"),
        ("restarting", "", "Restarting (3)"), ("exited", "", "Exited (3)"),
    ],
)  # fmt: skip
def test_what_has_ended(state: str, finished_at: str, words: str) -> None:
    record: Any = {}
    row = ContainerRow("0" * 64, "box", record, ContainerStatus(state, exit_code=3, finished_at=finished_at), {})
    assert status_words.of(row, parse_time(ENDED) + 5) == words
