"""The runtime's own program, memory and modules, attacked from a container that it sets up or enters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.hostile.conftest import Attack
from tests.need import need_program


@pytest.fixture
def evil_root(trap: Path) -> Path:
    """A root file system whose commands are links to whoever executes them."""
    root = trap / "root"
    for name in ("bin", "proc", "dev", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    images.plain_busybox(root)
    (root / "bin/link").symlink_to("/proc/self/exe")
    (root / "bin/deep").symlink_to("../proc/1/exe")
    (root / "bin/script").write_text("#!/proc/self/exe\n")
    (root / "bin/script").chmod(0o755)
    return root


@pytest.mark.parametrize(
    "command", ["/proc/self/exe", "link", "/bin/deep", "/bin/script", "/proc/thread-self/exe"]
)
def test_cve_2019_5736_the_runtime_is_not_executed_inside(
    rootless: Rootless, evil_root: Path, command: str
) -> None:
    done = rootless(
        "run", "--rm", "--network", "none", "--rootfs", evil_root, command, "-c", "print(1)", status=126
    )
    assert "refusing to execute through a link of /proc" in done.stderr
    rootless(
        "run", "-d", "--name", "box", "--network", "none", "--rootfs", evil_root, "busybox", "sleep", "100"
    )
    done = rootless("exec", "box", command, "-c", "print(1)", status=126)
    assert "refusing" in done.stderr
    rootless("rm", "-f", "box")


@pytest.mark.parametrize("options", [(), ("--privileged",)])
def test_cve_2016_9962_processes_that_enter_cannot_be_looked_into(
    rootless: Rootless, busybox_image: str, payload: Path, options: tuple[str, ...]
) -> None:
    """A container that watches /proc for processes that are not of its image, while `exec` enters it."""
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{payload}:/bin/payload:ro", *options,
             busybox_image, "payload", "watch", "7")  # fmt: skip
    end = time.monotonic() + 4
    while time.monotonic() < end:
        # Long enough to be known as the image's; and what never becomes a program of the image.
        rootless("exec", "box", "/bin/busybox", "sleep", "0.2")
        rootless("exec", "box", "/nothing", status=127)
    rootless("wait", "box")
    lines = rootless("logs", "box").lines
    assert (lines[0], lines[-1]) == ("watching", "watched")
    assert [line for line in lines if line.startswith("caught")] == []
    rootless("rm", "box")


@pytest.fixture
def racer(trap: Path, payload: Path) -> Path:
    """A root with a `tool` and a `script`, and for either one that leads to whoever executes it; with all
    that our interpreter would need to start there, and to stay a while."""
    root = trap / "root"
    for name in ("bin", "proc", "dev", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    images.plain_busybox(root)
    shutil.copy(payload, root / "bin/payload")
    (root / "bin/tool").symlink_to("payload")
    (root / "bin/tool-2").symlink_to("/proc/self/exe")
    (root / "bin/script").write_text("#!/bin/busybox true\n")
    (root / "bin/script-2").write_text("#!/proc/self/exe\n")
    for name in ("script", "script-2", "payload"):
        (root / "bin" / name).chmod(0o755)
    found = subprocess.run(["ldd", os.path.realpath(sys.executable)], capture_output=True, text=True, check=True)
    for library in [word for word in found.stdout.split() if word.startswith("/")]:
        (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library.lstrip("/"))
    slow = trap / "slow.c"
    slow.write_text("#include <unistd.h>\n__attribute__((constructor)) static void f(void) { usleep(300000); }\n")
    subprocess.run([need_program("cc"), "-shared", "-fPIC", "-o", root / "slow.so", slow], check=True, timeout=60)
    return root


RACE = "payload swap /bin/tool /bin/tool-2 & payload swap /bin/script /bin/script-2 & exec payload watch 9 /bin/busybox /bin/payload"


def test_cve_2019_5736_races_for_the_interpreter(rootless: Rootless, racer: Path) -> None:
    """The command is what it should be when it is looked at, and a link when it is executed."""
    options = ("--name", "racer", "--network", "none", "-e", "LD_PRELOAD=/slow.so", "--rootfs", racer)
    rootless("run", "-d", *options, "busybox", "sh", "-c", RACE)
    end = time.monotonic() + 7
    seen = set()
    while time.monotonic() < end:
        for words in (("tool", "descriptors"), ("script",)):
            seen.add(rootless("exec", "racer", *words, status=None).status)
    rootless("wait", "racer")
    lines = rootless("logs", "racer").lines
    assert lines[-1] == "watched", lines
    assert [line for line in lines if line.startswith("caught")] == []
    # Both sides were met: the command itself, and a link that was seen in time.
    assert {0, 126} <= seen
    rootless("rm", "-f", "racer")


def test_a_process_that_joins_cannot_be_looked_into(rootless: Rootless, racer: Path) -> None:
    """--pid container:NAME: the new container's first process is in view of the other's while it still has
    the host's root. The other one has every capability over the user namespace that they share."""
    options = ("--network", "none", "--rootfs", racer)
    watch = ("payload", "watch", "9", "/bin/busybox", "/bin/payload")
    rootless("run", "-d", "--name", "box", "--privileged", *options, *watch)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        rootless("run", "--rm", "--pid", "container:box", *options, "busybox", "sleep", "0.2")
        rootless("run", "--rm", "--pid", "container:box", *options, "nothing", status=127)
        rootless("run", "--rm", "--pid", "container:box", "-u", "nobody-there", *options, "busybox", status=125)
    rootless("wait", "box")
    lines = rootless("logs", "box").lines
    assert (lines[0], lines[-1]) == ("watching", "watched")
    assert [line for line in lines if line.startswith("caught")] == []
    rootless("rm", "box")


def test_health_checks_cannot_be_looked_into(rootless: Rootless, racer: Path) -> None:
    options = ("--network", "none", "--health-cmd", "/bin/tool descriptors", "--health-interval", "1s")
    (racer / "bin/sh").symlink_to("busybox")
    rootless("run", "-d", "--name", "box", *options, "--rootfs", racer, "sh", "-c", RACE)
    rootless("wait", "box")
    lines = rootless("logs", "box").lines
    assert lines[-1] == "watched"
    assert [line for line in lines if line.startswith("caught")] == []
    (found,) = json.loads(rootless("inspect", "box").stdout)
    assert len(found["State"]["Health"]["Log"]) > 2, "there were some"
    rootless("rm", "box")


@pytest.mark.parametrize("options", [(), ("--privileged",)])
def test_init_cannot_be_overwritten(
    rootless: Rootless, attack: Attack, busybox_image: str, options: tuple[str, ...]
) -> None:
    """CVE-2019-5736 again: PID 1 of `--init` is ours, and container root owns our installation."""
    options = ("--network", "none", "--init", *options)
    lines = attack("overwrite", "/proc/1/exe", "/proc/1/map_files", options=options)
    assert lines[0] in ("EPERM", "ETXTBSY", "EACCES")
    assert lines[1] in ("EISDIR", "EPERM", "EACCES")
    # While it runs no file can be overwritten; this is none of the host's, afterwards neither.
    found = rootless("run", "--rm", *options, busybox_image, "readlink", "/proc/1/exe").stdout
    assert found == "/memfd:rootless-init (deleted)\n"


def evil_modules(root: Path, marker: str) -> None:
    """Every module of the standard library, and ours, at every place where our interpreter looks."""
    text = f"open({marker!r}, 'a').write(__name__ + '\\n')\nraise SystemExit(99)\n"
    for place in {*filter(None, sys.path), os.path.dirname(os.__file__)}:
        if not place.startswith("/") or place.startswith(("/proc", "/dev", "/sys")):
            continue
        directory = root / place.lstrip("/")
        directory.mkdir(parents=True, exist_ok=True)
        for name in sys.stdlib_module_names | {"rootless", "encodings", "sitecustomize", "usercustomize"}:
            (directory / f"{name}.py").write_text(text)
        (directory / "encodings").mkdir(exist_ok=True)
        for name in ("idna", "punycode", "latin_1", "ascii", "__init__"):
            (directory / "encodings" / f"{name}.py").write_text(text)


def test_cve_2019_14271_nothing_of_the_image_is_loaded(
    rootless: Rootless, evil_root: Path, trap: Path
) -> None:
    """docker cp loaded the container's libnss; we are Python: an image full of Python modules."""
    work = trap / "work"
    work.mkdir()
    evil_modules(evil_root, "/mnt/loaded")
    (evil_root / "etc/passwd").write_text("who:x:7:7::/:/bin/sh\n")
    (evil_root / "etc/nsswitch.conf").write_text("passwd: evil files\n")
    options = ("--network", "none", "-v", f"{work}:/mnt", "--rootfs", evil_root)
    rootless(
        "run", "--rm", "--ulimit", "nofile=100", "-u", "who:7", "-w", "/tmp/new", *options, "busybox", "true"
    )
    rootless("run", "--rm", *options, "nothing", status=127)
    rootless("run", "--rm", "-u", "nobody-there", *options, "busybox", status=125)
    rootless("run", "--rm", "-t", *options, "busybox", "true")
    rootless("run", "-d", "--name", "box", *options, "busybox", "sleep", "100")
    rootless("exec", "-u", "who", "-w", "/tmp", "box", "busybox", "true")
    rootless("exec", "-u", "nobody-there", "box", "busybox", "true", status=None)
    rootless("exec", "box", "nothing", status=None)
    rootless("exec", "-w", "/nowhere", "box", "busybox", "true", status=None)
    for verb in (
        ("cp", "box:/etc/passwd", trap / "copied"),
        ("cp", trap / "secret", "box:/tmp/x"),
        ("top", "box"),
    ):
        rootless(*verb)
    rootless("rm", "-f", "box")
    assert not (work / "loaded").exists(), (work / "loaded").read_text()


def test_cve_2022_1227_top_runs_nothing_of_the_image(rootless: Rootless, evil_root: Path, trap: Path) -> None:
    for name in ("ps", "nsenter", "cat"):
        (evil_root / "bin" / name).write_text("#!/bin/busybox sh\n/bin/busybox touch /mnt/ran\n")
        (evil_root / "bin" / name).chmod(0o755)
    (trap / "work").mkdir()
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{trap}/work:/mnt", "--rootfs", evil_root,
             "busybox", "sleep", "100")  # fmt: skip
    assert "sleep" in rootless("top", "box").stdout
    rootless("rm", "-f", "box")
    assert not (trap / "work/ran").exists()


def test_cve_2021_3602_the_callers_environment_stays_outside(rootless: Rootless, busybox_image: str) -> None:
    script = "tr '\\0' '\\n' </proc/1/environ; tr '\\0' ' ' </proc/1/cmdline; readlink /proc/1/exe; env"
    out = rootless(
        "run", "--rm", "--network", "none", busybox_image, "sh", "-c", script, env={"SECRET": "hunter2"}
    )
    assert "hunter2" not in out.stdout
    for word in ("ROOTLESS", "python", str(rootless.root), str(rootless.runtime)):
        assert word not in out.stdout
    assert "/bin/busybox" in out.stdout


def test_no_path_of_the_host_shows_in_its_mounts(rootless: Rootless, busybox_image: str) -> None:
    out = rootless("run", "--rm", "--network", "none", busybox_image, "cat", "/proc/mounts").stdout
    assert str(rootless.root) not in out
