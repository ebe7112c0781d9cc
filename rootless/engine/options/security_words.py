"""--security-opt: a user's words as confinement. Imported where one is written."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any

from rootless.errors import InvalidInput, NotSupported


def apply(found: Any, word: str, known: Callable[[str], NotSupported | None] = lambda word: None) -> None:
    """Note one word in `found`, a container's Security. InvalidInput; or what is `known` of it and why it is not ours."""
    key, _, value = word.replace(":", "=", 1).partition("=") if "=" not in word else word.partition("=")
    if key == "no-new-privileges" and value in ("", "true", "false"):
        found["no_new_privileges"] = value != "false"
    elif key == "landlock" and value in ("on", "off"):
        found["landlock"] = value
    elif key == "seccomp" and value:
        found["seccomp"] = value if value in ("unconfined", "builtin") else os.path.abspath(value)
    elif key == "apparmor" and value:
        found["apparmor"] = value
    elif key == "label" and value:
        found["label"].append(value)
    elif key in ("mask", "unmask") and value:
        (found["unmask"] if key == "unmask" else found["mask"]).extend(value.split(":"))
    elif key == "systempaths" and value == "unconfined":
        found["unmask"].append("ALL")
    else:
        raise known(word) or InvalidInput(f"invalid --security-opt: {shlex.quote(word)}")
