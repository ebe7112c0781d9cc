"""What a user does with the console: by clicking and typing, in a browser, on real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.harness.browser import Window
from tests.harness.command import Rootless

OBEYS = "trap 'exit 0' TERM; echo first line; while :; do sleep 0.1; echo \"$((n += 1)) counted\"; done"
CHARTS = """((found) => found.length === 4 && found.every((each) =>
    each.getContext('2d').getImageData(0, 0, each.width, each.height).data.some((value) => value)))(
    [...document.querySelectorAll('#charts canvas')])"""


@pytest.fixture
def counter(rootless: Rootless, image: str) -> Iterator[str]:
    """A container that writes ten lines a second and ends when it is told."""
    rootless("run", "-d", "--name", "counter", "--network", "none", image, "sh", "-c", OBEYS)
    yield "counter"
    rootless("rm", "-f", "counter", status=None)


def test_a_container_from_the_form_to_its_end(page: Window, rootless: Rootless, image: str) -> None:
    """Run by the form, looked at, stopped, started, killed (asked first), removed; every click says its command line."""
    page.open("/containers")
    page.click("a[href='/run']")
    page.until_at("/run")
    page.fill("image", image)
    page.fill("name", "made")
    page.fill("command", f'sh -c "{OBEYS.replace(chr(34), chr(92) + chr(34))}"')
    page.run("document.querySelector('[name=network]').value = 'none'")
    page.click("#run-form button[value=run]")
    page.until_at("/containers/made")
    page.until_shown("running")
    page.until("no figures are drawn", "/Processors: [0-9.]+ % used/.test(document.getElementById('charts').innerText)")
    page.until("a chart is empty", CHARTS)
    page.click("#stop-made")
    page.until_shown("$ rootless stop made")
    page.until_shown("exited")
    assert rootless("inspect", "-f", "{{.State.Status}}", "made").stdout == "exited\n"
    page.open("/containers")
    page.click("#start-made")
    page.until_shown("$ rootless start made")
    page.click("#kill-made")
    page.until("it was not asked", "document.getElementById('question').open")
    assert "Kill made at once?" in page.element("#question").text
    assert "rootless kill made" in page.element("#question").text
    page.press(Keys.ENTER)  # what has the focus is to leave it
    page.until("it is asked still", "!document.getElementById('question').open")
    assert rootless("inspect", "-f", "{{.State.Status}}", "made").stdout == "running\n"
    page.click("#kill-made")
    page.click("#question-yes")
    page.until_shown("$ rootless kill made")
    page.until("no start is offered", "document.getElementById('start-made')")
    page.click("#remove-made")
    page.click("#question-yes")
    page.until_gone("made")
    assert rootless("ps", "-aq").stdout == ""
    assert page.refused() == []


def test_what_others_do_is_seen(page: Window, rootless: Rootless, counter: str) -> None:
    """A page that is open follows the engine; what has the focus keeps it."""
    page.open("/containers")
    page.run("document.getElementById('stop-counter').focus()")
    rootless("create", "--name", "another", "busybox")
    page.until_shown("another")
    assert page.run("return document.activeElement.id") == "stop-counter"
    rootless("rm", "another")
    page.until_gone("another")
    rootless("pause", counter)
    page.until_shown("Resume")
    rootless("unpause", counter)
    page.until_gone("Resume")


def test_a_log_is_followed_and_searched(page: Window, counter: str) -> None:
    page.open(f"/containers/{counter}")
    page.click(f"a[href='/containers/{counter}/logs']")
    page.until_at(f"/containers/{counter}/logs")
    page.until_shown("first line")
    before = page.run("return document.querySelectorAll('#log .line').length")
    page.until("the log does not grow", "document.querySelectorAll('#log .line').length > arguments[0] + 5", before)
    page.click("#log-search")
    page.press("FIRST")
    page.until_gone("counted")
    assert "first line" in page.element("#log").text
    assert page.element("#log time").text == ""
    page.click("#log-times")
    assert page.element("#log time").text.startswith("20")
    assert page.refused() == []


def test_a_terminal_is_typed_into_and_left(page: Window, counter: str) -> None:
    """Typed, shown, left by its key for the page, and ended by the shell's end."""
    shown = "[...document.querySelectorAll('.xterm-rows > div')].map((row) => row.textContent).join('\\n')"
    page.open(f"/containers/{counter}/terminal")
    page.until("no prompt", f"{shown}.includes('#')")
    page.until("the terminal has no focus", "document.activeElement.classList.contains('xterm-helper-textarea')")
    page.press("echo $((6 * 7))x; printf '\\033]0;evil\\a\\033]52;c;ZXZpbA==\\a'", Keys.ENTER)
    page.until("42x is not shown", f"{shown}.includes('42x')")
    assert page.driver.title == "Terminal in counter · rootless"
    page.press(Keys.F6)
    assert page.run("return document.activeElement.id") == "main"
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.closest('#terminal')") is None
    page.click("#terminal")
    page.press("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo $((6 * 7))y", Keys.ENTER)
    page.until("the flood does not end", f"{shown}.includes('42y')")
    page.press("exit 3", Keys.ENTER)
    page.until_shown("The shell has ended with status 3.")
    page.click("#terminal-again")
    page.until("no second prompt", f"{shown}.includes('#')")
    assert page.refused() == []


def test_it_is_all_done_by_keys(page: Window, counter: str) -> None:
    """g and a letter goes to a page; ? lists the keys and switches them off."""
    page.open("/containers")
    page.press("g", "i")
    page.until_at("/images")
    page.press("/")
    assert page.run("return document.activeElement.name") == "image"
    page.open("/volumes")
    page.press("?")
    page.until("no list of keys", "document.getElementById('help').open")
    page.click("#keys-on")
    page.press(Keys.ESCAPE)
    page.run("document.activeElement.blur()")
    page.press("g", "c")
    assert page.run("return location.pathname") == "/volumes"
    page.run("localStorage.removeItem('rootless-keys')")
    page.open("/containers")
    page.run("document.getElementById('stop-counter').focus()")
    page.press(Keys.ENTER)
    page.until_shown("$ rootless stop counter")
