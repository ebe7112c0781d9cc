"""policy.json is not got round: by a misspelt key, a key that is there twice, a host in capitals, another way in."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rootless.errors import InvalidInput, NotSupported
from rootless.image import reference
from rootless.image.trust import policy, simple_signing
from tests.harness.command import Rootless

ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy that is read."""
    path = tmp_path / "config/containers/policy.json"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({"transport": {"docker": {"": REJECT}}, "default": ACCEPT}), "unknown key 'transport'"),
        (f'{{"default": {json.dumps(REJECT)}, "default": {json.dumps(ACCEPT)}}}', "a key is there twice"),
    ],
)
def test_a_document_that_would_demand_nothing(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        policy.read()


@pytest.mark.parametrize("scope", ["registry.example.com", "*.example.com", "registry.example.com/a/b:1"])
def test_a_host_in_capitals_is_the_same_host(scope: str) -> None:
    assert scope in policy.scopes(reference.parse("Registry.EXAMPLE.com/a/b:1"))


def test_the_directory_of_an_archive_is_a_scope(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    transports = {"docker-archive": {str((tmp_path / "real").resolve()): REJECT, "": ACCEPT}}
    file.write_text(json.dumps({"default": ACCEPT, "transports": transports}))
    policy.check_archive("docker-archive", str(tmp_path / "x.tar"))
    policy.check_archive("docker-archive", "-")
    with pytest.raises(NotSupported, match="rejected by policy"):
        policy.check_archive("docker-archive", str(tmp_path / "link/x.tar"))


@pytest.mark.parametrize("identity", ["matchExact", ["matchExact"], 5, {}, []])
def test_an_identity_that_is_none(identity: Any) -> None:
    name = "example.com/a:1"
    with pytest.raises(InvalidInput):
        simple_signing.matches(identity, reference.parse(name), name)


def test_import_and_layouts_are_asked_too(rootless: Rootless, file: Path, busybox_image: str, tmp_path: Path) -> None:
    archive, layout = tmp_path / "layout.tar", tmp_path / "layout"
    rootless("save", "-o", archive, busybox_image)
    layout.mkdir()
    with tarfile.open(archive) as opened:
        opened.extractall(layout)  # one of ours
    with tarfile.open(tmp_path / "root.tar", "w") as root:
        root.addfile(tarfile.TarInfo("f"), io.BytesIO())
    (tmp_path / "Dockerfile").write_text("FROM base\n")
    build = ("build", "-q", "--build-context", f"base=oci-layout://{layout}", tmp_path)
    rootless(*build)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    file.write_text(json.dumps({"default": REJECT}))
    assert "is rejected by policy" in rootless("import", tmp_path / "root.tar", env=env, status=1).stderr
    assert "is rejected by policy" in rootless(*build, env=env, status=1).stderr
