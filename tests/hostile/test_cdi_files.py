"""Specifications of devices (CDI), which mount and run what they like, where another account may have its hands in them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rootless.engine.cdi import specs
from tests.harness.command import Rootless
from tests.hostile.test_stores import as_stranger
from tests.hostile.test_stores import share as share
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside


@pytest.fixture
def file(share: Path) -> Path:
    """A specification in ~/.config/cdi, and a directory as a root beside it."""
    (share / "root").mkdir()
    path = share / "config/cdi/acme.json"
    path.parent.mkdir(parents=True)
    devices = [{"name": "0", "containerEdits": {"env": ["GPU=0"]}}]
    path.write_text(json.dumps({"cdiVersion": "0.6.0", "kind": "acme.com/gpu", "devices": devices}))
    return path


def create(rootless: Rootless, namespace: tuple[str, ...], share: Path) -> subprocess.CompletedProcess[str]:
    """A container with the device."""
    script = """export XDG_CONFIG_HOME="$1/config"
    rootless run --rm --network none --device acme.com/gpu=0 --rootfs "$1/root" /none"""
    return inside(rootless, namespace, script, share)


@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
def test_where_root_has_no_number(rootless: Rootless, file: Path, share: Path, namespace: tuple[str, ...]) -> None:
    """As in any user namespace: the caller's own count, below directories of root's, and no file of who has no number there."""
    assert "no such file" in create(rootless, namespace, share).stderr.lower(), "the command is not in the root: it was begun"
    as_stranger("chown", "7:7", file)
    done = create(rootless, namespace, share)
    assert done.returncode == 125
    assert f"{file}: it belongs to" in done.stderr
    assert "a copy of your own counts" in done.stderr


@pytest.mark.parametrize("who", ["whose", "writable"])
@pytest.mark.parametrize("link", ["", "config", "config/cdi", "config/cdi/acme.json"])
def test_above_it(rootless: Rootless, file: Path, share: Path, who: str, link: str) -> None:
    """Who may rename in a directory above the file puts another one there; so does who may where a link leads through."""
    above = share / "config"
    if link:
        above = share / "others"
        above.mkdir()
        (share / link).rename(above / "moved")
        (above / "link").symlink_to("moved")
        (share / link).symlink_to(above / "link")
    words = ("run", "--rm", "--network", "none", "--device", "acme.com/gpu=0", "--rootfs", share / "root", "/none")
    own = {"XDG_CONFIG_HOME": str(share / "config")}
    assert "acme.com" not in rootless(*words, env=own, status=None).stderr
    if who == "whose":
        as_stranger("chown", "7:7", above)
    else:
        above.chmod(0o777)
    refused = rootless(*words, env=own, status=125).stderr
    assert f"{above}, which it is in" in refused
    doctor = rootless("doctor", "-v", env=own, status=None).stdout
    assert f"{above}, which it is in" in " ".join(doctor.split())
    as_stranger("chown", "0:0", above)


@pytest.mark.parametrize("what", ["file", "directory"])
def test_the_administrators(file: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A file that he has left to somebody else, in the directory that is for all."""
    monkeypatch.setattr(specs, "directories", lambda: (str(file.parent), f"{file.parent}/none"))
    assert list(specs.read().devices) == ["acme.com/gpu=0"]
    path = file if what == "file" else file.parent
    as_stranger("chown", "7:7", path)
    try:
        found = specs.read()
        assert not found.devices
        assert "who is neither root nor you" in found.errors[str(path)]
    finally:
        as_stranger("chown", "0:0", path)
