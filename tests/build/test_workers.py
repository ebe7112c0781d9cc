"""A worker that is told to end, at a moment when Python cannot raise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from rootless.build.execute import workers
from rootless.build.execute.workers import Reporter


@pytest.mark.timeout(40, func_only=True)  # the last test of the room: what all have used is removed in its time
def test_told_to_end_within_a_finalizer(capfd: pytest.CaptureFixture[str]) -> None:
    """It ends, and says nothing of it: an exception in a generator that is thrown away is only printed by Python."""

    def action(report: Reporter) -> int:
        def entries() -> Iterator[None]:
            try:
                yield
            finally:
                report.log(b"closing")
                time.sleep(60)

        unfinished = entries()
        next(unfinished)
        del unfinished
        time.sleep(60)
        return 0

    worker = workers.start("test", action)
    assert os.read(worker.fd, 4096).endswith(b"closing")
    worker.terminate()
    worker.wait()  # for a minute, where it goes on
    assert "Terminated" not in capfd.readouterr().err
