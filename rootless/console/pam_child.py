"""One question to PAM: the password comes on standard input. Status 0: it is right; 1: it is not; 2: there is no answer.

Run as a program, outside the session's user namespace: unix_chkpwd(8) needs the rights of its file.
"""

from __future__ import annotations

import sys

_LIMIT = 4096


def main(user: str, service: str) -> int:
    """`resetcreds` would set credentials, which only root may: a right password would seem wrong."""
    from pam import PamAuthenticator

    password = sys.stdin.buffer.read(_LIMIT + 1)
    if not password or len(password) > _LIMIT or b"\0" in password:
        return 1
    # Authentication, then the account: one that is locked or has expired may not log in.
    return 0 if PamAuthenticator().authenticate(user, password, service=service, resetcreds=False) else 1


if __name__ == "__main__":
    try:
        status = main(*sys.argv[1:])
    except Exception:  # noqa: BLE001 whatever it is: no answer is not a yes
        status = 2
    sys.exit(status)
