"""The confinement of a new container, before any --security-opt (options/security_words.py). Hot path."""

from __future__ import annotations

from rootless.engine.state.config import Security


def asked(*, privileged: bool, cap_add: list[str], cap_drop: list[str]) -> Security:
    """The confinement without any --security-opt."""
    return {
        "privileged": privileged,
        "cap_add": cap_add,
        "cap_drop": cap_drop,
        # --privileged is for what needs all rights: programs that gain them by their files, too.
        "no_new_privileges": not privileged,
        "seccomp": "",
        "apparmor": "",
        "label": [],
        "unmask": [],
        "mask": [],
    }
