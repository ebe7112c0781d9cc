"""Pictures of a terminal, made of what the command really prints: `python packaging/pictures.py docs/pictures`.

Each is a session typed into a shell in tmux, which is the terminal, and drawn as SVG. The store in use needs
debian:bookworm and web-image (README.md, The first five minutes), and port 8080 has to be free, or --port names one.
What differs from run to run is drawn as the same: identifiers, digests, times.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS = 90
LIMIT_S = 240
PROMPT = "\n$"
# Name -> what it shows, and what is typed. A line that begins with ":" is typed before, unseen; so is one that cleans up, "!".
PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": (
        "A container of Debian, then a web server in the background",
        (
            "rootless run --rm debian:bookworm id",
            "rootless run -d --name web -p 127.0.0.1:8080:80 web-image nginx -g 'daemon off;'",
            "rootless ps --format 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}\\t{{.Ports}}'",
            "rootless exec web cat /etc/debian_version",
            "rootless stop web",
            "! rootless rm -f web",
        ),
    ),
    "build": (
        "An image of one's own, built and run",
        (
            ": mkdir -p work; echo 'print(6 * 7)' >work/answer.py",
            ": printf 'FROM debian:bookworm\\nCOPY work /work\\nRUN ls /work >/list\\nCMD [\"cat\", \"/list\"]\\n' >Dockerfile",
            "cat Dockerfile",
            "rootless build --no-cache -t answer .",
            "rootless run --rm answer",
            "! rootless rmi -f answer",
        ),
    ),
    "compose": (
        "Two services of a compose project",
        (
            ": printf 'name: shop\\nservices:\\n  db:\\n    image: web-image\\n    command: sleep 1000\\n' >compose.yaml",
            ": printf '  web:\\n    image: web-image\\n    command: sleep 1000\\n    depends_on: [db]\\n' >>compose.yaml",
            "cat compose.yaml",
            "rootless compose up -d --wait",
            "rootless compose ps --format 'table {{.Name}}\\t{{.Service}}\\t{{.State}}'",
            "rootless compose down -t 1",
            "! rootless compose down -t 1",
        ),
    ),
}

# --- the terminal --------------------------------------------------------------------------------


class Screen:
    """A shell in tmux, in an empty directory."""

    def __init__(self, directory: str) -> None:
        self._argv = ["tmux", "-f", "/dev/null", "-S", f"{directory}/tmux"]
        shell = "exec env PS1='$ ' bash --noprofile --norc"  # a shell that runs a command has no prompt, and hands none on
        environment = {**os.environ, "LANG": "C.UTF-8", "HISTFILE": "", "TERM": "xterm-256color"}
        os.mkdir(f"{directory}/here")
        self._tmux("new-session", "-d", "-x", str(COLUMNS), "-y", "50", "-c", f"{directory}/here", shell, env=environment)
        self._ends(PROMPT)

    def type(self, line: str) -> None:
        """Type a line, and wait until its command has ended."""
        self._tmux("send-keys", "-l", line)
        self._ends(line)  # and is no prompt any more
        self._tmux("send-keys", "Enter")
        self._ends(PROMPT)

    def clear(self) -> None:
        """Forget what is seen so far."""
        self.type("clear")
        self._tmux("clear-history")

    def text(self) -> str:
        """All that is seen, with the escapes of colours."""
        return self._tmux("capture-pane", "-p", "-e", "-S", "-")

    def close(self) -> None:
        self._tmux("kill-server")

    def _ends(self, ending: str) -> None:
        """Wait until that is the end of what is seen; of the prompt, a line of its own."""
        deadline = time.monotonic() + LIMIT_S
        while not ("\n" + self._tmux("capture-pane", "-p", "-J")).rstrip().endswith(ending):
            if time.monotonic() > deadline:
                raise SystemExit(f"{ending!r} did not come:\n{self.text()}")
            time.sleep(0.05)

    def _tmux(self, *args: str, env: dict[str, str] | None = None) -> str:
        return subprocess.run([*self._argv, *args], env=env, check=True, capture_output=True, text=True, timeout=LIMIT_S).stdout


def session(lines: tuple[str, ...], port: int) -> list[str]:
    """What the terminal shows when the lines are typed, row by row, from the first prompt to the last output."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as directory:
        screen = Screen(directory)
        try:
            for line in (line for line in lines if line.startswith(": ")):
                screen.type(line[2:])
            screen.clear()
            for line in (line for line in lines if not line.startswith((": ", "! "))):
                if " ps " in line:
                    time.sleep(2.2)  # so that it says "2 seconds"
                screen.type(line.replace(":8080:", f":{port}:"))
            shown = screen.text()
            for line in (line for line in lines if line.startswith("! ")):
                screen.type(line[2:])
        finally:
            screen.close()
    rows = [row.rstrip() for row in shown.replace(f":{port}", ":8080").rstrip().splitlines()]
    rows = [row for row in rows if row]
    return rows[:-1]  # the last prompt


def same(text: str) -> str:
    """`text` with every identifier, digest and time in the place of which any could stand."""
    seen: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        digits = "4b1f09c2d7e6a835"
        start = len(seen)
        key = match.group()[:12]
        made = seen.setdefault(key, ((digits[start:] + digits[:start]) * 4)[:64])
        return made[: len(match.group())]

    text = re.sub(r"\b(?=[0-9a-f]*[0-9])(?:[0-9a-f]{64}|[0-9a-f]{12})\b", name, text)
    text = re.sub(r"(?<![\d.])\d+\.\ds\b", "0.1s", text)
    return re.sub(r"\bUp (?:Less than a second|\d+ seconds?)", "Up 2 seconds", text)


# --- the drawing ---------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN, BAR = 8.43, 19, 16, 34  # of a character, a line, the border, the title: in pixels
COLOURS = ("#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#e6edf3")
_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")


Style = tuple[str, bool, bool]  # colour, bold, dim


def spans(row: str, style: Style) -> tuple[list[tuple[str, str]], Style]:
    """A row as pieces of (attributes, text), and the style that the next one begins with: it lasts until it is changed."""
    found: list[tuple[str, str]] = []
    colour, bold, dim = style
    pieces = _ESCAPE.split(row)
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            if piece:
                attributes = (f' fill="{colour}"' if colour else "") + ' font-weight="bold"' * bold + ' opacity=".6"' * dim
                found.append((attributes, piece))
            continue
        for code in (int(word or 0) for word in piece.split(";")):
            if code == 0:
                colour, bold, dim = "", False, False
            elif code in (1, 2):
                bold, dim = bold or code == 1, dim or code == 2
            elif 30 <= code <= 37 or 90 <= code <= 97:
                colour = COLOURS[code % 10]
            elif code == 39:
                colour = ""
    return found, (colour, bold, dim)


def drawn(title: str, rows: list[str]) -> str:
    """The picture."""
    width = round(2 * MARGIN + COLUMNS * WIDTH)
    height = BAR + len(rows) * HEIGHT + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="9" fill="#0d1117"/>',
        *(f'<circle cx="{20 + 18 * n}" cy="17" r="5.5" fill="{fill}"/>' for n, fill in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))),
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="#c9d1d9">',
    ]
    style: Style = ("", False, False)
    for number, row in enumerate(rows):
        prompt = _ESCAPE.sub("", row).startswith("$ ")
        column, pieces = 0, []
        parts, style = spans(row, style)
        for attributes, text in parts:
            if prompt and not pieces and text.startswith("$ "):
                pieces.append('<tspan fill="#3fb950">$ </tspan>')
                text, attributes, column = text[2:], ' fill="#ffffff"', 2
            place = f' x="{MARGIN + column * WIDTH:.1f}"'
            pieces.append(f"<tspan{place}{attributes}>{escape(text)}</tspan>")
            column += len(text)
        y = BAR + (number + 1) * HEIGHT - 6
        out.append(f'<text xml:space="preserve" x="{MARGIN}" y="{y}">{"".join(pieces)}</text>')
    return "\n".join([*out, "</g>", "</svg>"]) + "\n"


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, (title, lines) in PICTURES.items():
        rows = same("\n".join(session(lines, arguments.port))).splitlines()
        (arguments.directory / f"{name}.svg").write_text(drawn(title, rows), "utf-8")


if __name__ == "__main__":
    main()
