"""A slirp4netns that is not there, is old, hangs or dies, and a host without /dev/net/tun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rootless import paths
from rootless.errors import NotSupported, RootlessError
from rootless.network import ports
from rootless.network.uplink.slirp4netns import start
from tests.harness.importing import PYTHON_PATH
from tests.network.asking import ask, descriptors
from tests.network.conftest import Namespace

Connect = Callable[..., dict[str, Any]]


def test_no_slirp4netns(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "_PROGRAM_PLACES", ())
    with pytest.raises(NotSupported, match="no network: slirp4netns was not found on PATH") as caught:
        start.start(namespace.pid, run_dir=str(tmp_path))
    assert caught.value.hint is not None
    assert "apt install slirp4netns" in caught.value.hint


def stand_in(directory: Path, script: str) -> None:
    """A slirp4netns of ours in `directory`: what an old or a broken one would do."""
    program = directory / "slirp4netns"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)


def test_an_old_one_without_protections_works_and_says_so(
    namespace: Namespace, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = start.find()
    stand_in(
        tmp_path,
        'for word; do case "$word" in --enable-seccomp|--enable-sandbox)\n'
        "  echo \"slirp4netns: unrecognized option '$word'\" >&2; exit 1;; esac; done\n"
        f'exec {real} "$@"\n',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    data = connect(namespace, ports=ports.parse(["5232:80"]))
    assert data["protection"] == []
    assert len(data["warnings"]) == 2
    assert ask(5232, b"x") == b"X"


def test_one_that_never_gets_ready(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "exec sleep 30\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = descriptors()
    with pytest.raises(RootlessError, match=r"slirp4netns was not ready after 0\.3 seconds"):
        start.start(namespace.pid, run_dir=str(tmp_path), timeout_s=0.3)
    assert descriptors() == before


def test_one_that_dies_leaves_its_last_words(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "echo 'WARNING: chatter' >&2; echo 'the cause' >&2; echo 'child failed(1)' >&2; exit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RootlessError, match=r"^slirp4netns failed: the cause$"):
        start.start(namespace.pid, run_dir=str(tmp_path))


START = """
import sys
from rootless.errors import RootlessError
from rootless.network.uplink.slirp4netns import start
try:
    start.start(int(sys.argv[1]), run_dir=sys.argv[2])
except RootlessError as error:
    print(type(error).__name__, error.message, error.hint, sep="|")
"""


@pytest.mark.parametrize(
    ("hide", "says"),
    [
        ("mount -t tmpfs tmpfs /dev/net", "/dev/net/tun does not exist"),
        ("mount --bind /dev/null /dev/net/tun", "slirp4netns cannot make a tap device"),
        ("mount --bind /etc/shadow /dev/net/tun", "/dev/net/tun may not be opened: Permission denied"),
    ],
)
@pytest.mark.usefixtures("namespace")
def test_without_a_tun_device(tmp_path: Path, hide: str, says: str) -> None:
    """As in a session: a user namespace below which the container's is."""
    script = f'{hide} || exit 9; unshare -Urn sleep 20 & sleep 0.2; "$2" -c "$3" $! "$1"; kill $!'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, START],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
    )  # fmt: skip
    assert done.stdout.startswith("NotSupported|no network: " + says), done.stdout + done.stderr
    assert "|use --network host or --network none meanwhile\nask the administrator for:\n" in done.stdout
