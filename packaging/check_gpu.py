"""Whether containers compute on this machine's NVIDIA processors, answered by one run of a few minutes:

    python packaging/check_gpu.py [--rootless PROGRAM] [--account NAME] >report

As an ordinary user it tries his own containers. As root it tries those of two ordinary accounts, made if they are not there: NAME
has a range of ids, NAME-plain has none. Needs no network and no image: one is made of this Python and the libraries it uses,
and it adds vectors by the driver's libcuda (vector_add.py). The report has what a developer wants to see of the host, and each
step with its output; the last line counts. Status 0 if every step that computes did so.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("vector_add.py")
IMAGE = "check-gpu:latest"
LIMIT_S = 120
FACTS = (
    "uname -a", "head -4 /etc/os-release", "id", "cat /proc/driver/nvidia/version", "nvidia-smi -L",
    "ls -l /dev/nvidia* /dev/dri /dev/nvidia-caps", "ls -lR /proc/driver/nvidia/capabilities", "cat /proc/driver/nvidia/gpus/*/information",
    "ldconfig -p | grep -E 'nvidia|cuda'",
    "cat /proc/self/uid_map /etc/subuid", "which newuidmap slirp4netns fuse-overlayfs nvidia-modprobe", "env | grep -E 'CUDA|NVIDIA|LD_'",
    "findmnt | grep -iE 'nvidia|cuda'",
)  # fmt: skip


def libraries(programs: list[str]) -> set[str]:
    """What the loader takes for these ELF files, itself among them; by ldd(1)."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return {word for word in re.findall(r"(/\S+)", listed) if not word.endswith(":")}


def write_root(path: Path) -> None:
    """A tar of this interpreter, its standard library and what they load, where they are on this machine; `vector_add.py`
    is at the top."""
    interpreter = os.path.realpath(sys.executable)
    standard = sysconfig.get_path("stdlib")
    modules = glob.glob(f"{standard}/lib-dynload/_ctypes*.so") + glob.glob(f"{standard}/lib-dynload/_struct*.so")
    skipped = ("/test", "/site-packages", "/dist-packages", "/idlelib", "/ensurepip", "/__pycache__")
    with tarfile.open(path, "w", dereference=True) as tar:
        for name in sorted({interpreter, *libraries([interpreter, *modules])}):
            tar.add(name)
        tar.add(standard, filter=lambda member: None if f"/{member.name}".endswith(skipped) else member)
        tar.add(PROGRAM, "vector_add.py")
        for name in ("tmp", "proc", "sys", "dev", "etc", "run"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)


class Report:
    """Steps with their output, on stdout; knows which of those that count have failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed = 0

    def step(self, title: str, argv: list[str], *, expected: str | None = None, environment: dict[str, str] | None = None) -> None:
        """Run it. Where something is `expected` in its output, the step counts."""
        print(f"\n==> {title}\n    {' '.join(argv)}", flush=True)
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", timeout=LIMIT_S, check=False, env=environment)  # fmt: skip
            output, status = done.stdout, done.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            output, status = str(error), -1
        print(output.rstrip(), f"\n    status {status}", flush=True)
        if expected is not None:
            if status == 0 and expected in output:
                self.passed += 1
            else:
                self.failed.append(title)


def check(report: Report, who: str, rootless: list[str], root: Path, environment: dict[str, str]) -> None:
    """Everything for one user. `rootless` is the command with what becomes that user."""
    def run(title: str, *words: str, expected: str | None = None) -> None:
        report.step(f"{who}: {title}", [*rootless, *words], expected=expected, environment=environment)

    python = os.path.realpath(sys.executable)
    run("doctor", "doctor", "-v")
    run("image", "import", "-q", str(root), IMAGE)
    words = ("run", "--rm", "--network", "none")
    run("nvidia-smi", *words, "--gpus", "all", IMAGE, "nvidia-smi", "-L", expected="GPU 0")
    run("computes", *words, "--gpus", "all", IMAGE, python, "/vector_add.py", expected="sum: right")
    run("computes, by its name", *words, "--device", "nvidia.com/gpu=0", IMAGE, python, "/vector_add.py", expected="sum: right")
    run("computes, read-only", *words, "--read-only", "--gpus", "1", IMAGE, python, "/vector_add.py", expected="sum: right")
    run("computes as another user", *words, "--gpus", "all", "-u", "1000", IMAGE, python, "/vector_add.py")
    look = "import glob; print(glob.glob('/dev/nvidia*') or 'none')"
    run("without --gpus there is none", *words, IMAGE, python, "-c", look, expected="none")
    run("info", "info", "--format", "{{json .DiscoveredDevices}}")
    run("removed", "rmi", "-f", IMAGE)


def account(name: str, *, ranges: bool) -> list[str] | None:
    """What a command begins with to be run as the account, made if it is not there; None where that cannot be had."""
    there = subprocess.run(["id", name], capture_output=True, check=False).returncode == 0
    if not there and subprocess.run(["useradd", "-m", name], check=False).returncode:
        return None
    for table, word in (("/etc/subuid", "--del-subuids"), ("/etc/subgid", "--del-subgids")):
        for line in [] if ranges or not os.path.exists(table) else Path(table).read_text().splitlines():
            user, first, count = line.split(":")
            if user == name:
                subprocess.run(["usermod", word, f"{first}-{int(first) + int(count) - 1}", name], check=True)
    return ["setpriv", "--reuid", name, "--regid", name, "--init-groups"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether containers compute on this machine's NVIDIA processors.")
    found = shutil.which("rootless") or "rootless"
    parser.add_argument("--rootless", default=found, help="the program, which every account must be able to run")
    parser.add_argument("--account", default="check-gpu", help="an ordinary account to try, where this runs as root")
    options = parser.parse_args()
    report = Report()
    for fact in FACTS:
        report.step("host", ["sh", "-c", fact])
    report.step("the host computes", [sys.executable, str(PROGRAM)], expected="sum: right")
    with tempfile.TemporaryDirectory(prefix="check-gpu-", dir="/var/tmp") as scratch:
        os.chmod(scratch, 0o755)
        root = Path(scratch) / "root.tar"
        write_root(root)
        if os.geteuid() != 0:
            check(report, "caller", [options.rootless], root, {**os.environ, "ROOTLESS_ROOT": f"{scratch}/store"})
        for name, ranges in ((options.account, True), (f"{options.account}-plain", False)) if os.geteuid() == 0 else ():
            become = account(name, ranges=ranges)
            if become is None:
                report.failed.append(f"account {name}")
                continue
            mine = {"PATH": os.environ["PATH"], "HOME": os.path.expanduser(f"~{name}"), "USER": name, "LANG": "C.UTF-8"}
            check(report, name, [*become, options.rootless], root, mine)
    print(f"\n==> {report.passed} passed, {len(report.failed)} failed{''.join(f'; {title}' for title in report.failed)}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
