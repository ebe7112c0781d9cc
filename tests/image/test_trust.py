"""TLS with an authority of one's own, passwords, client certificates: a real docker-registry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import Registry
from tests.image.strange_registry import StrangeRegistry, tar_of
from tests.need import need_program

PASSWORD = "s3cret-word"


def make_certificates(directory: Path) -> None:
    """ca.crt signs server.crt and client.crt."""
    openssl = need_program("openssl")

    def run(*args: str) -> None:
        subprocess.run([openssl, *args], cwd=directory, check=True, capture_output=True)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch", "-days", "2"]
    run("req", "-x509", *ec, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("server", "client"):
        run(
            "req", "-x509", *ec, "-CA", "ca.crt", "-CAkey", "ca.key", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", f"{name}.key", "-out", f"{name}.crt",
        )  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    make_certificates(directory)
    return directory


@pytest.fixture
def guarded(certificates: Path, tmp_path: Path) -> Iterator[Registry]:
    """https, user:PASSWORD, with the image `x`."""
    htpasswd = subprocess.run(
        [need_program("htpasswd"), "-Bbn", "user", PASSWORD], capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "htpasswd").write_text(htpasswd)
    extra = (
        f"  tls: {{certificate: {certificates}/server.crt, key: {certificates}/server.key}}\n"
        f"auth: {{htpasswd: {{realm: x, path: {tmp_path}/htpasswd}}}}\n"
    )
    with Registry(tmp_path, extra=extra) as registry, StrangeRegistry() as source:
        source.add_image([tar_of({"a": b"1"})])
        subprocess.run(
            [need_program("skopeo"), "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false",
             "--insecure-policy", "--dest-creds", f"user:{PASSWORD}",
             f"docker://{source.address}/x", f"docker://{registry.address}/x"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        yield registry


def test_unknown_authority_then_known_ones(
    rootless: Rootless, guarded: Registry, certificates: Path, tmp_path: Path
) -> None:
    name = f"{guarded.address}/x"
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    refused = rootless("pull", name, status=None, env=env)
    assert refused.status != 0
    assert f"the certificate of {guarded.address} is not trusted" in refused.stderr
    assert "certs.d" in refused.stderr
    # Trusted by the variable, but not logged in.
    trusted = {**env, "SSL_CERT_FILE": str(certificates / "ca.crt")}
    refused = rootless("pull", name, status=None, env=trusted)
    assert "denied" in refused.stderr
    assert "login" in refused.stderr
    wrong = rootless(
        "login", "-u", "user", "--password-stdin", guarded.address, stdin="wrong", status=None, env=trusted
    )
    assert wrong.status != 0
    assert not (tmp_path / "auth.json").exists()
    rootless("login", "-u", "user", "--password-stdin", guarded.address, stdin=PASSWORD, env=trusted)
    assert (tmp_path / "auth.json").stat().st_mode & 0o777 == 0o600
    rootless("pull", name, env=trusted)
    rootless("rmi", name)
    # The same by certs.d.
    directory = tmp_path / "config/containers/certs.d" / guarded.address
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_bytes((certificates / "ca.crt").read_bytes())
    rootless("pull", name, env=env)
    rootless("rmi", name)
    rootless("logout", guarded.address, env=env)
    assert rootless("pull", name, status=None, env=env).status != 0


def test_no_verification_where_asked_for(rootless: Rootless, guarded: Registry, tmp_path: Path) -> None:
    env = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    login = ["login", "--tls-verify=false", "-u", "user", "--password-stdin", guarded.address]
    rootless(*login, stdin=PASSWORD, env=env)
    rootless("pull", "--tls-verify=false", f"{guarded.address}/x", env=env)


def test_a_certificate_that_is_none(rootless: Rootless, guarded: Registry, tmp_path: Path) -> None:
    directory = tmp_path / "config/containers/certs.d" / guarded.address
    directory.mkdir(parents=True)
    (directory / "ca.crt").write_text("no certificate\n")
    refused = rootless(
        "pull", f"{guarded.address}/x", status=None, env={"XDG_CONFIG_HOME": str(tmp_path / "config")}
    )
    assert "ca.crt: no proper certificate" in refused.stderr


def test_client_certificate(rootless: Rootless, certificates: Path, tmp_path: Path) -> None:
    extra = (
        f"  tls: {{certificate: {certificates}/server.crt, key: {certificates}/server.key, "
        f"clientcas: [{certificates}/ca.crt]}}\n"
    )
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "SSL_CERT_FILE": str(certificates / "ca.crt")}
    with Registry(tmp_path, extra=extra) as registry:
        refused = rootless("pull", f"{registry.address}/x", status=None, env=env)
        assert refused.status != 0
        assert "not found" not in refused.stderr
        directory = tmp_path / "config/containers/certs.d" / registry.address
        directory.mkdir(parents=True)
        (directory / "client.cert").write_bytes((certificates / "client.crt").read_bytes())
        (directory / "client.key").write_bytes((certificates / "client.key").read_bytes())
        # Let in now: it says that there is no such image.
        assert "not found" in rootless("pull", f"{registry.address}/x", status=None, env=env).stderr
