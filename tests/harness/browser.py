"""A real browser, Debian's Chromium without a window, driven by selenium; and what is asked of every page in it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.harness.trees import remove_tree
from tests.need import need_program

PATIENCE_S = 60.0
STEP_S = 0.05
WIDTH, HEIGHT = 1280, 900
# Before any script of a page's: what its policy refuses is kept, to be asked for.
WITNESS = """
window.refused = [];
addEventListener('securitypolicyviolation', (event) => refused.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
# WCAG 2.2, 2.5.8: 24 pixels each way, or as much room; a link in a line of text is exempt.
SMALL = """
const small = [];
const wanted = 'button, input:not([type=checkbox]), select, textarea:not(.xterm-helper-textarea), summary, a.button, nav a';
for (const each of document.querySelectorAll(wanted)) {
  const box = each.getBoundingClientRect();
  if (each.checkVisibility() && box.width && (box.width < 24 || box.height < 24)) small.push(each.outerHTML);
}
return small;
"""


AXE = """
const [only, done] = arguments;
axe.run(document, { runOnly: only }).then((found) => done(found.violations), (error) => done([{ id: String(error), nodes: [] }]));
"""


class Window:
    """A tab, with a profile of its own. It asks for nothing but what is on this machine."""

    def __init__(self, height: int = HEIGHT) -> None:
        self._height = height
        self._profile = tempfile.mkdtemp(prefix="rl-browser-", dir="/var/tmp")
        options = ChromeOptions()
        options.binary_location = need_program("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for word in (
            "--headless=new", "--disable-gpu", f"--user-data-dir={self._profile}", f"--window-size={WIDTH},{HEIGHT}", "--lang=en",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost", "--disable-dev-shm-usage",
        ):  # fmt: skip
            options.add_argument(word)
        environment = {**os.environ, "TMPDIR": self._profile}  # what it leaves behind there goes with it
        self.driver = Chrome(options=options, service=Service(need_program("chromedriver"), env=environment))
        self.tell("Page.addScriptToEvaluateOnNewDocument", source=WITNESS)
        self.address = ""

    def close(self) -> None:
        self.driver.quit()
        remove_tree(Path(self._profile))

    def tell(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def open(self, path: str) -> None:
        """A page of the console's, loaded."""
        self.driver.get(f"{self.address}{path}")

    def run(self, script: str, *values: Any) -> Any:
        """What a function body returns in the page."""
        return self.driver.execute_script(script, *values)

    def until(self, what: str, script: str, *values: Any) -> Any:
        """Wait until `script`, an expression, is true in the page; its value."""
        return self.wait(what, lambda: self.run(f"return {script}", *values))

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until `found()` is true; its value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := found()):
            assert time.monotonic() < deadline, f"{what}: {self.driver.current_url}\n{self.run('return document.body.innerText')}"
            time.sleep(STEP_S)
        return value

    def until_shown(self, text: str) -> None:
        """Wait until the page has that text, to be seen."""
        self.until(f"{text!r} is not shown", "document.body.innerText.includes(arguments[0])", text)

    def until_gone(self, text: str) -> None:
        """Wait until the page's main part has it no more."""
        self.until(f"{text!r} is still shown", "!document.getElementById('main').innerText.includes(arguments[0])", text)

    def until_at(self, path: str) -> None:
        """Wait until the address is that, and its page loaded."""
        self.until(f"not at {path}", "location.pathname === arguments[0] && document.readyState === 'complete'", path)

    def element(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """A click with the pointer, once it is there and can be clicked; what a page looks at anew may be put in its place."""
        self.until(f"no {selector} to click", "document.querySelector(arguments[0])?.matches(':not(:disabled)')", selector)
        self.element(selector).click()

    def fill(self, name: str, text: str) -> None:
        """Type into the field of a form."""
        self.element(f"[name={name}]").send_keys(text)

    def press(self, *keys: str) -> None:
        """Keys, for what has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def media(self, **features: str) -> None:
        """What the system prefers: prefers_color_scheme="dark", prefers_reduced_motion="reduce"; nothing: what it is."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.tell("Emulation.setEmulatedMedia", features=wanted)

    def width(self, pixels: int) -> None:
        """How wide the page is; 0: the window."""
        if pixels:
            self.tell("Emulation.setDeviceMetricsOverride", width=pixels, height=self._height, deviceScaleFactor=1, mobile=False)
        else:
            self.tell("Emulation.clearDeviceMetricsOverride")

    def unreachable(self) -> list[str]:
        """What can be operated, and the Tab key does not lead to, round the page once."""
        self.run("document.activeElement.blur(); scrollTo(0, 0); window.reached = new Set();"
                 "addEventListener('focusin', (event) => reached.add(event.target));")  # fmt: skip
        wanted = self.run("""
            window.wanted = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
              .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled);
            return wanted.length;""")
        self.press(Keys.TAB * (wanted + 2))
        left: list[str] = self.run("return wanted.filter((each) => !reached.has(each)).map((each) => each.outerHTML)")
        return left

    def accessible(self, *rules: str) -> list[str]:
        """What axe and WCAG 2.2 have against the page as it is; of `rules` alone, where there are any."""
        if not self.run("return Boolean(window.axe)"):
            source = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
            self.run(source)
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
        found = self.driver.execute_async_script(AXE, only)
        told = [
            f"{each['id']}: {node['html']} {node.get('failureSummary', '')}" for each in found for node in each["nodes"] or [{"html": ""}]
        ]
        return told + [f"smaller than 24 pixels: {each}" for each in self.run(SMALL)]

    def refused(self) -> list[str]:
        """What the page's policy has refused in it, and what scripts threw: a page of ours does neither."""
        log: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        thrown = [entry["message"] for entry in log if entry["source"] == "javascript"]
        return [*self.run("return window.refused"), *thrown]
