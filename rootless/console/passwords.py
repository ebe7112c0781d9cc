"""Logging in by the owner's own password, through PAM: pam(8), unix_chkpwd(8), as an ordinary user may.

pam_unix asks a set-id helper, which answers for the account of its caller alone. So there is one account that can log in, and no
name to type. A guess counts where PAM counts (pam_faillock(8) can lock the account everywhere): so guesses are bounded here first.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import Callable

from rootless.console.request import Problem

PATIENCE_S = 30.0
"""Seconds that PAM has, its own delay after a wrong password included."""
FREE_GUESSES = 5
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0
SERVICES = "/etc/pam.d"
OWN_SERVICE = "rootless"


def service() -> str:
    """The name PAM knows us by: `rootless` where an administrator has said what that is, else what `login` asks for."""
    return OWN_SERVICE if os.path.exists(f"{SERVICES}/{OWN_SERVICE}") else "login"


class Guesses:
    """How often it may be tried: FREE_GUESSES, then one after each pause, which doubles. A right one forgets them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong = 0
        self._next_s = 0.0

    def pause_s(self) -> float:
        """Seconds until the next one; 0: now."""
        return max(0.0, self._next_s - self._clock())

    def failed(self) -> None:
        """It was wrong."""
        self._wrong += 1
        if self._wrong >= FREE_GUESSES:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._wrong - FREE_GUESSES, 16))
            self._next_s = self._clock() + pause

    def succeeded(self) -> None:
        """It was right."""
        self._wrong, self._next_s = 0, 0.0


class Passwords:
    """The owner's password, asked of PAM one at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._guesses = Guesses(clock)
        self._asking = asyncio.Lock()

    async def check(self, password: str) -> None:
        """Return where it is right. Problem 403 where not, 429 where it was tried too often, 503 where PAM does not answer."""
        async with self._asking:
            if pause := self._guesses.pause_s():
                raise Problem(429, f"too many wrong passwords: again in {pause:.0f} seconds, or by a link of `rootless console`")
            # Counted before it is asked: who hangs up meanwhile has guessed, too.
            self._guesses.failed()
            right = await asyncio.shield(asyncio.ensure_future(self._ask(password)))
            if not right:
                raise Problem(403, f"this is not the password of {self.user}, or the account may not log in")
            self._guesses.succeeded()

    async def _ask(self, password: str) -> bool:
        """By a process of its own: a module of PAM may hang, leak, change signals."""
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        words = [sys.executable, "-I", f"{os.path.dirname(os.path.abspath(__file__))}/pam_child.py", self.user, service()]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=null, stderr=null, env=environment)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.communicate(password.encode("utf-8", "surrogatepass"))
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Problem(503, f"PAM did not answer in {PATIENCE_S:.0f} seconds") from None
        if process.returncode not in (0, 1):
            raise Problem(503, "PAM could not be asked: `rootless doctor` says why")
        return process.returncode == 0
