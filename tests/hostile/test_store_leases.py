"""Leases of its owner's on the files of a published store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rootless.image.stores import layout
from tests.harness.command import Rootless


def test_files_that_their_owner_holds(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """A lease keeps whoever opens the file for 45 s, and its holder may take another one after that: a line says it instead."""
    store = tmp_path / "images"
    rootless("tag", busybox_image, "lab/tool")
    rootless("image", "publish", store, "lab/tool")
    rootless("rmi", "lab/tool")
    reader = {"ROOTLESS_ROOT": str(tmp_path / "reader"), "ROOTLESS_STORES": str(store)}
    held = [path for path in (store / layout.NAMES).rglob("*") if path.is_file()]
    script = (
        "import fcntl, os, signal, sys\n"
        "signal.signal(signal.SIGIO, signal.SIG_IGN)\n"
        "for path in sys.argv[1:]:\n"
        "    fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)\n"
        "print('held', flush=True)\n"
        "signal.pause()\n"
    )
    for path in held:
        path.chmod(0o644)
    with subprocess.Popen([sys.executable, "-c", script, *held], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        done = rootless("images", env=reader, warns=True)
        holder.kill()
    assert "lab/tool" not in done.stdout
    assert f"{held[0].parent}" in done.stderr
    assert "tell whoever keeps the store" in done.stderr
    assert "lab/tool" in rootless("images", env=reader).stdout
