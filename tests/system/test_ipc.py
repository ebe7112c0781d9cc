"""--ipc: POSIX shared memory, System V segments and message queues of another container, or nobody's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program

SEGMENT = r"""
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <mqueue.h>
#include <fcntl.h>
int main(int argc, char **argv) {
    int id = shmget(4711, 4096, IPC_CREAT | 0600);
    char *p = id < 0 ? (char *)-1 : shmat(id, 0, 0);
    struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 64};
    mqd_t q = mq_open("/queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a);
    char told[64] = "";
    if (p == (char *)-1 || q == (mqd_t)-1) return 1;
    if (argc > 1) { strcpy(p, argv[1]); return mq_send(q, argv[1], strlen(argv[1]) + 1, 0) != 0; }
    mq_receive(q, told, sizeof told, 0);
    printf("%s %s\n", p, told);
    return 0;
}
"""


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static program that writes its argument into a segment and a queue, or tells what is in them."""
    directory = tmp_path_factory.mktemp("segment")
    (directory / "segment.c").write_text(SEGMENT)
    program = directory / "segment"
    subprocess.run([need_program("cc"), "-static", "-o", program, directory / "segment.c"], check=True, timeout=60)
    directory.chmod(0o755)
    return program


def donor(rootless: Rootless, image: str, segment: Path, *options: str) -> None:
    rootless("run", "-d", "--name", "donor", "--network", "none", "-v", f"{segment}:/segment:ro", *options, image,
             "sleep", "600")  # fmt: skip


@pytest.mark.parametrize("userns", [(), ("--read-only",), ("--shm-size", "1m")])
def test_shared_with_another_container(
    rootless: Rootless, busybox_image: str, segment: Path, userns: tuple[str, ...]
) -> None:
    donor(rootless, busybox_image, segment, "--ipc", "shareable", *userns)
    rootless("exec", "donor", "sh", "-c", "echo -n posix >/dev/shm/file; /segment sysv")
    script = "cat /dev/shm/file; echo; /segment; echo back >/dev/shm/back; cut -d' ' -f5 /proc/self/mountinfo | grep -cE 'mqueue|shm'"
    joined = ("--network", "none", "--ipc", "container:donor", "-v", f"{segment}:/segment:ro", busybox_image)
    assert rootless("run", "--rm", *joined, "sh", "-c", script).lines == ["posix", "sysv sysv", "2"]
    assert rootless("exec", "donor", "cat", "/dev/shm/back").stdout == "back\n"
    # What joined can be joined itself, and started again.
    rootless("run", "-d", "--name", "second", *joined, "sleep", "600")
    rootless("run", "--rm", "--network", "none", "--ipc", "container:second", busybox_image, "cat", "/dev/shm/back")
    rootless("restart", "-t", "0", "second")
    assert rootless("exec", "second", "cat", "/dev/shm/back").stdout == "back\n"
    rootless("rm", "-f", "second", "donor")


@pytest.mark.parametrize("mode", [(), ("--ipc", "private"), ("--ipc", "none")])
def test_what_is_not_shareable_is_refused(
    rootless: Rootless, busybox_image: str, segment: Path, mode: tuple[str, ...]
) -> None:
    donor(rootless, busybox_image, segment, *mode)
    identifier = rootless("inspect", "-f", "{{.Id}}", "donor").stdout.strip()
    joined = ("run", "--rm", "--network", "none", "--ipc", "container:donor", busybox_image, "true")
    stderr = rootless(*joined, status=125).stderr
    assert f"container {identifier}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)" in stderr
    assert rootless("inspect", "-f", "{{.HostConfig.IpcMode}}", "donor").stdout.strip() == (mode[1] if mode else "private")
    rootless("rm", "-f", "donor")


def test_a_donor_that_does_not_run(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "donor", "--ipc", "shareable", busybox_image)
    joined = ("run", "--rm", "--network", "none", "--ipc", "container:donor", busybox_image, "true")
    assert "cannot join ipc namespace of a non running container" in rootless(*joined, status=125).stderr
    rootless("rm", "donor")


def test_none_and_host(rootless: Rootless, busybox_image: str, segment: Path, tmp_path: Path) -> None:
    script = "grep -c ' /dev/shm ' /proc/self/mountinfo"
    alone = ("run", "--rm", "--network", "none")
    assert rootless(*alone, "--ipc", "none", busybox_image, "sh", "-c", script, status=1).stdout == "0\n"
    name = f"rl-{tmp_path.name}-{rootless.runtime.name}"
    (Path("/dev/shm") / name).write_text("host")
    try:
        donor(rootless, busybox_image, segment, "--ipc", "host")
        for words in (("exec", "donor"), (*alone, "--ipc", "container:donor", busybox_image)):
            assert rootless(*words, "cat", f"/dev/shm/{name}").stdout == "host"
    finally:
        (Path("/dev/shm") / name).unlink()
    rootless("rm", "-f", "donor")


def test_a_directory_of_the_users_wins(rootless: Rootless, busybox_image: str, segment: Path, tmp_path: Path) -> None:
    donor(rootless, busybox_image, segment, "--ipc", "shareable")
    (tmp_path / "mine").touch()
    out = rootless("run", "--rm", "--network", "none", "--ipc", "container:donor", "-v", f"{tmp_path}:/dev/shm",
                   busybox_image, "ls", "/dev/shm")  # fmt: skip
    assert out.stdout == "mine\n"
    rootless("rm", "-f", "donor")


@pytest.mark.parametrize("made", ["mkdir /tmp/x; ln -s /tmp/x", "touch", "ln -s /proc/1/root", "ln -s /etc/passwd", "true"])
def test_a_donor_that_is_hostile(rootless: Rootless, busybox_image: str, segment: Path, made: str) -> None:
    """A privileged donor unmounts its /dev/shm and puts something else there: its own, or an error."""
    donor(rootless, busybox_image, segment, "--ipc", "shareable", "--privileged")
    rootless("exec", "donor", "sh", "-c", f"umount /dev/shm; rmdir /dev/shm; {made} /dev/shm; echo inside >/tmp/x/mark", status=None)
    script = "cat /dev/shm/mark; ls /dev/shm/home 2>/dev/null; true"
    done = rootless("run", "--rm", "--network", "none", "--ipc", "container:donor", busybox_image, "sh", "-c", script, status=None)
    assert done.stdout == ("inside\n" if "tmp/x" in made else "")
    assert done.status == (0 if "tmp/x" in made else 125), done.stderr
    rootless("rm", "-f", "donor")
