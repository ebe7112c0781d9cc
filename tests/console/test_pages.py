"""What the pages show of real containers, and what their buttons do."""

from __future__ import annotations

import html
import json
import re

from tests.harness.command import Rootless
from tests.harness.console import Browser, Console

EVIL = '"><script src=//evil.example></script><img src=x onerror=alert(1)>&amp;\x1b]0;x\x07\u202e'


def test_a_container_from_its_list_to_its_end(browser: Browser, box: str, rootless: Rootless) -> None:
    """Each button that is offered does what its command line says, and is gone when it makes no sense."""
    listing = browser.page("/containers")
    assert f'href="/containers/{box}"' in listing
    assert 'data-command="rootless stop box"' in listing
    page = browser.page(f"/containers/{box}")
    for wall in rootless("inspect", "-f", "{{range .Walls}}{{.Name}}={{.State}}\n{{end}}", box).lines:
        if wall:
            name, _, state = wall.partition("=")
            assert re.search(rf"{re.escape(name)}</th>.*{state}</span>", page), wall
    for verb, expected in (("pause", "paused"), ("unpause", "running"), ("restart", "running"), ("kill", "exited"), ("start", "running"),
                           ("stop", "exited")):  # fmt: skip
        assert f'data-post="/containers/{box}/{verb}"' in browser.page("/containers"), verb
        answer = browser.post(f"/containers/{box}/{verb}")
        assert answer.status == 200, (verb, answer)
        assert json.loads(answer.body)["command"] == f"rootless {verb} {box}"
        rootless("wait", box) if expected == "exited" else None
        assert rootless("inspect", "-f", "{{.State.Status}}", box).stdout.strip() == expected
    assert f'data-post="/containers/{box}/stop"' not in browser.page("/containers")
    assert browser.post(f"/containers/{box}/explode").status == 404
    assert browser.post(f"/containers/{box}/pause").status == 409
    assert browser.post(f"/containers/{box}/remove").status == 200
    assert browser.get(f"/containers/{box}").status == 404
    assert "no container yet" in browser.page("/containers")


def test_why_a_container_ended_is_shown(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--name", "failed", "--network", "none", busybox_image, "sh", "-c", "exit 7", status=7)
    page = browser.page("/containers/failed")
    assert "status 7" in page
    rootless("rm", "failed")


def test_a_strangers_words_are_text(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    """HTML, JavaScript, terminal sequences and writing turned around, in everything that an image or a container can say."""
    rootless(
        "run", "-d", "--name", "evil", "--network", "none", "--hostname", "h", "-l", f"com.docker.compose.project={EVIL}",
        "-l", f"com.docker.compose.service={EVIL}", "-l", f"{EVIL}={EVIL}", "-e", f"X={EVIL}", "-v", "data:/a<b>&c",
        "--health-cmd", f"echo '{EVIL.replace(chr(39), '')}'", "--health-start-period", "1s", "--health-interval", "1h", busybox_image,
        "sh", "-c", "printf '%s\\n' \"$X\"; sleep 1000; true \"$X\"",
    )  # fmt: skip
    rootless("healthcheck", "run", "evil")
    rootless("commit", "-q", "-c", f"CMD {json.dumps([EVIL])}", "evil", "evil:latest")
    image = rootless("images", "-q", "--no-trunc", "evil").stdout.strip().removeprefix("sha256:")
    paths = ["/containers", "/containers/evil", "/containers/evil/logs", "/containers/evil/terminal", "/projects", "/images", "/volumes",
             f"/images/{image}"]  # fmt: skip
    for path in paths:
        page = browser.page(path)
        assert "<script src=//evil" not in page, path
        assert "<img" not in page, path
        assert not set(page) & set("\x1b\x07\u202e"), path
    assert html.escape("<img src=x onerror=alert(1)>") in browser.page("/containers/evil")
    assert html.escape("<img src=x onerror=alert(1)>") in browser.page("/containers/evil/logs")
    assert "onerror" not in browser.page("/projects")  # a label makes no project
    rootless("rm", "-fv", "evil")
    rootless("rmi", "evil:latest")
    rootless("volume", "rm", "-f", "data")


def test_nothing_of_an_address_is_a_command(browser: Browser, box: str) -> None:
    """Cockpit's CVE-2026-4802: a log viewer's parameters reached a shell."""
    for name in ("$(id)", "a;id", "--help", "-f", "..", "a%2f..%2fb", "box%00", "box%0a"):
        assert browser.get(f"/containers/{name.replace(';', '%3b').replace('$', '%24')}/logs").status == 404, name
    answer = browser.get(f"/containers/{box}/logs/follow?since=$(id)&follow=0&tail=1;id")
    assert answer.status in (200, 400)
    assert b"uid=" not in answer.body


def test_images_volumes_networks(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    """Shown with who uses them, removed by a button; the engine's refusal is shown in its own words."""
    rootless("volume", "create", "kept")
    rootless("network", "create", "inner", "--internal")
    rootless("create", "--name", "user", "--network", "inner", "-v", "kept:/kept", busybox_image)
    try:
        assert 'href="/containers/user"' in browser.page("/volumes")
        assert 'href="/containers/user"' in browser.page("/networks")
        assert "internal" in browser.page("/networks")
        refused = browser.post("/volumes/kept/remove")
        assert (refused.status, "in use" in refused.message) == (409, True), refused
        identifier = rootless("images", "-q", "--no-trunc", busybox_image).stdout.split()[0].removeprefix("sha256:")
        assert "Layers" in browser.page(f"/images/{identifier}")
        assert browser.post(f"/images/{identifier}/remove").status == 409
    finally:
        rootless("rm", "-f", "user")
    assert browser.post("/volumes/kept/remove").status == browser.post("/networks/inner/remove").status == 200
    assert rootless("volume", "ls", "-q").stdout == ""
    rootless("volume", "create", "kept")
    assert json.loads(browser.post("/prune/containers").body)["command"] == "rootless container prune --force"
    assert browser.post("/prune/everything").status == 404
    assert browser.post("/images/pull", {"image": ""}).status == 400
    failed = browser.post("/images/pull", {"image": "localhost:1/none:none"})
    assert "localhost:1" in failed.text
    assert rootless("volume", "ls", "-q").stdout == "kept\n"
    rootless("volume", "rm", "kept")
    assert "processors" in browser.page("/system")
    page, found = browser.page("/doctor"), json.loads(rootless("doctor", "--json").stdout)
    assert found["can_run"]
    assert "Containers can run here." in page
    for each in found["findings"]:
        assert html.escape(each["name"], quote=False) in page


def test_what_happens_is_told(console: Console, browser: Browser, box: str, rootless: Rootless) -> None:
    """Events, figures and the log, as they come; they end with the page."""
    with console.open("GET", "/changes", headers={"Cookie": browser.cookie}) as changes:
        assert changes.getheader("content-type") == "text/event-stream"
        rootless("pause", box)
        rootless("unpause", box)
        heard = b""
        while b'"unpause"' not in heard:
            heard += changes.readline()
        assert b'{"type": "container", "action": "pause"}' in heard
    with console.open("GET", f"/containers/{box}/stats", headers={"Cookie": browser.cookie}) as stats:
        line = b""
        while not line.startswith(b"data: "):
            line = stats.readline()
        assert json.loads(line.removeprefix(b"data: "))["memory"] > 0
    page = browser.page(f"/containers/{box}/logs")
    since = re.search(r'data-since="([^"]+)"', page)
    assert since
    assert "<span>ready</span>" in page
    with console.open("GET", f"/containers/{box}/logs/follow?since={since[1]}", headers={"Cookie": browser.cookie}) as log:
        rootless("exec", box, "sh", "-c", "printf '<b>\\303\\244 late\\033[31m\\n' > /proc/1/fd/1", status=None)
        line = b""
        while not line.startswith(b"data: "):
            line = log.readline()
        assert json.loads(line.removeprefix(b"data: "))["text"] == "<b>\u00e4 late\ufffd[31m"
    with console.open("GET", f"/containers/{box}/logs/follow?since={since[1]}", headers={"Cookie": browser.cookie}) as log:
        # A line of 40 kB in pieces, and returns that would end an event's line: still one document each, with the engine's times.
        long = "head -c 40000 /dev/zero | tr '\\0' x >/proc/1/fd/1"
        rootless("exec", box, "sh", "-c", f"{long}; printf '\\revent: end\\rdata: 1\\n' >/proc/1/fd/1")
        rootless("exec", box, "sh", "-c", "echo over >/proc/1/fd/1")
        heard = b""
        while b'over"' not in heard:
            line = log.readline()
            assert line.startswith((b"retry: ", b"id: ", b"data: {", b"\n")), line
            assert b"\r" not in line
            heard += line
    answer = browser.get(f"/containers/{box}/logs.txt")
    assert answer.headers["content-disposition"] == 'attachment; filename="box.log"'
    assert answer.body.count(b"\n") == 4
