"""Which of a PMIx server's directories are mounted into a shared container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.cli.commands.container import pmix
from rootless.engine.options.mounts import parse_volume
from rootless.words import UserWord


def test_the_servers_and_the_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where slurm.conf says, on this node; where its user says; nothing twice, and nothing without a server."""
    server, name = tmp_path / "spool/pmix.7.2", f"spmix_appdir_{os.getuid()}_7.2"
    session, other = tmp_path / "n1" / name, tmp_path / "chosen" / name
    for directory in (server, session, other):
        directory.mkdir(parents=True)
    (tmp_path / "slurm.conf").write_text(f"# TmpFS=/elsewhere\nClusterName=test\ntmpfs = {tmp_path}/%n  # local\n")
    for variable, value in (("SLURM_CONF", str(tmp_path / "slurm.conf")), ("SLURMD_NODENAME", "n1"), ("SLURM_JOB_ID", "7"),
                            ("SLURM_STEP_ID", "2"), ("PMIX_SERVER_TMPDIR", f"{server}/")):  # fmt: skip
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("SLURM_PMIX_TMPDIR", raising=False)
    assert {(mount["source"], mount["target"]) for mount in pmix.mounts([])} == {(str(path), str(path)) for path in (server, session)}
    given = [parse_volume(UserWord(f"/somewhere:{server}"))]
    assert [mount["target"] for mount in pmix.mounts(given)] == [str(session)]
    monkeypatch.setenv("SLURM_PMIX_TMPDIR", str(tmp_path / "chosen"))
    assert {mount["target"] for mount in pmix.mounts([])} == {str(server), str(other)}
    # In a directory for all, a link of that name may be anybody's.
    other.rmdir()
    other.symlink_to(tmp_path / "n1")
    assert {mount["target"] for mount in pmix.mounts([])} == {str(server)}
    monkeypatch.delenv("PMIX_SERVER_TMPDIR")
    assert pmix.mounts([]) == []
