"""Which requests are looked at, at all."""

from __future__ import annotations

import pytest

from rootless.console import guard

TUNNEL = guard.Rules((*guard.LOOPBACK, "desk.example"), None)
PORT = guard.Rules(guard.LOOPBACK, 8080)
OURS = {"host": "localhost:8080", "origin": "http://localhost:8080", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
VISIT = {"host": "localhost:8080", "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST:1", "127.0.0.1", "[::1]:9", "[::1]", "desk.example:8080"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    guard.check(TUNNEL, "GET", {"host": host})
    guard.check(TUNNEL, "POST", {"host": host, "origin": f"http://{host}"})


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost:8080@evil.example", "localhost:x", "::1", "[::1"]
)
def test_other_names_are_not(host: str) -> None:
    """DNS rebinding: a stranger's name that leads here."""
    with pytest.raises(guard.Refused):
        guard.check(TUNNEL, "GET", {"host": host})


def test_on_a_port_it_has_to_be_that_one() -> None:
    guard.check(PORT, "GET", {"host": "127.0.0.1:8080"})
    for host in ("127.0.0.1:8081", "127.0.0.1"):
        with pytest.raises(guard.Refused):
            guard.check(PORT, "GET", {"host": host})


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": None}, {"origin": "null"}, {"origin": "http://localhost:9999"}, {"origin": "http://evil.example"},
        {"origin": "http://localhost:8080.evil.example"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
    ],
)  # fmt: skip
def test_changes_come_from_our_own_pages(changed: dict[str, str | None]) -> None:
    """localhost:9999 may be another user's tunnel, and is the same site to a browser."""
    headers = {key: value for key, value in {**OURS, **changed}.items() if value is not None}
    guard.check(TUNNEL, "POST", OURS)
    for websocket, method in ((False, "POST"), (False, "DELETE"), (True, "GET")):
        if websocket and changed == {"sec-fetch-site": "none"}:
            continue
        with pytest.raises(guard.Refused):
            guard.check(TUNNEL, method, headers, websocket=websocket)


def test_reading_is_for_visits_and_our_own_pages() -> None:
    guard.check(TUNNEL, "GET", VISIT)
    guard.check(TUNNEL, "GET", {**VISIT, "sec-fetch-site": "cross-site"})  # a link in a chat: the cookie does not come along
    guard.check(TUNNEL, "GET", {**OURS})
    for changed in ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, {"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "cors"}):
        for site in ("same-site", "cross-site"):
            with pytest.raises(guard.Refused):
                guard.check(TUNNEL, "GET", {**VISIT, "sec-fetch-site": site, **changed})


def test_cookies_of_two_tunnels_are_two() -> None:
    assert guard.cookie_name("localhost:8080") != guard.cookie_name("localhost:8081")
    assert guard.cookies({"cookie": "a=1; rootless-console-80=x=y; b"}, "rootless-console-80") == ["x=y"]
    assert guard.cookies({}, "a") == []
