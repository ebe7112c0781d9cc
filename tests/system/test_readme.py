"""What README.md says to type, typed: the first five minutes, as they stand there.

But `bootstrap`, which takes minutes: `debian_archive` and `tools_archive` are made by it, ./demo of packaging/fresh-machine.sh types
README's first line, and here it brings what they made.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import free_port
from tests.harness.terminal import Terminal

README = Path(__file__).parents[2] / "README.md"


def blocks(heading: str) -> list[str]:
    """The indented blocks of a section."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [""]
    for line in section.splitlines():
        if line.startswith("    "):
            found[-1] += line[4:] + "\n"
        elif line.strip() and found[-1]:
            found.append("")
    return [block for block in found if block]


def test_the_packages_are_those_that_setup_installs() -> None:
    (line,) = (line for block in blocks("Install") for line in block.splitlines() if line.startswith("apt-get install "))
    script = f". {README.parent}/packaging/packages.sh; wanted_packages install"
    wanted = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(line.split()[2:]) == sorted(wanted)


@pytest.mark.timeout(400)
def test_every_line_of_the_first_five_minutes(rootless: Rootless, tools_image: str, debian_archive: Path, tmp_path: Path) -> None:
    first = next(block for block in blocks("Install") if block.startswith("rootless bootstrap"))
    script = first + "".join(blocks("The first five minutes"))
    port = str(free_port())
    typed = script.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    typed = re.sub(r"^rootless bootstrap debian:bookworm$", f"rootless load -q -i {debian_archive}", typed, flags=re.MULTILINE)
    tagged = r"^rootless bootstrap --include nginx-light --tag (\S+) debian:bookworm$"
    typed = re.sub(tagged, rf"rootless tag {tools_image} \1", typed, flags=re.MULTILINE)
    assert "bootstrap" not in typed
    assert typed.count(port) > 3
    # A person is slower than a script: nginx listens by the time at which the next line is typed.
    listens = f"until curl -fs 127.0.0.1:{port} >/dev/null; do sleep 0.1; done"
    typed = re.sub(r"^rootless run -d --name web .*$", rf"\g<0>\n{listens}", typed, flags=re.MULTILINE)
    shell = Terminal(["bash", "-ec", f"cd {tmp_path}; set -x\n{typed}echo all of it"], {**rootless.environment, "TERM": "xterm"})
    try:
        for _ in range(script.count(" -it ")):
            shell.expect(r"root@\w+:/# ", timeout_s=120)
            shell.line("exit")
        shell.expect("all of it\r", timeout_s=300)
        assert shell.wait() == 0
    finally:
        shell.close()
    assert "b'hello\\n'" in shell.screen
    assert "http {" in (tmp_path / "nginx.conf").read_text()
