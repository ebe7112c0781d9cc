"""The caller's streams in `run --shared`, which ranks have as their own: what a hostile image makes of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal

RUN = ("run", "--shared=kept", "--network", "none")


@pytest.fixture
def kept(rootless: Rootless, busybox_image: str) -> Iterator[None]:
    """The container stays when a rank has ended, and with it what that one leaves."""
    keeper = rootless.start(*RUN, "--keep", busybox_image)
    assert keeper.stdout is not None
    assert keeper.stdout.readline()
    yield
    keeper.terminate()
    keeper.communicate(timeout=60)


@pytest.mark.usefixtures("kept")
def test_a_file_that_is_to_be_read(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """`< input`: by /proc/self/fd/0 it could be written, or emptied, or be made anybody's to write."""
    given = tmp_path / "input"
    given.write_text("of the caller\n")
    given.chmod(0o640)
    script = "cat; echo changed > /proc/self/fd/0; chmod 666 /proc/self/fd/0; truncate -s 0 /proc/self/fd/0; true"
    for _ in range(3):  # by Python, and then as the launcher lets others in
        with given.open("rb") as file:
            argv = [*rootless.argv, *RUN, busybox_image, "sh", "-c", script]
            done = subprocess.run(argv, stdin=file, env=rootless.environment, capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout == "of the caller\n"
        assert (given.read_text(), given.stat().st_mode & 0o777) == ("of the caller\n", 0o640)


@pytest.mark.usefixtures("kept")
def test_what_is_typed_afterwards(rootless: Rootless, terminal: Callable[..., Terminal], busybox_image: str) -> None:
    """A process that a rank has left reads on at the terminal of the caller's shell."""
    left = "for fd in 0 1 2; do test -t $fd && echo terminal; done; cat <&2 >>/typed & echo started; read line; echo heard $line"
    for _ in range(3):
        window = terminal(*RUN, busybox_image, "sh", "-c", left)
        window.expect("started")
        window.line("asked for")
        window.expect("heard asked for")
        assert window.wait() == 0
        assert "terminal" not in window.screen


@pytest.mark.usefixtures("kept")
def test_a_variable_of_a_closed_descriptor(rootless: Rootless, busybox_image: str) -> None:
    """PMI_FD that an outer launcher's rank has left behind: at its number there is nothing of ours, as the connection to PID 1."""
    look = (*RUN, busybox_image, "sh", "-c", "for each in /proc/$$/fd/*; do readlink $each; done; true")
    for number in [*range(3, 12)] * 2:
        seen = rootless(*look, env={"PMI_FD": str(number)})
        assert not [line for line in seen.lines if line.startswith("socket:")], number
