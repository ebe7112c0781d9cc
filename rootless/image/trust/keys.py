"""Keys of sigstore's format: public ones in PEM, private ones as cosign and skopeo write them, under a passphrase.

The cryptography is two libraries' (`cryptography`, PyNaCl), which only this module imports: pip's extra `sign`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from rootless.errors import InvalidInput, NotSupported

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

    PrivateKey = EllipticCurvePrivateKey
    PublicKey = EllipticCurvePublicKey

_HEADS = (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", b"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----")
_TAILS = (b"-----END ENCRYPTED SIGSTORE PRIVATE KEY-----", b"-----END ENCRYPTED COSIGN PRIVATE KEY-----")
# What cosign writes, and the most that an attacker's file may make us compute.
_SCRYPT_MOST = {"N": 1 << 20, "r": 16, "p": 4}


def load_public(data: bytes, what: str) -> PublicKey:
    """The ECDSA key in the PEM text `data`, found in `what`. InvalidInput for another; NotSupported without library."""
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput(f"{what} is no public key in PEM") from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidInput(f"{what} is no ECDSA key", hint="sigstore's keys are: cosign generate-key-pair")
    return key


def load_private(data: bytes, passphrase: bytes, what: str) -> PrivateKey:
    """The private key in `data`, which `passphrase` opens. InvalidInput where it does not, or it is none."""
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(_opened(_armoured(data), passphrase, what), None)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, binascii.Error):
        raise InvalidInput(f"{what} is no private key of sigstore's format", hint="cosign generate-key-pair makes one") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise InvalidInput(f"{what} is no ECDSA key", hint="cosign generate-key-pair makes one")
    return key


def verify(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is the key's of `data`, by ECDSA with SHA-256."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The key's signature of `data`, in DER."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return key.sign(data, ECDSA(SHA256()))


def _armoured(data: bytes) -> dict[str, Any]:
    lines = [line.strip() for line in data.strip().splitlines()]
    if not lines or lines[0] not in _HEADS or lines[-1] not in _TAILS:
        raise ValueError("no armour")
    document = json.loads(base64.b64decode(b"".join(lines[1:-1]), validate=True))
    if not isinstance(document, dict):
        raise TypeError("no object")
    return document


def _opened(document: dict[str, Any], passphrase: bytes, what: str) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    function, cipher = document["kdf"], document["cipher"]
    if function["name"] != "scrypt" or cipher["name"] != "nacl/secretbox":
        raise ValueError("another cipher")
    costs = {name: int(function["params"][name]) for name in _SCRYPT_MOST}
    if any(costs[name] > most for name, most in _SCRYPT_MOST.items()):
        raise ValueError("too costly")
    secret = Scrypt(base64.b64decode(function["salt"]), 32, costs["N"], costs["r"], costs["p"]).derive(passphrase)
    try:
        return SecretBox(secret).decrypt(base64.b64decode(document["ciphertext"]), base64.b64decode(cipher["nonce"]))
    except CryptoError:
        raise InvalidInput(f"the passphrase does not open {what}") from None


def _require() -> None:
    try:
        import cryptography
        import nacl
    except ImportError:
        raise NotSupported(
            "signatures need the Python packages cryptography and PyNaCl",
            hint="`pip install 'rootless[sign]'` in the environment that rootless is installed in; with the Debian package: "
            "apt install python3-cryptography python3-nacl",
        ) from None
    del cryptography, nacl
