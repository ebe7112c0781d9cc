"""Logging in by the owner's password: how often it may be guessed, what PAM says to a wrong one, where it cannot be asked.

The right one needs an account with a password: tests/vm/test_console.py has one.
"""

from __future__ import annotations

from rootless.console import passwords
from rootless.console.passwords import Guesses
from tests.harness.command import Rootless
from tests.harness.console import HOST, Console

ORIGIN = {"Origin": f"http://{HOST}"}


def test_guesses_are_bounded() -> None:
    now = 100.0
    guesses = Guesses(lambda: now)
    for _ in range(passwords.FREE_GUESSES):
        assert guesses.pause_s() == 0
        guesses.failed()
    pauses = []
    for _ in range(10):
        pauses.append(guesses.pause_s())
        now += guesses.pause_s()
        guesses.failed()
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == passwords.LONGEST_PAUSE_S
    guesses.succeeded()
    assert guesses.pause_s() == 0


def test_a_wrong_password_is_none(rootless: Rootless) -> None:
    """Through the machine's own PAM; after a few it is not asked any more."""
    console = Console(rootless, "--login", "pam")
    assert 'name="password"' in console.ask("GET", "/login").text
    statuses = [
        console.ask("POST", "/login/password", {"password": word}, ORIGIN).status
        for word in ("wrong", "", "a\0b", "x" * 5000, "\ud800", "wrong", "wrong")
    ]
    assert statuses == [403] * 5 + [429] * 2
    assert console.ask("POST", "/login/password", {"password": ["wrong"]}, ORIGIN).status == 400
    assert console.ask("POST", "/login/password", {"password": "wrong"}).status == 403, "without an Origin: no page of ours"
    assert console.log_in(), "the link works all the same"
    assert console.stop() == 0


def test_where_pam_cannot_be_asked_it_is_said(rootless: Rootless) -> None:
    rootless.argv = ["setpriv", "--no-new-privs", *rootless.argv]
    result = rootless("console", "--login", "pam", status=1)
    assert "no_new_privs" in result.stderr
    assert "leave --login out" in result.stderr
    del rootless.argv[:2]
    console = Console(rootless)
    assert 'name="password"' not in console.ask("GET", "/login").text
    assert console.ask("POST", "/login/password", {"password": "wrong"}, ORIGIN).status == 404
    assert console.stop() == 0
