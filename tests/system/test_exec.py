"""`rootless exec`: another process in a running container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless


@pytest.fixture
def web(rootless: Rootless, busybox_image: str) -> Iterator[str]:
    """The name of a running container."""
    rootless(
        "run", "-d", "--name", "web", "--network", "none", "-e", "A=of run", busybox_image, "sleep", "1000"
    )
    yield "web"
    rootless("rm", "-f", "web")


def test_shares_everything_with_pid_1(rootless: Rootless, web: str) -> None:
    script = "for n in /proc/1/ns/*; do readlink $n; done | sort -u; cat /proc/1/uid_map"
    own = "for n in /proc/self/ns/*; do readlink $n; done | sort -u; cat /proc/self/uid_map"
    assert rootless("exec", web, "sh", "-c", script).stdout == rootless("exec", web, "sh", "-c", own).stdout


def test_process_list_is_the_containers(rootless: Rootless, web: str) -> None:
    lines = rootless("exec", web, "ps").lines
    assert lines[1].split()[0] == "1"
    assert "sleep 1000" in lines[1]
    assert len(lines) == 3


def test_status_output_and_input(rootless: Rootless, web: str) -> None:
    done = rootless("exec", "-i", web, "sh", "-c", "cat; echo err >&2; exit 6", stdin=b"in", status=6)
    assert (done.stdout, done.stderr) == ("in", "err\n")


def test_options(rootless: Rootless, web: str) -> None:
    out = rootless(
        "exec", "-e", "B=of exec", "-w", "/tmp", "-u", "user", web, "sh", "-c", "echo $A, $B; pwd; id -un"
    )
    assert out.lines == ["of run, of exec", "/tmp", "user"]


def test_detached(rootless: Rootless, web: str) -> None:
    rootless("exec", "-d", web, "sh", "-c", "echo done >/mark")
    rootless("exec", web, "sh", "-c", "until [ -e /mark ]; do sleep 0.05; done")


@pytest.mark.parametrize(
    ("command", "status"), [("/nowhere", 127), ("missing-program", 127), ("/etc/passwd", 126)]
)
def test_command_that_cannot_run(rootless: Rootless, web: str, command: str, status: int) -> None:
    assert command in rootless("exec", web, command, status=status).stderr


@pytest.mark.parametrize(
    "options",
    [
        ("-w", "/nope"), ("-w", "/etc/passwd"), ("-w", "relative"), ("-u", "ghost"), ("-u", "0:ghost"),
        ("-u", "99999999999"), ("-d", "-w", "/nope"), ("-t", "-u", "ghost"),
        pytest.param(("-u", "4000000000"), marks=pytest.mark.real_ids("any number can be emulated")),
    ],
)  # fmt: skip
def test_what_else_keeps_it_from_running(rootless: Rootless, web: str, options: tuple[str, ...]) -> None:
    """126 as Docker's; 1 is a container that is not there, and 125 `run`'s alone."""
    assert rootless("exec", *options, web, "true", status=126).stderr.startswith("rootless: ")
    assert rootless("exec", *options, "no-such-container", "true", status=1).stdout == ""


def test_has_no_more_rights_than_run(rootless: Rootless, web: str) -> None:
    ask = "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/{}/status"
    one = rootless("exec", web, "sh", "-c", ask.format(1)).stdout
    assert rootless("exec", web, "sh", "-c", ask.format("self")).stdout == one


def test_stopped_container(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "box", busybox_image)
    assert "not running" in rootless("exec", "box", "true", status=1).stderr
    rootless("rm", "box")


def test_many_at_once(rootless: Rootless, web: str) -> None:
    running = [rootless.start("exec", web, "sh", "-c", f"echo {number}") for number in range(8)]
    assert [each.communicate(timeout=30)[0].decode().strip() for each in running] == [
        str(n) for n in range(8)
    ]


def test_has_the_oom_score_of_the_container(rootless: Rootless, busybox_image: str) -> None:
    """It is killed for memory when the container would be, not when the terminal would be that started it."""
    rootless("run", "-d", "--name", "scored", "--network", "none", "--oom-score-adj", "300", busybox_image, "sleep", "1000")
    assert rootless("exec", "scored", "cat", "/proc/self/oom_score_adj").stdout == "300\n"
    rootless("rm", "-f", "scored")
