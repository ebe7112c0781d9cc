"""The hub's namespace: asked for at the session's holder."""

from __future__ import annotations


def open_hub() -> int:
    """The session's hub as a descriptor, the caller's to close. From inside the session or outside.

    NotSupported with the reason where the host allows no network namespace.
    """
    raise NotImplementedError
