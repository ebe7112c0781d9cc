"""Private keys in files, as ssh-keygen writes them, and their signatures as an agent gives them (RFC 4253, 5656, 8332, 8709).

The cryptography is a library's (`cryptography`), which only this module of the build imports: pip's extra `sign`.
"""

from __future__ import annotations

import base64
import os
import stat
import struct
from typing import TYPE_CHECKING

from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError
from rootless.storage import named_paths

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

_LARGEST = 100 * 1024  # BuildKit's bound
# Flags of a request to sign: which hash a signature by RSA is of. Without one it is SHA-1, which nobody takes any more.
RSA_SHA2_256, RSA_SHA2_512 = 2, 4


class Key:
    """A private key; `blob` is its public one, as ssh has it on the wire."""

    def __init__(self, private: PrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        text = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.blob = base64.b64decode(text.split()[1])
        self._private = private
        self._type = text.split()[0]

    def sign(self, data: bytes, flags: int) -> bytes:
        """The signature, with its format before it; b"" for one that is not given any more."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        private = self._private
        if isinstance(private, RSAPrivateKey):
            if flags & RSA_SHA2_512:
                return string(b"rsa-sha2-512") + string(private.sign(data, PKCS1v15(), hashes.SHA512()))
            if flags & RSA_SHA2_256:
                return string(b"rsa-sha2-256") + string(private.sign(data, PKCS1v15(), hashes.SHA256()))
            return b""
        if isinstance(private, EllipticCurvePrivateKey):
            bits = private.key_size
            chosen = hashes.SHA256() if bits <= 256 else hashes.SHA384() if bits <= 384 else hashes.SHA512()
            r, s = decode_dss_signature(private.sign(data, ECDSA(chosen)))
            return string(self._type) + string(_number(r) + _number(s))
        return string(self._type) + string(private.sign(data))


def string(data: bytes) -> bytes:
    """The wire's form of bytes of any length."""
    return struct.pack(">I", len(data)) + data


def _number(value: int) -> bytes:
    """An mpint above 0: with a zero before a highest bit that is set."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def load(path: str) -> Key:
    """The key in the file. NotFound; InvalidInput for none, or one under a passphrase; NotSupported without library."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
    except ImportError:
        raise NotSupported(
            "keys for --ssh need the Python package cryptography",
            hint="`pip install 'rootless[sign]'` in the environment that rootless is installed in (with the Debian package: "
            "apt install python3-cryptography), or give an agent's socket",
        ) from None
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    data = _read(path)
    form = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        private = form(data, None)
    except TypeError:
        raise InvalidInput(f"--ssh: the key {path} is under a passphrase", hint=_by_agent(path)) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path) from None
    if not isinstance(private, Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey):
        raise _unusable(path)
    try:
        return Key(private)
    except (ValueError, UnsupportedAlgorithm):  # a curve that ssh has not
        raise _unusable(path) from None


def _read(path: str) -> bytes:
    try:
        fd = named_paths.open_file(path, "the key", flags=os.O_NONBLOCK)
    except OSError as error:
        raise NotFound(f"--ssh: {path}: {error.strerror}") from None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InvalidInput(f"--ssh: {path} is neither a key's file nor the socket of an agent")
        return file.read(_LARGEST)


def _unusable(path: str) -> RootlessError:
    return InvalidInput(f"--ssh: {path} is no private key of ed25519, RSA or ECDSA", hint=_by_agent(path))


def _by_agent(path: str) -> str:
    return f"give it to an agent: eval $(ssh-agent); ssh-add {path}; then name that: --ssh default"
