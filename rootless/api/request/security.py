"""SecurityOpt, capabilities and masked paths of a request."""

from __future__ import annotations

import hashlib
import json
import os

from rootless import atomic
from rootless.api.request.fields import Fields
from rootless.api.words import ApiWord
from rootless.engine.options import security_words
from rootless.engine.state import security
from rootless.engine.state.config import Security
from rootless.errors import InvalidInput
from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.storage.store import Store, make_directory


def confinement(store: Store, host: Fields) -> Security:
    """The confinement that HostConfig asks for. A seccomp profile is the text that the client has read, and is kept."""
    found = security.asked(
        privileged=host.flag("Privileged"),
        cap_add=[*host.texts("CapAdd")],
        cap_drop=[*host.texts("CapDrop")],
    )
    for word in host.texts("SecurityOpt"):
        key, separator, value = _split(word)
        if key == "seccomp" and separator and value not in ("unconfined", "builtin"):
            found["seccomp"] = _kept_profile(store, value)
        else:
            security_words.apply(found, word)
    _paths(found, host)
    return found


def _split(word: ApiWord) -> tuple[str, str, str]:
    """moby's: `=`, and the `:` of old where there is none before it."""
    separator = "=" if "=" in word.partition(":")[0] or ":" not in word else ":"
    return word.partition(separator)


def _kept_profile(store: Store, text: str) -> str:
    """The path of the file that has the profile. InvalidInput for what is none: a path, too, since the client has read it."""
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise InvalidInput(
            "Decoding seccomp profile failed: it is no JSON object with a defaultAction",
            hint="clients of the API send the profile itself, not its path",
        )
    data = text.encode()
    make_directory(f"{store.root}/seccomp")
    path = f"{store.root}/seccomp/{hashlib.sha256(data).hexdigest()}.json"
    if not os.path.exists(path):
        atomic.write_bytes(path, data)
    return path


def _paths(found: Security, host: Fields) -> None:
    """MaskedPaths and ReadonlyPaths: absent are the default ones; empty is `systempaths=unconfined`."""
    if "MaskedPaths" not in host and "ReadonlyPaths" not in host:
        return
    masked = [*host.texts("MaskedPaths")] if "MaskedPaths" in host else [*MASKED_PATHS]
    readonly = [*host.texts("ReadonlyPaths")] if "ReadonlyPaths" in host else [*READONLY_PATHS]
    if not masked and not readonly:
        found["unmask"].append("ALL")
        return
    if extra := set(readonly) - set(READONLY_PATHS):
        raise InvalidInput(f"ReadonlyPaths: {sorted(extra)[0]} cannot be added", hint="the default ones can be left out")
    found["mask"] += [path for path in masked if path not in MASKED_PATHS]
    found["unmask"] += [path for path in (*MASKED_PATHS, *READONLY_PATHS) if path not in (*masked, *readonly)]
