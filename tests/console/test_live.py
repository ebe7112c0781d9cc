"""Events, and several logs at once: as they were and as they come, bounded, whatever they say."""

from __future__ import annotations

import html
import http.client
import json
import re
from typing import Any

from rootless.console.pages import several_logs
from tests.harness.command import Rootless
from tests.harness.console import Browser, Console

EVIL = "<img src=x onerror=alert(1)>\x1b]0;x\x07\u202e"


def heard(stream: http.client.HTTPResponse, count: int) -> list[tuple[str, dict[str, Any]]]:
    """So many events of a page: their ids and documents."""
    found: list[tuple[str, dict[str, Any]]] = []
    identifier = ""
    while len(found) < count:
        line = stream.readline().decode()
        assert line, "the stream ended"
        if line.startswith("id: "):
            identifier = line[4:].strip()
        elif line.startswith("data: "):
            found.append((identifier, json.loads(line[6:])))
    return found


def test_events_of_the_last_hour_and_from_now_on(console: Console, browser: Browser, box: str, rootless: Rootless) -> None:
    cookie = {"Cookie": browser.cookie}
    rootless("volume", "create", "strange")
    rootless("create", "--name", "evil", "-l", f"said={EVIL}", "--network", "none", "busybox")
    page = browser.page("/events")
    assert "rootless events --since 1h" in page
    assert not set(page) & set("\x1b\x07\u202e")
    assert re.search(rf"start</td><th scope=\"row\" class=\"wrap\">{box}</th>", page)
    assert ">strange</th>" in page
    assert f"said={html.escape('<img src=x onerror=alert(1)>')}" in page
    assert "--filter type=container" in browser.page("/events?type=container")
    assert ">strange</th>" not in browser.page("/events?type=container")
    since = re.search(r'data-since="([^"]+)"', page)
    assert since
    with console.open("GET", f"/events/follow?type=container&since={since[1]}", headers=cookie) as stream:
        assert stream.getheader("content-type") == "text/event-stream"
        rootless("volume", "rm", "strange")
        rootless("pause", box)
        (identifier, first), = heard(stream, 1)
        assert (first["type"], first["action"], first["name"]) == ("container", "pause", box)
    rootless("unpause", box)
    rootless("rm", "evil")
    # A browser that was away says what it has: that does not come again.
    with console.open("GET", "/events/follow?type=container&since=1", headers={**cookie, "Last-Event-ID": identifier}) as stream:
        (_, first), = heard(stream, 1)
        assert first["action"] == "unpause"
    # Who looks changes nothing: a page of a container looks at its processes, which is an event, and would look again for ever.
    with console.open("GET", "/changes", headers=cookie) as stream:
        browser.page(f"/containers/{box}")
        rootless("pause", box)
        assert heard(stream, 1)[0][1] == {"type": "container", "action": "pause"}
    rootless("unpause", box)
    for path in ("/events?type=nonsense", "/events/follow?since=x;id", "/events/follow?type=%22"):
        assert browser.get(path).status == 400, path


def test_several_logs_in_one(console: Console, browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    cookie = {"Cookie": browser.cookie}
    script = 'echo "first $1"; until test -e /tmp/go; do sleep .1; done; printf "%s %s\\n" "$1" "$2"; echo wrong >&2; exec sleep 1000'
    names = ["one", "two"]
    for name in names:
        options = ("-d", "--name", name, "--network", "none", "--stop-timeout", "0")
        rootless("run", *options, busybox_image, "sh", "-c", script, "sh", name, EVIL)
    choice = browser.page("/logs")
    assert 'value="one"' in choice
    assert 'id="log"' not in choice
    address = "/logs?name=one&name=two&name=one"
    page = browser.page(address)
    while not ("first one" in page and "first two" in page):
        page = browser.page(address)
    assert "<b>● one</b>" in page
    assert "<b>■ two</b>" in page
    assert 'data-follow="/logs/follow?name=one&amp;name=two&amp;"' in page
    assert "rootless logs -f -t two" in page
    since = re.search(r'data-since="([^"]+)"', page)
    assert since
    with console.open("GET", f"/logs/follow?name=one&name=two&since={since[1]}", headers=cookie) as stream:
        for name in names:
            rootless("exec", name, "touch", "/tmp/go")
        found = heard(stream, 4)
    lines = {(line["who"], line["stream"], line["text"]) for _, line in found}
    shown = EVIL.replace("\x1b", "\ufffd").replace("\x07", "\ufffd").replace("\u202e", "\ufffd")
    assert lines == {(who, *rest) for who, name in (("● one", "one"), ("■ two", "two"))
                     for rest in (("stdout", f"{name} {shown}"), ("stderr", "wrong"))}  # fmt: skip
    # A browser that was away after the third has the fourth to come, and no other.
    with console.open("GET", "/logs/follow?name=one&name=two", headers={**cookie, "Last-Event-ID": found[2][0]}) as stream:
        (_, last), = heard(stream, 1)
        assert last == found[3][1]
        rootless("kill", *names)
        line = b""
        while line != b"event: end\n":
            line = stream.readline()
            assert line
    page = browser.page(address)
    assert html.escape("<img src=x onerror=alert(1)>") in page
    assert "<img src=x" not in page
    assert not set(page) & set("\x1b\x07\u202e")
    many = "&".join(f"name=c{number}" for number in range(several_logs.MOST + 1))
    assert browser.get(f"/logs?{many}").status == browser.get(f"/logs/follow?{many}").status == browser.get("/logs/follow").status == 400
    for name in ("none", "..", "a%2fb", "%2e%2e%2fvolumes", "$(id)"):
        assert browser.get(f"/logs?name={name}").status in (400, 404), name
        assert browser.get(f"/logs/follow?name=one&name={name}").status in (400, 404), name
    rootless("rm", "-f", *names)
