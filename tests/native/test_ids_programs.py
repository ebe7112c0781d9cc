"""Emulated ids and programs of other kinds: of 32 bits, of musl."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.test_ids import HERE, TOLD, emulated
from tests.need import need_program

ASKS = 'void _start(void) { __asm__("mov $24, %eax; int $0x80; mov %eax, %ebx; mov $1, %eax; int $0x80"); }'  # exit(getuid())


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="32-bit x86 runs on x86")
def test_a_program_of_32_bits_is_who_it_is(helpers: Path, tmp_path: Path) -> None:
    (tmp_path / "asks.c").write_text(ASKS)
    options = ["-m32", "-nostdlib", "-static", "-o", str(tmp_path / "asks")]
    subprocess.run([need_program("cc"), *options, tmp_path / "asks.c"], check=True, timeout=60)
    tmp_path.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    for command, uid in ((["./asks"], 0), (["setpriv", "--reuid", "33", "./asks"], 33)):
        done = subprocess.run(emulated(helpers, "full", *command), cwd=tmp_path, env=environment, timeout=60, check=False)
        assert done.returncode == uid


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="32-bit x86 runs on x86")
@pytest.mark.parametrize("call", [463, 466])
def test_the_newer_calls_that_change_attributes_are_none(helpers: Path, tmp_path: Path, call: int) -> None:
    """setxattrat(2) and removexattrat(2), which nobody would answer: of both widths."""
    asks = {
        "wide": f'void _start(void) {{ long r; __asm__("syscall" : "=a"(r) : "a"({call}L) : "rcx", "r11", "memory");'
        ' __asm__("syscall" : : "a"(60L), "D"(-r)); }',
        "narrow": f'void _start(void) {{ __asm__("mov ${call}, %eax; int $0x80; neg %eax; mov %eax, %ebx; mov $1, %eax; int $0x80"); }}',
    }
    tmp_path.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    for name, text in asks.items():
        (tmp_path / f"{name}.c").write_text(text)
        options = ["-m32" if name == "narrow" else "-m64", "-nostdlib", "-static", "-o", str(tmp_path / name)]
        subprocess.run([need_program("cc"), *options, tmp_path / f"{name}.c"], check=True, timeout=60)
        done = subprocess.run(emulated(helpers, "full", f"./{name}"), cwd=tmp_path, env=environment, timeout=60, check=False)
        assert done.returncode == errno.ENOSYS, name


LEADS = """
import ctypes, os
libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(1024)
os.mkdir("locked", 0o700)
os.symlink("there", "locked/link")
os.setresuid(33, 33, 33)
for size in 1022, 1023, 1024:
    print(libc.readlink(b"locked/link", room, size), libc.readlinkat(-100, b"locked/link", room, size), ctypes.get_errno())
"""


def test_what_realpath_asks_is_the_kernel_s_to_answer(helpers: Path, tmp_path: Path) -> None:
    """glibc's, known by its size: the bits that hold for all other readlink(2) are not looked at."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    argv = emulated(helpers, "full", sys.executable, "-c", LEADS)
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True)
    refused = f"-1 -1 {errno.EACCES}"
    assert done.stdout.splitlines() == [refused, f"5 5 {errno.EACCES}", refused]


def test_all_threads_become_another_with_musl(helpers: Path, tmp_path: Path) -> None:
    """Whose static programs set the ids of threads in a way of their own."""
    command = [need_program("musl-gcc"), "-static", "-pthread", "-DALONE", "-o", str(tmp_path / "threads")]
    subprocess.run([*command, HERE / "ids_threads.c"], check=True, timeout=60)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        emulated(helpers, "full", "./threads"), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    assert done.stdout.splitlines() == TOLD
