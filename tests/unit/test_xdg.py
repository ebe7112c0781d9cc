"""The XDG Base Directory Specification: a path in one of its variables that is relative is ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootless import paths
from rootless.engine.lifecycle.autostart import autostart
from rootless.image.registry import auth_file, connection, registries_conf
from rootless.image.trust import policy
from rootless.oci import state


@pytest.fixture
def relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every such path is there, below the working directory: a repository that was cloned, for one."""
    there = tmp_path / "there"
    for name in ("certs.d", "registries.conf.d"):
        (there / "containers" / name).mkdir(parents=True)
    (there / "containers/policy.json").write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    (there / "containers/registries.conf").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/nobody")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, "there")
    for name in ("ROOTLESS_ROOT", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "CONTAINERS_REGISTRIES_CONF"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("relative")
def test_a_relative_path_is_none() -> None:
    assert paths.data_root() == "/home/of/nobody/.local/share/rootless"
    assert paths.config_home() == "/home/of/nobody/.config"
    assert paths.session_directory() == ""
    assert not policy.read().path.startswith("there")
    used = [
        *auth_file._files(), *registries_conf.files(), *connection._certs_directories("host"), autostart._unit_directory(),
        state.default_root(),
    ]  # fmt: skip
    assert [path for path in used if not path.startswith("/")] == []


def test_an_absolute_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/of/mine")
    assert paths.config_home() == "/of/mine"
