"""containers-policy.json(5): what an image must show before it is pulled or loaded.

Read from ~/.config/containers/policy.json, or /etc/containers/policy.json; without either all images are accepted,
as Docker accepts them. What this file asks for and we cannot check (GPG, Fulcio) is a refusal, never a pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rootless import paths
from rootless.errors import InvalidInput, NotSupported
from rootless.image.reference import Reference

if TYPE_CHECKING:
    from rootless.image.registry.client import Registry

_SYSTEM = "/etc/containers/policy.json"
_LIMIT_BYTES = 4 << 20
_ACCEPT = [{"type": "insecureAcceptAnything"}]


class Policy(NamedTuple):
    """The file `path` ("": there is none) as it was read."""

    path: str
    document: dict[str, Any]

    def requirements(self, transport: str, scopes: Sequence[str]) -> list[dict[str, Any]]:
        """What an image must show: of the first of `scopes` (most specific first) that the file has, else its
        transport's own, else the default. All of them are to hold. InvalidInput where the file is damaged."""
        transports = self.document.get("transports", {})
        entries = transports.get(transport, {}) if isinstance(transports, dict) else None
        if not isinstance(entries, dict):
            raise self._damaged("transports")
        for scope in (*scopes, ""):
            if scope in entries:
                return self._list(entries[scope], f"transports.{transport}[{scope!r}]")
        return self._list(self.document.get("default"), "default")

    def _list(self, value: Any, where: str) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
            raise self._damaged(where)
        return value

    def _damaged(self, where: str) -> InvalidInput:
        return InvalidInput(f"{self.path}: {where} is no list of requirements", hint="see containers-policy.json(5)")


def read() -> Policy:
    """The user's policy, or the administrator's. InvalidInput for one that cannot be read."""
    own = os.path.join(paths.config_home(), "containers/policy.json")
    for path in (own, _SYSTEM):
        try:
            with open(path, "rb") as file:
                document = json.loads(file.read(_LIMIT_BYTES), object_pairs_hook=_unambiguous)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"it is no JSON: {error}"[:100]
            raise InvalidInput(f"cannot read {path}: {reason}", hint="no image is trusted while it cannot be read") from None
        if not isinstance(document, dict):
            raise InvalidInput(f"{path} holds no JSON object", hint="see containers-policy.json(5)")
        unknown = sorted(document.keys() - {"default", "transports"})
        if unknown:  # misspelt, it would demand nothing
            raise InvalidInput(f"{path}: unknown key {unknown[0][:40]!r}", hint="see containers-policy.json(5)")
        return Policy(path, document)
    return Policy("", {"default": _ACCEPT})


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; ValueError where a key is there twice, of which one would count and a reader see the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def check_pull(reference: Reference, registry: Registry, digests: Sequence[str]) -> None:
    """Refuse, with NotSupported, the image `reference` as found at `registry` where the policy does not allow it.

    `digests` are those of its manifest and, where there is one, of the index that named it: a signature of either
    will do, for the one holds the other.
    """
    policy = read()
    for requirement in policy.requirements("docker", scopes(reference)):
        kind = requirement.get("type")
        if kind == "insecureAcceptAnything":
            continue
        if kind == "sigstoreSigned":
            from rootless.image.trust import signatures

            signatures.require(requirement, reference, registry, digests, where=policy.path)
            continue
        raise _refused(kind, reference.familiar(), policy)


def check_archive(transport: str, path: str) -> None:
    """Refuse, with NotSupported, an archive (`docker-archive`, `oci-archive`, ...; "-" is stdin) where the policy
    wants more of it than to be there: archives carry no signatures."""
    policy = read()
    for requirement in policy.requirements(transport, _directories(path)):
        if requirement.get("type") != "insecureAcceptAnything":
            raise _refused(requirement.get("type"), path, policy)


def _directories(path: str) -> list[str]:
    """The scopes of an archive: its path without links, and the directories above it."""
    if path == "-":
        return []
    found = [os.path.realpath(path)]
    while len(found[-1]) > 1:
        found.append(os.path.dirname(found[-1]))
    return found


def scopes(reference: Reference) -> list[str]:
    """The scopes of `docker` that hold the image, most specific first; a host's name in capitals is the same host."""
    small = reference._replace(registry=reference.registry.lower())
    return [scope for pair in zip(_as_written(reference), _as_written(small), strict=True) for scope in pair]


def _as_written(reference: Reference) -> list[str]:
    found = [reference.canonical]
    path = reference.name
    while True:
        found.append(path)
        if "/" not in path:
            break
        path = path.rpartition("/")[0]
    labels = reference.registry.partition(":")[0].split(".")
    return [*found, *("*." + ".".join(labels[at:]) for at in range(1, len(labels)))]


def _refused(kind: object, name: str, policy: Policy) -> NotSupported:
    by = f"by {policy.path}; see containers-policy.json(5)"
    if kind == "reject":
        return NotSupported(f"Source image rejected: running image {name} is rejected by policy", hint=by)
    if kind == "sigstoreSigned":
        return NotSupported(f"Source image rejected: a signature is required, and {name} comes from an archive", hint=by)
    return NotSupported(
        f"Source image rejected: the policy wants {str(kind)[:40]!r} of {name}, which rootless cannot check",
        hint=f"{by}: sigstoreSigned with a key is what can be checked",
    )
