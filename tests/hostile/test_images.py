"""What an image's own files and a registry's answers can make the engine do."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from urllib3.response import BaseHTTPResponse

from rootless.errors import Unavailable
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.authorization import Authorizer
from tests.harness import images
from tests.harness.command import Rootless
from tests.image.strange_registry import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Handler,
    StrangeRegistry,
    digest_of,
    tar_of,
)


@pytest.fixture
def root(trap: Path) -> Path:
    path = trap / "root"
    for name in ("bin", "etc", "proc"):
        (path / name).mkdir(parents=True)
    images.plain_busybox(path)
    return path


def whoami(rootless: Rootless, root: Path, user: str, status: int | None = 0) -> str:
    ask = ("busybox", "stat", "-c", "%u %g", "/proc/self/")
    done = rootless(
        "run", "--rm", "--network", "none", "-u", user, "--rootfs", root, *ask, status=status, timeout=20
    )
    return done.stdout.strip()


def test_cve_2016_3697_a_number_as_a_name(rootless: Rootless, root: Path) -> None:
    (root / "etc/passwd").write_text("1000:x:0:0::/:/bin/sh\n")
    (root / "etc/group").write_text("1000:x:0:\n")
    assert whoami(rootless, root, "1000:1000") == "1000 1000"


@pytest.mark.parametrize("kind", ["fifo", "endless", "outside", "huge", "directory", "loop"])
def test_cve_2024_9676_passwd_is_anything(rootless: Rootless, root: Path, trap: Path, kind: str) -> None:
    """podman's --userns=auto read /etc/passwd through links of the image: hangs, exhaustion, host files."""
    for name in ("passwd", "group"):
        path = root / "etc" / name
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "endless":
            path.symlink_to("/dev/zero")
        elif kind == "outside":
            path.symlink_to("../" * 20 + f"{trap}/hostile".lstrip("/"))
        elif kind == "huge":
            with open(path, "wb") as file:
                file.truncate(1 << 40)
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to(name)
    (trap / "hostile").write_text("who:x:0:0::/:/bin/sh\n")
    assert whoami(rootless, root, "7:8") == "7 8"
    assert whoami(rootless, root, "who", status=125) == ""


@pytest.mark.own_store
@pytest.mark.parametrize("kind", ["symlink", "hardlink", "absolute", "dotdot"])
def test_cve_2014_9357_layers_write_only_below_themselves(rootless: Rootless, trap: Path, kind: str) -> None:
    """A link in a layer, and a file through it: in one layer and across two."""
    first, second = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=first, mode="w") as one, tarfile.open(fileobj=second, mode="w") as two:
        images.add(one, "bin", kind=tarfile.DIRTYPE)
        if kind == "symlink":
            images.add(one, "way", kind=tarfile.SYMTYPE, target=str(trap))
            images.add(one, "way/planted", b"x")
            images.add(two, "way/planted", b"x")
        elif kind == "hardlink":
            images.add(one, "alias", kind=tarfile.LNKTYPE, target=str(trap / "secret"))
            images.add(two, "alias", b"overwritten")
        elif kind == "absolute":
            images.add(one, str(trap / "planted"), b"x")
        else:
            images.add(one, "../" * 20 + str(trap / "planted").lstrip("/"), b"x")
    archive = images.docker_archive("evil:2", [first.getvalue(), second.getvalue()], {})
    rootless("load", stdin=archive, status=None)
    assert not (trap / "planted").exists()
    assert (trap / "secret").read_text() == "the host's own"
    rootless("rmi", "-f", "evil:2", status=None)


@pytest.mark.own_store
def test_cve_2021_41190_one_document_two_meanings(rootless: Rootless) -> None:
    """A manifest that is an index as well: what is pulled must not depend on how one looks at it."""
    with StrangeRegistry() as registry:
        empty = digest_of(b"{}")
        registry.blobs[empty] = b"{}"
        both = json.dumps({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": empty, "size": 2},
            "layers": [{"mediaType": OCI_LAYER, "digest": empty, "size": 2}],
            "manifests": [{"mediaType": OCI_MANIFEST, "digest": empty, "size": 2}],
        }).encode()  # fmt: skip
        registry.manifests["two:latest"] = (OCI_MANIFEST, both)
        registry.manifests["latest"] = (OCI_MANIFEST, both)
        done = rootless("pull", f"{registry.address}/two:latest", status=None)
    assert done.status != 0


@pytest.mark.own_store
def test_cve_2020_15157_layers_from_elsewhere_get_no_secret(rootless: Rootless, trap: Path) -> None:
    """A layer whose `urls` point to a server of the attacker: containerd sent it the registry's password."""
    with StrangeRegistry() as thief, StrangeRegistry() as registry:
        manifest = registry.add_image([tar_of({"f": b"x"})], tag="1")
        layer = manifest["layers"][0]
        thief.blobs[layer["digest"]] = registry.blobs.pop(layer["digest"])
        layer["urls"] = [f"http://{thief.address}/v2/x/blobs/{layer['digest']}"]
        layer["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        registry.add_manifest(manifest, tag="1")
        (trap / "config.json").write_text(
            json.dumps({"auths": {registry.address: {"auth": "dXNlcjpodW50ZXIy"}}})
        )

        def ask(handler: Handler) -> bool:
            if "Authorization" in handler.headers:
                return False
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="x"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return True

        registry.before = ask
        files = {"REGISTRY_AUTH_FILE": str(trap / "config.json"), "DOCKER_CONFIG": str(trap)}
        rootless("pull", f"{registry.address}/x:1", status=None, env=files)
        assert any("dXNlcjpodW50ZXIy" in json.dumps(headers) for _, _, headers in registry.requests)
        assert not [headers for _, _, headers in thief.requests if "Authorization" in headers]


def test_cve_2019_10214_no_secret_over_plain_http() -> None:
    """A registry with TLS names a token server without: containers/image sent it the password in the clear."""
    sent: list[object] = []

    def send(*request: object) -> BaseHTTPResponse:
        sent.append(request)
        raise AssertionError("asked")

    authorization = Authorizer("registry.example", "x")
    authorization.use(Credentials("user", "hunter2"))
    with pytest.raises(Unavailable, match="over plain http"):
        authorization.answer(['Bearer realm="http://thief.example/token"'], send, secure=True)
    assert sent == []


@pytest.mark.own_store
def test_an_archive_cannot_claim_a_digest(rootless: Rootless) -> None:
    """RepoTags with a digest: `run debian@sha256:...`, whose whole point is the digest, ran whatever the archive had."""
    layer = images.busybox_layer(images.static_busybox())
    pinned = "debian@sha256:" + "a" * 64
    done = rootless("load", stdin=images.docker_archive(pinned, [layer], {"Cmd": ["sh"]}), status=1)
    assert "claims the name" in done.stderr
    assert rootless("run", "--rm", "--pull", "never", pinned, "echo", "believed", status=125).stdout == ""


@pytest.mark.own_store
def test_an_archive_that_moves_a_name_says_so(rootless: Rootless) -> None:
    layer = images.busybox_layer(images.static_busybox())
    rootless("load", stdin=images.docker_archive("mine:1", [layer], {"Cmd": ["sh"]}))
    assert "renaming" not in rootless("load", stdin=images.docker_archive("mine:1", [layer], {"Cmd": ["sh"]})).stderr
    done = rootless("load", stdin=images.docker_archive("mine:1", [layer], {"Cmd": ["ls"]}))
    assert "The image docker.io/library/mine:1 already exists, renaming the old one with ID sha256:" in done.stderr
