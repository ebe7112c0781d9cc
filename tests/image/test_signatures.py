"""policy.json and sigstore signatures, beside skopeo: what one signs the other accepts, and nothing else is pulled."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from nacl.secret import SecretBox

from tests.harness.command import Rootless
from tests.harness.registry import Registry
from tests.need import need_program

PASSPHRASE = "correct horse"


def make_key(directory: Path, name: str) -> Path:
    """NAME.key as cosign writes it, NAME.pub beside it, and the passphrase in `passphrase`."""
    key = ec.generate_private_key(ec.SECP256R1())
    salt, nonce = b"s" * 32, b"n" * 24
    secret = Scrypt(salt, 32, 1 << 14, 8, 1).derive(PASSPHRASE.encode())
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    box = SecretBox(secret).encrypt(plain, nonce).ciphertext
    document = {
        "kdf": {"name": "scrypt", "params": {"N": 1 << 14, "r": 8, "p": 1}, "salt": base64.b64encode(salt).decode()},
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(box).decode(),
    }
    body = base64.encodebytes(json.dumps(document).encode()).decode()
    kind = "ENCRYPTED COSIGN PRIVATE KEY"
    (directory / f"{name}.key").write_text(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / f"{name}.pub").write_bytes(public)
    (directory / "passphrase").write_text(PASSPHRASE + "\n")
    return directory / f"{name}.key"


class Home:
    """A ~/.config of its own with a policy.json."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "containers/registries.d").mkdir(parents=True)
        self.env = {"XDG_CONFIG_HOME": str(directory)}

    def policy(self, **transports: Any) -> None:
        default = transports.pop("default", "insecureAcceptAnything")
        text = json.dumps({"default": [{"type": default}], "transports": transports})
        (self.directory / "containers/policy.json").write_text(text)

    def signed(self, address: str, key: Path, **more: Any) -> None:
        """What comes from `address` is to be signed by `key`."""
        self.policy(docker={address: [{"type": "sigstoreSigned", "keyPath": str(key.with_suffix(".pub")), **more}]})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "config")


def push(rootless: Rootless, image: str, name: str, key: Path | None = None) -> None:
    words = ("--sign-by-sigstore-private-key", key, "--sign-passphrase-file", key.parent / "passphrase") if key else ()
    rootless("tag", image, name)
    rootless("push", "-q", "--tls-verify=false", *words, name)
    rootless("rmi", name)


@pytest.mark.own_store
def test_a_signed_image_is_pulled_and_no_other(
    rootless: Rootless, busybox_image: str, registry: Registry, home: Home, tmp_path: Path
) -> None:
    key, other = make_key(tmp_path, "own"), make_key(tmp_path, "other")
    signed, unsigned = f"{registry.address}/signed:1", f"{registry.address}/unsigned:1"
    push(rootless, busybox_image, signed, key)
    push(rootless, busybox_image, unsigned)
    home.signed(registry.address, key)
    rootless("pull", "-q", signed, env=home.env)
    refused = rootless("pull", "-q", unsigned, env=home.env, status=1).stderr
    assert refused.startswith("rootless: Source image rejected: A signature was required, but no signature exists\n")
    home.signed(registry.address, other)
    assert "it is by no key of the policy" in rootless("pull", "-q", signed, env=home.env, status=1).stderr
    home.policy(docker={registry.address: [{"type": "sigstoreSigned", "keyPaths": [f"{tmp_path}/own.pub", f"{tmp_path}/other.pub"]}]})
    rootless("pull", "-q", signed, env=home.env)


@pytest.mark.own_store
def test_a_signature_is_of_one_name(
    rootless: Rootless, busybox_image: str, registry: Registry, home: Home, tmp_path: Path
) -> None:
    """An attacker who may write to the registry cannot pass an old image off as a new one."""
    key = make_key(tmp_path, "own")
    push(rootless, busybox_image, f"{registry.address}/app:old", key)
    rootless("tag", busybox_image, f"{registry.address}/app:new")
    rootless("push", "-q", "--tls-verify=false", f"{registry.address}/app:new")
    home.signed(registry.address, key)
    refused = rootless("pull", "-q", f"{registry.address}/app:new", env=home.env, status=1).stderr
    assert f"Signature for identity '{registry.address}/app:old' is not accepted" in refused
    home.signed(registry.address, key, signedIdentity={"type": "matchRepository"})
    rootless("pull", "-q", f"{registry.address}/app:new", env=home.env)


@pytest.mark.own_store
def test_two_signatures_stand_side_by_side(
    rootless: Rootless, busybox_image: str, registry: Registry, home: Home, tmp_path: Path
) -> None:
    one, two = make_key(tmp_path, "one"), make_key(tmp_path, "two")
    name = f"{registry.address}/both:1"
    for key in (one, two):
        push(rootless, busybox_image, name, key)
    for key in (one, two):
        home.signed(registry.address, key)
        rootless("pull", "-q", name, env=home.env)


@pytest.mark.own_store
def test_others_verify_ours(
    rootless: Rootless, busybox_image: str, registry: Registry, home: Home, tmp_path: Path
) -> None:
    """openssl, by the published format; skopeo where its distribution has not switched signatures off (Debian 12)."""
    key = make_key(tmp_path, "own")
    name = f"{registry.address}/shared:1"
    push(rootless, busybox_image, name, key)
    digest = rootless("pull", name, "--tls-verify=false").stdout.partition("Digest: ")[2].split()[0]
    base = f"http://{registry.address}/v2/shared"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    asked = urllib.request.Request(f"{base}/manifests/{digest.replace(':', '-')}.sig", headers=accept)
    with urllib.request.urlopen(asked) as answer:
        (layer,) = json.load(answer)["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    with urllib.request.urlopen(f"{base}/blobs/{layer['digest']}") as answer:
        (tmp_path / "payload").write_bytes(answer.read())
    (tmp_path / "signature").write_bytes(base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
    verify = ["dgst", "-sha256", "-verify", "own.pub", "-signature", "signature", "payload"]
    subprocess.run([need_program("openssl"), *verify], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    critical = json.loads((tmp_path / "payload").read_bytes())["critical"]
    assert critical["image"]["docker-manifest-digest"] == digest
    assert critical["identity"]["docker-reference"] == name

    home.signed(registry.address, key)
    directory = home.directory / "containers/registries.d"
    (directory / "ours.yaml").write_text(f"docker:\n  {registry.address}:\n    use-sigstore-attachments: true\n")
    policy = str(home.directory / "containers/policy.json")
    skopeo = [need_program("skopeo"), "--registries.d", str(directory), "--policy", policy, "copy", "-q", "--src-tls-verify=false"]
    done = subprocess.run(
        [*skopeo, f"docker://{name}", f"dir:{tmp_path}/out"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 or "sigstore disabled" in done.stderr, done.stderr


@pytest.mark.own_store
@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ({"type": "reject"}, "is rejected by policy"),
        ({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}, "the policy wants 'signedBy'"),
        ({"type": "sigstoreSigned", "fulcio": {}}, "wants certificates or a transparency log"),
        ({"type": "sigstoreSigned"}, "sigstoreSigned names no key"),
        ({"type": "sigstoreSigned", "keyPath": "/nosuch"}, "cannot read the key /nosuch"),
        ({"type": "sigstoreSigned", "keyData": "!"}, "keyData is not base64"),
        ({"type": "sigstoreSigned", "keyData": "YQ=="}, "is no public key in PEM"),
        ("reject", "is no list of requirements"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    rootless: Rootless, busybox_image: str, registry: Registry, home: Home, requirement: object, message: str
) -> None:
    name = f"{registry.address}/any:1"
    push(rootless, busybox_image, name)
    home.policy(docker={registry.address: [requirement] if isinstance(requirement, dict) else requirement})
    done = rootless("pull", "-q", name, env=home.env, status=1)
    assert message in done.stderr
    assert name not in rootless("images", "--format", "{{.Repository}}:{{.Tag}}").lines


@pytest.mark.own_store
def test_archives_carry_no_signatures(rootless: Rootless, busybox_archive: Path, home: Home) -> None:
    home.policy(default="reject")
    assert "is rejected by policy" in rootless("load", "-i", busybox_archive, env=home.env, status=1).stderr
    home.policy(**{"default": "reject", "docker-archive": {"": [{"type": "insecureAcceptAnything"}]}})
    rootless("load", "-i", busybox_archive, env=home.env)
    (home.directory / "containers/policy.json").write_text("{")
    assert "it is no JSON" in rootless("load", "-i", busybox_archive, env=home.env, status=1).stderr


@pytest.mark.own_store
def test_the_passphrase(rootless: Rootless, busybox_image: str, registry: Registry, tmp_path: Path) -> None:
    """A wrong one is found out before anything is sent."""
    key = make_key(tmp_path, "own")
    (tmp_path / "wrong").write_text("wrong\n")
    rootless("tag", busybox_image, f"{registry.address}/never:1")
    words = ("push", "-q", "--tls-verify=false", "--sign-by-sigstore-private-key", key)
    done = rootless(*words, "--sign-passphrase-file", tmp_path / "wrong", f"{registry.address}/never:1", status=1)
    assert f"the passphrase does not open {key}" in done.stderr
    assert "the key's passphrase is needed" in rootless(*words, f"{registry.address}/never:1", status=1).stderr
    assert "not found" in rootless("pull", "-q", f"{registry.address}/never:1", status=1).stderr
