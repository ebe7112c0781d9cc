"""Pictures of the console, as Chromium draws it: `python packaging/screenshots.py docs/pictures`.

A store, a console and a browser of their own, which go at the end. Run as an ordinary user, with what the tests need.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver.common.keys import Keys

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness import images
from tests.harness.browser import Window
from tests.harness.command import Rootless
from tests.harness.console import Console
from tests.harness.trees import remove_tree

WIDE, HIGH, NARROW = 1280, 800, 320
QUALITIES = (80, 65, 50, 35)
LIMIT_BYTES = 60_000
LOGS = """
n=0; while :; do n=$((n + 1)); echo "order $((1000 + n)): accepted, $((n * 7 % 9 + 1)) items";
[ $((n % 5)) = 0 ] && echo "order $((1000 + n)): the stock is low, asking again" >&2; sleep 0.2; done
"""
COMPOSE = """
name: shop
services:
  web: {image: "busybox:latest", command: [sh, -c, "httpd -f"], ports: ["127.0.0.1::80"]}
  cache: {image: "busybox:latest", command: [sleep, "10000"]}
"""


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    with _console() as (console, rootless), _window(console) as window:
        _people(rootless)
        for name, path, theme, width, prepare in (
            ("containers", "/containers", "light", WIDE, ""),
            ("containers-dark", "/containers", "dark", WIDE, ""),
            ("containers-narrow", "/containers", "light", NARROW, ""),
            ("container", "/containers/db", "light", WIDE, "figures"),
            ("container-dark", "/containers/db", "dark", WIDE, "walls"),
            ("log", "/containers/orders/logs", "dark", WIDE, "log"),
            ("terminal", "/containers/db/terminal", "light", WIDE, "terminal"),
        ):
            window.media(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
            window.width(width)
            window.open(path)
            _prepare(window, prepare)
            (directory / f"console-{name}.webp").write_bytes(_drawn(window))


def _drawn(window: Window) -> bytes:
    """What is seen, in at most LIMIT_BYTES: as well as that goes."""
    for quality in QUALITIES:
        data = base64.b64decode(window.tell("Page.captureScreenshot", format="webp", quality=quality)["data"])
        if len(data) <= LIMIT_BYTES:
            return data
    raise SystemExit(f"{window.driver.current_url}: a picture of {len(data)} bytes")


def _people(rootless: Rootless) -> None:
    """Containers of every state."""
    image = images.ensure(rootless, "busybox:latest", images.busybox_archive(Path.home() / ".cache/rootless-tests"))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(COMPOSE)
        file.flush()
        rootless("compose", "-f", file.name, "up", "-d")
    rootless(
        "run", "-d", "--name", "db", "--pids-limit", "200", "--read-only", "-v", "data:/var/lib/data", "--restart", "on-failure:3",
        "--health-cmd", "true", "--health-interval", "1s", image, "sh", "-c",
        "while :; do head -c 3000000 /dev/urandom | sha256sum >/dev/null; sleep 1; done",
    )  # fmt: skip
    rootless("run", "-d", "--name", "orders", "--network", "none", image, "sh", "-c", LOGS)
    rootless("run", "-d", "--name", "batch", "--network", "none", image, "sleep", "10000")
    rootless("pause", "batch")
    rootless("run", "--name", "backup", "--network", "none", image, "sh", "-c", "echo 'no space left' >&2; exit 3", status=3)
    rootless("create", "--name", "later", image)


def _prepare(window: Window, what: str) -> None:
    if what in ("figures", "walls"):
        window.until("no figures", "/used/.test(document.getElementById('charts').innerText)")
        window.run("""const place = document.querySelector('#charts figcaption'); window.times = 0;
            new MutationObserver(() => { window.times += 1; }).observe(place, { childList: true });""")
        window.until("the charts do not go on", "window.times > 12")
    if what == "walls":
        window.run("document.getElementById('walls-title').scrollIntoView()")
    if what == "log":
        window.until("no lines", "document.querySelectorAll('#log .line').length > 40")
        window.run("document.getElementById('log-times').click()")
    if what == "terminal":
        shown = "document.querySelector('.xterm-rows')?.innerText"
        window.until("no prompt", f"{shown}?.includes('#')")
        for line in ("id", "df -h /", "ps"):
            window.press(line, Keys.ENTER)
            window.until(f"{line} is not over", f"{shown}.trimEnd().endsWith('#') && {shown}.includes('# {line}')")


@contextmanager
def _console() -> Iterator[tuple[Console, Rootless]]:
    root, runtime = (Path(tempfile.mkdtemp(prefix="rl-", dir=directory)) for directory in ("/var/tmp", "/tmp"))
    rootless = Rootless(root, runtime)
    try:
        console = Console(rootless, "--listen", "127.0.0.1:0")
        yield console, rootless
    finally:
        rootless("rm", "-fv", *rootless("ps", "-aq").stdout.split(), status=None)
        rootless("system", "reset", "-f", status=None)
        rootless.close()
        remove_tree(runtime)
        remove_tree(root)


@contextmanager
def _window(console: Console) -> Iterator[Window]:
    found = re.search(r"(http://[0-9.:]+)(/login#login=\S+)", console.said)
    assert found
    window = Window(HIGH)
    try:
        window.address = found[1]
        window.open(found[2])
        window.until_at("/containers")
        yield window
    finally:
        window.close()


if __name__ == "__main__":
    main()
