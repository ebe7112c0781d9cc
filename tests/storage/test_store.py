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


def test_a_directory_below_that_of_a_group(tmp_path: Path) -> None:
    """Set-group-id is not handed on: containers have no number for that group, so nothing of it could be theirs."""
    team = tmp_path / "team"
    team.mkdir()
    team.chmod(0o2775)
    make_directory(str(team / "alice/rootless/layers"))
    for place in ("alice", "alice/rootless", "alice/rootless/layers"):
        status = (team / place).stat()
        assert (oct(status.st_mode), status.st_gid) == (oct(0o40700), os.getegid())
    assert team.stat().st_mode & 0o2000
