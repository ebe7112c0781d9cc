"""The key of a step: what its result depends on, and nothing else.

    key = sha256(kind, parent, the instruction expanded, and what it reads)

`parent` names the files below the step, not how they came: `chain()` of the layers. A step that was done again
has another name than before, so what stood on its old result is not taken for standing on the new one; a step
that changed nothing leaves the chain as it was. Metadata is not in it: an ENV counts where a RUN gets it in its
environment, a LABEL nowhere. Pure.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from rootless import jsontext
from rootless.build.plan.steps import CopyStep, RunStep, WorkdirStep


class Key(NamedTuple):
    """`hex` names the record; `parts` say what it was made of, for --explain-cache."""

    hex: str
    parts: dict[str, Any]


def make(parts: dict[str, Any]) -> Key:
    """The key of what `parts` (JSON) say."""
    text = jsontext.dumps(parts, sort_keys=True, separators=(",", ":"))
    return Key(hashlib.sha256(text.encode()).hexdigest(), parts)


def base_chain(diff_ids: list[str] | tuple[str, ...]) -> str:
    """The chain of an image's layers; of `scratch`, that of none."""
    return hashlib.sha256(("layers\0" + "\0".join(diff_ids)).encode()).hexdigest()


def chain(parent: str, step: str) -> str:
    """The chain with the result of a step on it; "" is a step that changed nothing."""
    return hashlib.sha256(f"{parent}\0{step}".encode()).hexdigest() if step else parent


def of_run(parent: str, step: RunStep, platform: str, mounts: list[dict[str, Any]], hostname: str) -> Key:
    """A RUN's. `mounts` as run_mounts.key_parts says them, with the digests of what they show. Not in it: the
    proxies, contents of secrets and caches, agents, limits, names added to /etc/hosts."""
    return make(
        {
            "kind": "run",
            "parent": parent,
            "command": list(step.args),
            "environment": [list(pair) for pair in sorted(step.env)],
            "working directory": step.cwd,
            "user": step.user,
            "network": step.network,
            "security": step.security,
            "devices": [list(device) for device in step.devices],
            "mounts": mounts,
            "files": [[file.path, file.content, file.mode] for file in step.files],
            "platform": platform,
            "hostname": hostname,
        }
    )


def of_workdir(parent: str, step: WorkdirStep, platform: str) -> Key:
    """A WORKDIR's: its directory, and whose it is to be."""
    return make(
        {"kind": "workdir", "parent": parent, "path": step.path, "user": step.user, "platform": platform}
    )


def of_copy(parent: str, step: CopyStep, digest: str) -> Key:
    """A COPY's or ADD's: `digest` is of all that will be written, and where. A linked one has no parent: its layer
    is the same whatever it lies on."""
    return make({"kind": "copy", "parent": parent, "destination": step.destination, "files": digest})


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first part that is not as it was, for a person: `environment: +A=2 -A=1`."""
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name == "parent":
            return "parent: the files below this step are others"
        if isinstance(old, list) and isinstance(new, list):
            more = [f"+{_word(item)}" for item in new if item not in old]
            less = [f"-{_word(item)}" for item in old if item not in new]
            return f"{name}: " + (" ".join([*more, *less])[:500] or "in another order")
        if isinstance(old, dict) and isinstance(new, dict):
            inner = difference(old, new)
            return f"{name}: {inner}"
        return f"{name}: {_word(new)}, was {_word(old)}"[:500]
    return "nothing: its result is not there any more"


def _word(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value):
        return "=".join(value)
    return value if isinstance(value, str) else jsontext.dumps(value)
