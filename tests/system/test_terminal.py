"""`-t` on a real pseudo-terminal: what a person at a keyboard sees."""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Callable

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal

Open = Callable[..., Terminal]


def shell(terminal: Open, image: str, *options: str) -> Terminal:
    screen = terminal("run", "-it", *options, "--network", "none", "-e", "PS1=ready> ", image, "sh")
    screen.expect("ready> ")
    return screen


def test_a_session(terminal: Open, busybox_image: str) -> None:
    screen = shell(terminal, busybox_image, "--rm")
    screen.line("tty; echo $TERM")
    screen.expect(r"/dev/(pts/0|console)\r\nxterm\r\n")
    screen.line("exit 7")
    assert screen.wait() == 7


def test_size_and_resize(terminal: Open, busybox_image: str) -> None:
    screen = shell(terminal, busybox_image, "--rm")
    screen.line("stty size")
    screen.expect("24 80\r\n")
    screen.resize(50, 132)
    screen.line("sleep 0.3; stty size")
    screen.expect("50 132\r\n")
    screen.line("exit")
    assert screen.wait() == 0


def test_control_c_goes_to_the_foreground_command(terminal: Open, busybox_image: str) -> None:
    screen = shell(terminal, busybox_image, "--rm")
    screen.line("echo going; sleep 1000")
    screen.expect("\ngoing\r\n")
    time.sleep(0.3)  # the shell has to make sleep the foreground first
    screen.send("\x03")
    screen.expect("ready> ")
    screen.line("echo $?; exit 0")
    screen.expect("130\r\n")
    assert screen.wait() == 0


def test_terminal_is_put_back(terminal: Open, busybox_image: str) -> None:
    screen = terminal(
        "run", "--rm", "-it", "--network", "none", busybox_image, "sh", "-c", "sleep 0.3; echo hi"
    )
    fresh, other = os.openpty()
    untouched = termios.tcgetattr(fresh)
    os.close(fresh)
    os.close(other)
    screen.expect("hi")
    assert screen.modes() != untouched, "not raw while the container has the terminal"
    screen.wait()
    assert screen.modes() == untouched


def test_detach_and_attach(rootless: Rootless, terminal: Open, busybox_image: str) -> None:
    screen = shell(terminal, busybox_image, "--name", "box")
    screen.line("kept=yes")
    screen.expect("ready> ")
    screen.send("\x10\x11")
    assert screen.wait() == 0
    assert screen.screen.endswith("\r\n")
    assert rootless("inspect", "-f", "{{.State.Running}}", "box").stdout == "true\n"
    again = terminal("attach", "box")
    again.line("echo $kept")
    again.expect("yes\r\n")
    again.line("exit 3")
    assert again.wait() == 3
    rootless("rm", "box")


def test_own_detach_keys(rootless: Rootless, terminal: Open, busybox_image: str) -> None:
    screen = shell(terminal, busybox_image, "--name", "box", "--detach-keys", "ctrl-x,x")
    screen.send("\x18x")
    assert screen.wait() == 0
    rootless("rm", "-f", "box")


def test_exec_on_a_terminal(rootless: Rootless, terminal: Open, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "1000")
    screen = terminal("exec", "-it", "-e", "PS1=ready> ", "box", "sh")
    screen.expect("ready> ")
    screen.line("stty size; tty")
    screen.expect("24 80\r\n/dev/pts/")
    screen.resize(40, 100)
    screen.line("sleep 0.3; stty size; exit 9")
    screen.expect("40 100\r\n")
    assert screen.wait() == 9
    rootless("rm", "-f", "box")


def test_t_without_a_terminal_is_an_error(rootless: Rootless, busybox_image: str) -> None:
    done = rootless("run", "--rm", "-it", busybox_image, "true", status=None)
    assert done.status in (1, 125)
    assert "TTY" in done.stderr or "terminal" in done.stderr
