"""Who gets in: by a link, once; from where it may be asked; and out again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.console import HOST, Browser, Console, secret_of

ORIGIN = {"Origin": f"http://{HOST}"}


def test_a_link_logs_in_once(console: Console, rootless: Rootless) -> None:
    """The printed one; and a new one, which a second `rootless console` prints, and nobody else gets."""
    assert f"-L 8080:{console.path} " in console.said
    assert console.path.stat().st_mode & 0o777 == 0o600
    assert console.ask("POST", "/login", {"secret": "x" * 43}, ORIGIN).status == 403
    browser = console.log_in()
    assert console.ask("POST", "/login", {"secret": console.secret}, ORIGIN).status == 403
    assert "HttpOnly; SameSite=Strict; Path=/" in console.ask(
        "POST", "/login", {"secret": secret_of(rootless("console").stdout)}, ORIGIN
    ).headers["set-cookie"]  # fmt: skip
    assert console.ask("POST", "/link").status == 403
    assert console.ask("POST", "/link", headers={"X-Rootless-Key": "guess"}).status == 403
    key = json.loads((console.path.parent / "console.json").read_text())["key"]
    assert console.ask("POST", "/link", headers={"X-Rootless-Key": key}).status == 200
    assert console.ask("POST", "/link", headers={"X-Rootless-Key": key, **ORIGIN}).status == 404, "no page asks for links"
    assert "Containers" in browser.page("/containers")


LONG = b'{"secret": "' + b"x" * 2_000_000 + b'"}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"secret": 1}', b"secret=x", b"[" * 100_000, LONG])
def test_what_is_no_login_is_refused(console: Console, body: bytes) -> None:
    assert console.ask("POST", "/login", body, {"Content-Type": "application/json", **ORIGIN}).status in (400, 403, 413)


def test_nothing_but_the_login_is_for_everybody(console: Console, browser: Browser) -> None:
    """Every path of the table, by each method, without a cookie; and with one, without the page's token."""
    paths = ["/", "/containers", "/containers/box", "/containers/box/logs", "/containers/box/logs.txt", "/containers/box/logs/follow",
             "/containers/box/stats", "/containers/box/terminal", "/images", "/run",
             "/images/aaaaaaaaaaaa", "/volumes", "/networks", "/projects",
             "/system", "/doctor", "/changes"]  # fmt: skip
    for path in paths:
        tossed = {"Cookie": f"{browser.cookie.partition('=')[0]}=x; {browser.cookie}"}
        assert path != "/containers" or console.ask("GET", path, headers=tossed).status == 200, "another port's cookie locks out"
        for headers in ({}, {"Cookie": "rootless-console-8080=guess"}, {"Cookie": browser.cookie.replace("8080", "8081")}):
            answer = console.ask("GET", path, headers=headers)
            assert answer.status == 401, path
            assert "token" not in answer.text
    changes = ["/logout", "/tickets", "/containers/box/stop", "/run", "/images/pull", "/images/aaaaaaaaaaaa/remove", "/volumes/a/remove",
               "/networks/a/remove", "/prune/volumes"]  # fmt: skip
    for path in changes:
        assert console.ask("POST", path, {}, ORIGIN).status == 401, path
        for wrong in ("", "x", "\u00e9".encode().decode("latin-1")):
            answer = console.ask("POST", path, {}, {**browser.headers, "X-Rootless-Token": wrong})
            assert answer.status == 403, path
        for origin in ("http://localhost:9999", "null", "https://evil.example"):
            assert browser.post(path, Origin=origin).status == 403, path
        assert console.ask("POST", path, {}, {**browser.headers, "Sec-Fetch-Site": "same-site"}).status == 403
        form = {**browser.headers, "Content-Type": "application/x-www-form-urlencoded"}
        if path not in ("/logout", "/tickets"):
            assert console.ask("POST", path, b"a=b", form).status in (404, 415), path
    assert browser.get("/plugins").status == browser.get("/containers/json").status == 404
    assert browser.get("/containers/..").status == browser.get("/static/..%2fapp.py").status == 404
    assert console.ask("GET", "/containers", headers={"Cookie": browser.cookie, "Host": "evil.example"}).status == 403


def test_every_answer_has_its_walls(console: Console, browser: Browser) -> None:
    for path in ("/containers", "/login", "/nothing", "/static/console.js"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["cache-control"] == ("private, max-age=3600" if "static" in path else "no-store")


def test_logging_out_ends_everything(console: Console, browser: Browser, box: str, rootless: Rootless) -> None:
    """All sessions, and what their pages follow."""
    other = console.log_in(secret_of(rootless("console").stdout))
    with console.open("GET", "/changes", headers={"Cookie": other.cookie}) as followed:
        assert followed.status == 200
        assert browser.post("/logout").status == 200
        assert browser.get("/containers").status == other.get("/containers").status == 401
        rootless("pause", box)  # the next event is not told any more
        rootless("unpause", box)
        assert b"pause" not in followed.read()


def test_two_consoles(console: Console, rootless: Rootless, tmp_path: Path) -> None:
    """One a user and runtime directory; elsewhere it is not started a second time by accident."""
    result = rootless("console", "--listen", "127.0.0.1:0", status=1)
    assert "runs already" in result.stderr
    result = rootless("console", "--listen", "0.0.0.0:0", status=1, env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert "ssh -L" in result.stderr
