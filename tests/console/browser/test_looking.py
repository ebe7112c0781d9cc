"""How the pages are: for everybody to use, in every light and width, whatever a stranger's image says, and when something is gone."""

from __future__ import annotations

import contextlib
import html
import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.console.browser.conftest import log_in
from tests.harness.browser import Window
from tests.harness.command import Rootless
from tests.harness.console import Console

SCRIPT = "document.documentElement.dataset.evil = window.evil = 1"
EVIL = (
    f"'\"><script>{SCRIPT}</script><img src=x onerror='{SCRIPT}'>{{{{7*7}}}}</title></textarea><b id=main>&lt;"
    "\x1b]0;evil\x07\x1b[2J\u202e\u2028"
)
JAVASCRIPT = f"javascript:{SCRIPT}"
PAGES = ("/containers", "/containers/evil", "/containers/evil/logs", "/containers/evil/terminal", "/run", "/images", "/images/{image}",
         "/volumes", "/networks", "/projects", "/system", "/doctor", "/nothing", "/containers/evil/files?path=/tmp", "/volumes/data/files",
         "/logs?name=evil", "/events", "/build", "/disk")  # fmt: skip
NARROW = 320
DONE = """[window.evil, document.documentElement.dataset.evil, document.querySelectorAll('b#main, main img').length,
    [...document.querySelectorAll('[href], [src]')].filter((it) => /^ *javascript:/i.test(it.getAttribute('href') ?? it.src)).length]"""
WIDE = """return [...document.querySelectorAll('body *')].filter((each) => each.getBoundingClientRect().right > arguments[0]
    && !each.closest('.scroll, .log, #terminal, .skip, dialog')).map((each) => each.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def pages(rootless: Rootless, image: str) -> Iterator[list[str]]:
    """Every page, of a machine where all that can say something says EVIL."""
    label = "com.docker.compose.project"
    says = """printf '%s\n' "$X" "$X" >&2; printf '%s\n' "$X"; echo "$X" >"/tmp/$(echo "$X" | tr -d /)"; sleep 1000; true "$X" """
    rootless(
        "run", "-d", "--name", "evil", "--network", "none", "-l", f"{label}={EVIL}", "-l", f"{label}.service={EVIL}",
        "-l", f"{label}.config_files={JAVASCRIPT}", "-l", f"{EVIL}={EVIL}", "-e", f"X={EVIL}", "-e", f"Y={JAVASCRIPT}",
        "-v", "data:/a<b>&c",
        "-p", "127.0.0.1::80", "--health-cmd", 'echo "$X"', "--health-interval", "1h", image, "sh", "-c", says,
    )  # fmt: skip
    rootless("healthcheck", "run", "evil")
    rootless("commit", "-q", "-a", EVIL, "-m", EVIL, "-c", f"CMD {json.dumps([EVIL])}", "evil", "evil:latest")
    rootless("network", "create", "apart", "--label", f"{EVIL}={EVIL}")
    rootless("volume", "create", "unused", "--label", f"{EVIL}={EVIL}")
    found = rootless("images", "-q", "--no-trunc", "evil").stdout.strip().removeprefix("sha256:")
    yield [each.format(image=found) for each in PAGES]
    rootless("rm", "-fv", "evil")
    rootless("rmi", "evil:latest")
    rootless("volume", "rm", "-f", "data", "unused")
    rootless("network", "rm", "apart")


def test_a_strangers_words_do_nothing(page: Window, pages: list[str], rootless: Rootless) -> None:
    """No script of theirs runs, no element of theirs is there, and the policy had nothing to refuse."""
    for path in pages:
        page.open(path)
        page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        if path.endswith("/logs"):
            page.until_shown("<script>")
        if path.endswith("/terminal"):
            page.until("no prompt", "document.querySelector('.xterm-rows')?.textContent.includes('#')")
            page.until("it has no focus", "document.activeElement.classList.contains('xterm-helper-textarea')")
            page.press('echo "$X"; echo "<b>$((6 * 7))</b>"', Keys.ENTER)
            page.until("not shown", "document.querySelector('.xterm-rows').textContent.includes('<b>42</b>')")
        assert page.run(f"return {DONE}") == [None, None, 0, 0], path
        shown = page.run("document.getElementById('terminal')?.remove(); return document.body.innerText + document.title")
        assert not set(shown) & set("\x1b\x07\u202e\u2028"), path
        assert page.run("return document.querySelectorAll('#main').length") == 1
        assert page.refused() == [], path
    page.open("/containers/evil")
    assert "<script>" in page.run("return document.getElementById('environment').textContent")
    page.open("/containers")  # what changes is put into a page by a script: likewise
    rootless("pause", "evil")
    page.until_shown("Resume")
    rootless("unpause", "evil")
    page.until_gone("Resume")
    assert page.run("return window.evil") is None


def test_everybody_can_use_every_page(page: Window, pages: list[str]) -> None:
    """axe finds nothing, in light and dark; Tab leads to everything; nothing is too small, and nothing has to be scrolled sideways."""
    found: list[tuple[str, str]] = []
    for path in pages:
        page.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        page.open(path)
        found += [(path, each) for each in page.accessible()]
        found += [(path, f"Tab does not lead to {each}") for each in page.unreachable() if "xterm" not in each]
        light = page.run("return getComputedStyle(document.body).backgroundColor")
        page.width(NARROW)
        wide = page.run(WIDE, NARROW)
        if page.run("return document.documentElement.scrollWidth") > NARROW:
            found.append((path, f"wider than {NARROW} pixels: {wide}"))
        page.width(0)
        page.media(prefers_color_scheme="dark")
        found += [(f"{path}, dark", each) for each in page.accessible("color-contrast")]
        assert page.run("return getComputedStyle(document.body).backgroundColor") != light
        page.media()
    assert not found, "\n\n".join(f"{path}: {each}" for path, each in found)


def test_pages_are_read_without_scripts(page: Window, pages: list[str]) -> None:
    page.tell("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for path, text in (("/containers", "evil"), ("/containers/evil", "seccomp"), ("/containers/evil/logs", "<script>"),
                           ("/images", "busybox")):  # fmt: skip
            page.open(path)
            source = page.driver.page_source
            assert "Without JavaScript this page can be read" in source
            assert html.escape(text) in source, path
    finally:
        page.tell("Emulation.setScriptExecutionDisabled", value=False)


def test_a_theme_that_is_chosen_stays(page: Window) -> None:
    page.media(prefers_color_scheme="light")
    page.open("/images")
    for name in ("light", "dark"):
        page.click("#theme")
        page.until_shown(f"Theme: {name}")
    dark = page.run("return getComputedStyle(document.body).backgroundColor")
    page.open("/volumes")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == dark
    page.click("#theme")
    page.until_shown("Theme: auto")
    assert page.run("return getComputedStyle(document.body).backgroundColor") != dark


def _pids(option: str, value: int) -> list[int]:
    listing = subprocess.run(["ps", "-o", "pid=", option, str(value)], capture_output=True, text=True, check=True)
    return [int(pid) for pid in listing.stdout.split()]


@pytest.mark.usefixtures("console")
def test_what_is_gone_says_so_and_comes_back(page: Window, rootless: Rootless, image: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The engine's service killed: a page goes on by itself. The console killed: it says so, and asks to log in when one is there."""
    (rootless.runtime / "second").mkdir(mode=0o700)
    console = Console(Rootless(rootless.root, rootless.runtime / "second"), "--listen", "127.0.0.1:0")
    try:
        log_in(page, console.said)
        page.until("it follows nothing", "performance.getEntriesByType('resource').length && document.readyState === 'complete'")
        (service,) = _pids("--ppid", console.process.pid)
        (zygote,) = _pids("--ppid", service)
        for each in [service, *_pids("-s", zygote)]:  # the front alone would not be missed by who is being served
            with contextlib.suppress(ProcessLookupError):  # one that served a request may have ended
                os.kill(each, signal.SIGKILL)
        page.until_shown("lost")
        page.until_shown("there again")
        rootless("create", "--name", "since", image)
        page.until_shown("since")
        rootless("rm", "since")
        page.until_gone("since")
        (service,) = _pids("--ppid", console.process.pid)
        console.process.kill()
        console.process.wait()
        os.kill(service, signal.SIGTERM)
        page.until_shown("lost")
        console = Console(console.rootless, "--listen", page.address.removeprefix("http://"))
        page.until_at("/login")
        log_in(page, console.said)
    finally:
        assert console.stop() == 0
        console.rootless.close()
        log_in(page, rootless("console").stdout)  # the other one, for the tests that follow
    told = capfd.readouterr().err
    assert "Traceback" not in told, told
