"""What is made and changed by clicking and typing: files, projects, builds; and what is followed: events, several logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.harness.browser import Window
from tests.harness.command import Rootless

SCRIPT = "document.documentElement.dataset.evil = 1"
STRANGE = f"<img src=x onerror='{SCRIPT}'>.html"
PAGE = f"<!doctype html><script>{SCRIPT}</script>"
NARROW = 320
LOG = "document.getElementById('log').innerText.replace(/\\s+/g, ' ')"
WIDE = """return [...document.querySelectorAll('body *')].filter((each) => each.getBoundingClientRect().right > arguments[0]
    && !each.closest('.scroll, .log, .editor, .skip, dialog')).map((each) => each.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def pair(rootless: Rootless, image: str) -> Iterator[list[str]]:
    """Two containers that say their names when something is put into them, and what it is."""
    script = 'echo "this is $1"; while :; do if test -e /tmp/say; then cat /tmp/say; rm /tmp/say; fi; sleep .1; done'
    names = ["left", "right"]
    for name in names:
        rootless("run", "-d", "--name", name, "--network", "none", "--stop-timeout", "0", image, "sh", "-c", script, "sh", name)
    yield names
    rootless("rm", "-f", *names)


def well(page: Window) -> None:
    """For everybody to use, narrow too, and nothing that the policy refused or a script threw."""
    assert page.accessible() == []
    assert page.unreachable() == []
    page.width(NARROW)
    page.wait("something is wider than the page", lambda: not page.run(WIDE, NARROW))  # charts follow the window a moment later
    page.width(0)
    assert page.refused() == []
    assert page.run("return document.documentElement.dataset.evil") is None


def test_files_are_brought_and_taken(page: Window, pair: list[str], rootless: Rootless, tmp_path: Path) -> None:
    given, taken = tmp_path / STRANGE, tmp_path / "taken"
    given.write_text(PAGE)
    taken.mkdir()
    page.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(taken))
    page.open("/containers/left")
    page.run("[...document.links].find((link) => link.textContent === 'Files').click()")
    page.until_at("/containers/left/files")
    page.run("[...document.links].find((link) => link.textContent === 'tmp').click()")
    page.until("not there", "location.search === '?path=/tmp' && document.readyState === 'complete'")
    page.element("[name=files]").send_keys(str(given))
    page.click("#upload button")
    page.until("it is not listed", "document.querySelector('#files')?.innerText.includes(arguments[0])", STRANGE)
    given.write_text(PAGE + "again")
    page.element("[name=files]").send_keys(str(given))
    page.click("#upload button")
    page.until_shown(f"Replace {STRANGE}?")
    page.run("window.before = true")
    page.click("#question-yes")
    page.until("the page is the old one", "!window.before && document.readyState === 'complete'")
    assert rootless("exec", "left", "cat", f"/tmp/{STRANGE}").stdout == PAGE + "again"
    page.click("#files a[download]")
    page.wait("the file is not there", lambda: [each.name for each in taken.iterdir() if not each.name.endswith(".crdownload")])
    (saved,) = taken.iterdir()
    assert saved.read_text() == PAGE + "again"
    assert page.run("return location.pathname") == "/containers/left/files"
    rootless("exec", "left", "rm", f"/tmp/{STRANGE}")


def test_a_project_is_written_and_brought_up(page: Window, rootless: Rootless, image: str, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    page.open("/projects")
    page.fill("file", str(file))
    page.click("#open-file button")
    page.until_at("/projects/edit")
    well(page)
    page.element("#edit-text").clear()
    page.fill("text", f"name: shop\nservices:\n  one:\n    image: {image}\n    portss: []\n")
    page.click("#edit [value=save]")
    page.until_shown("did you mean ports?")
    selected = "const text = document.getElementById('edit-text'); return text.value.slice(text.selectionStart, text.selectionEnd)"
    assert page.run(selected) == "    portss: []"
    assert page.run("return document.activeElement.id") == "edit-text"
    assert page.accessible() == []
    assert not file.exists()
    page.run("document.getElementById('edit-text').value = ''")
    rules = "    command: sleep 1000\n    network_mode: none\n    stop_grace_period: 0s\n"
    text = f"name: shop\nservices:\n  one:\n    image: {image}\n{rules}"
    page.fill("text", text)
    page.click("#edit [value=save]")
    page.until_shown("it is written.")
    assert file.read_text() == text
    page.click("#edit-up")
    page.until_shown("It is done.")
    page.open("/projects")
    page.until_shown("1 of 1 containers run")
    page.run("document.querySelector('[id^=down-]').click()")
    page.until_shown("Remove the containers and networks of shop?")
    page.click("#question-yes")
    page.until_shown("It is done.")
    assert rootless("ps", "-a", "--format", "{{.Names}}", "--filter", "name=shop").stdout == ""


def test_an_image_is_built(page: Window, rootless: Rootless, image: str) -> None:
    page.open("/build")
    page.fill("tag", "made-here")
    page.fill("text", f"FROM {image}\nRUN echo \"<b>said</b>\"; exit 7\n")
    page.click("#build-form button")
    page.until_shown("The command ended with 1")
    page.until_shown("<b>said</b>")
    page.element("[name=text]").clear()
    page.fill("text", f"FROM {image}\nENV X=y\n")
    page.click("#build-form button")
    page.click("#build-image a")
    page.until_shown("made-here")
    page.until("not at the image's page", "location.pathname.startsWith('/images/')")
    assert page.refused() == []
    rootless("rmi", "made-here")


def test_events_and_several_logs_are_followed(page: Window, pair: list[str], rootless: Rootless) -> None:
    page.open("/events")
    page.until_shown("left")
    rootless("pause", "right")
    page.until("no event", "document.querySelector('#events tr').innerText.includes('pause')")
    rootless("unpause", "right")
    page.until("no event", "document.querySelector('#events tr').innerText.includes('unpause')")
    page.element("#event-search").send_keys("unpause")
    shown = "[...document.querySelectorAll('#events tr')].filter((row) => row.checkVisibility()).map((row) => row.innerText)"
    found = page.run(f"return {shown}")
    assert found
    assert all("unpause" in row for row in found)
    page.open("/events?type=volume")
    assert page.element("[name=type]").get_attribute("value") == "volume"
    page.open("/containers")
    page.run("[...document.links].find((link) => link.textContent === 'Several logs at once').click()")
    page.until_at("/logs")
    for name in pair:
        page.click(f"[name=name][value={name}]")
    page.click(".tools button")
    page.until("not shown", "location.search.includes('right')")
    for line in ("● left this is left", "■ right this is right"):
        page.until(f"{line} is not shown", f"{LOG}.includes(arguments[0])", line)
    well(page)
    rootless("exec", "right", "sh", "-c", "echo '<b>late</b>' >/tmp/.say; mv /tmp/.say /tmp/say")
    page.until("it is not shown", f"{LOG}.includes('■ right <b>late</b>')")
    page.element("#log-search").send_keys("late")
    page.until("what was not searched is shown", "!document.getElementById('log').innerText.includes('this is')")


def test_another_name_and_other_rules(page: Window, pair: list[str], rootless: Rootless) -> None:
    page.open("/containers/left")
    page.click("#change summary")
    well(page)
    page.run("document.querySelector('[name=restart]').value = 'on-failure'")
    page.click("[data-form$=limits] button")
    page.until_shown("rootless update --restart on-failure left")
    page.element("#change [name=name]").clear()
    page.fill("name", "gone-left")
    page.click("[data-form$=rename] button")
    page.until_at("/containers/gone-left")
    rootless("rename", "gone-left", "left")


def test_processes_are_looked_at_again(page: Window, pair: list[str], rootless: Rootless) -> None:
    """When they are asked for: to look makes an event of the engine's, which no page takes for a change."""
    page.open("/containers/right")
    page.until_shown("Processes")
    rootless("exec", "-d", "right", "sleep", "4242")
    page.run("document.querySelector('[data-look]').focus()")
    page.press(Keys.ENTER)
    page.until_shown("sleep 4242")
    page.until("the focus is lost", "document.activeElement.dataset.look !== undefined")
    assert page.run("return location.pathname + location.hash") == "/containers/right"
