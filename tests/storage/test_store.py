"""The store's own directories."""

from __future__ import annotations

import os
from pathlib import Path

from rootless.storage.store import make_directory


def test_several_processes_make_a_directory_with_its_parents(tmp_path: Path) -> None:
    for round_number in range(50):
        wanted = f"{tmp_path}/{round_number}/b/c"
        pids = []
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    make_directory(wanted)
                    code = 0
                finally:
                    os._exit(code)
            pids.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
