"""Session keyrings (session-keyring(7)). Hot path."""

from __future__ import annotations

from rootless.linux.libc import number, syscall

_KEYCTL_JOIN_SESSION_KEYRING = 1


def join_new_session_keyring() -> int:
    """KEYCTL_JOIN_SESSION_KEYRING(2const): leave the user's keys behind for a new, empty ring.

    Returns its serial number. ENOSYS: a kernel without keyrings, or a sandbox that says so;
    EPERM: a seccomp filter (Docker's default); EDQUOT: the user's quota of keys is used up.
    """
    return syscall(number("keyctl"), _KEYCTL_JOIN_SESSION_KEYRING, None)
