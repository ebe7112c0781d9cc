"""The monitor's log: CRI records, rotation, a disk that is full."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.monitored import STDIN, Monitor
from tests.need import need

RECORD = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] [^\n]*\n")


def test_partial_lines(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "printf one; sleep 0.2; printf two; sleep 0.2; echo three; echo; printf end")
    monitor.wait()
    assert [(tag, text) for _, tag, text in monitor.log()] == [
        ("P", "one"),
        ("P", "two"),
        ("F", "three"),
        ("F", ""),
        ("P", "end"),
    ]


def test_any_bytes(monitor: Monitor) -> None:
    payload = bytes(range(256)) * 400
    monitor.start("python3", "-c", "import os; os.write(1, bytes(range(256)) * 400)")
    monitor.wait()
    data = (monitor.dir / "container.log").read_bytes()
    records = re.findall(rb"\S+ stdout ([FP]) ([^\n]*)\n", data)
    assert b"".join(text + (b"\n" if tag == b"F" else b"") for tag, text in records) == payload


def test_no_log(monitor: Monitor) -> None:
    monitor.start("echo", "hello", log=False)
    monitor.wait()
    assert not (monitor.dir / "container.log").exists()


def test_appends_and_mends_a_torn_record(monitor: Monitor) -> None:
    (monitor.dir / "container.log").write_text("2026-01-02T03:04:05.000000000Z stdout F tor")
    monitor.start("echo", "next")
    monitor.wait()
    assert [text for _, _, text in monitor.log()] == ["tor", "next"]


def test_symlink_is_not_followed(monitor: Monitor, tmp_path: Path) -> None:
    (monitor.dir / "container.log").symlink_to(tmp_path / "elsewhere")
    monitor.start("sh", "-c", "echo hello; exit 3")
    monitor.wait()
    assert not (tmp_path / "elsewhere").exists()
    assert monitor.exit_json()["status"] == 3 << 8
    assert monitor.exit_json()["log_lost_bytes"] == 6


@pytest.mark.parametrize("files", [1, 2, 5])
def test_rotation(monitor: Monitor, files: int) -> None:
    size = 10000
    monitor.start("seq", "1", "3000", options=("--log-max-size", str(size), "--log-max-file", str(files)))
    monitor.wait()
    names = ["container.log", *(f"container.log.{number}" for number in range(1, files))]
    found = sorted(path.name for path in monitor.dir.iterdir() if path.name.startswith("container"))
    assert found == sorted(names)
    lines: list[int] = []
    for name in reversed(names):
        data = (monitor.dir / name).read_bytes()
        assert 0 < len(data) <= size
        assert RECORD.sub(b"", data) == b""
        lines += [int(text) for _, _, text in monitor.log(name)]
    assert lines == list(range(3001 - len(lines), 3001))


def test_rotation_follows_what_is_there(monitor: Monitor) -> None:
    (monitor.dir / "container.log").write_text("2026-01-02T03:04:05.000000000Z stdout F old\n" * 10)
    monitor.start("echo", "new", options=("--log-max-size", "450", "--log-max-file", "3"))
    monitor.wait()
    assert [text for _, _, text in monitor.log("container.log.1")] == ["old"] * 10
    assert [text for _, _, text in monitor.log()] == ["new"]


def test_record_larger_than_a_file(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "echo a; head -c 5000 /dev/zero | tr '\\0' x; echo; echo b",
                  options=("--log-max-size", "100", "--log-max-file", "100"))  # fmt: skip
    monitor.wait()
    names = [path.name for path in monitor.dir.iterdir() if path.name.startswith("container.log")]
    texts = [text for name in names for _, _, text in monitor.log(name)]
    assert len("".join(texts)) == 5002


FULL_DISK = """
import json, os, sys
sys.path.insert(0, {repository!r})
from pathlib import Path
from tests.native.monitored import STDIN, Monitor, eventually
directory, fallback = Path({directory!r}), Path({fallback!r})
os.makedirs(fallback, exist_ok=True)
made = Monitor(Path({program!r}), directory)
script = "read go; seq 1 2000; read go; echo after; read go; seq 1 2000; exit 3"
made.start("sh", "-c", script, client=True, fallback=fallback, options=("--keep-stdin",))
client = made.client
client.send(STDIN, b"go\\n")
expected = b"".join(b"%d\\n" % number for number in range(1, 2001))
client.until(lambda client: client.stdout == expected)
full = (directory / "container.log").read_text()
(directory / "ballast").unlink()
client.send(STDIN, b"go\\n")
client.until(lambda client: client.stdout == expected + b"after\\n")
room = (directory / "container.log").read_text()
with open(directory / "ballast", "wb", 0) as ballast:
    try:
        while True:
            ballast.write(bytes(4096))
    except OSError:
        pass
client.send(STDIN, b"go\\n")
client.finish()
made.wait()
print(json.dumps(dict(
    status=client.status, all=client.stdout == expected + b"after\\n" + expected, full=full, room=room,
    last=(directory / "container.log").read_text(), here=os.path.exists(directory / "exit.json"),
    left=os.path.exists(directory / ".exit.json.new"), record=made.exit_json(fallback))))
made.stop()
"""


def test_full_disk(helpers: Path, tmp_path: Path) -> None:
    """A file system of a few pages in a mount namespace of our own."""
    unshare = ["unshare", "-Urm"]
    possible = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Urm does not work here")
    disk = tmp_path / "disk"
    disk.mkdir()
    code = FULL_DISK.format(
        repository=str(Path(__file__).resolve().parents[2]),
        directory=str(disk),
        fallback=str(tmp_path / "fallback"),
        program=str(helpers / "rootless-monitor"),
    )
    shell = 'mount -t tmpfs -o size=16k,nr_inodes=20 tmpfs "$1" && head -c 8192 /dev/zero >"$1/ballast" && exec "$2" -c "$3"'
    argv = [*unshare, "sh", "-c", shell, "sh", str(disk), sys.executable, code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == 3 << 8
    assert told["all"], "attached clients must see all output"
    for text in ("full", "room", "last"):
        assert RECORD.sub(b"", told[text].encode()) == b"", "only whole records"
    first = [int(line.split()[-1]) for line in told["full"].splitlines()]
    assert first == list(range(1, len(first) + 1))
    assert 100 < len(first) < 2000
    lost = sum(len(str(number)) + 1 for number in range(len(first) + 1, 2001))
    gap, after = told["room"].splitlines()[-2:]
    assert f"stderr F rootless: {lost} bytes of output are missing here" in gap
    assert "No space left on device" in gap
    assert after.endswith(" stdout F after")
    assert told["record"]["status"] == 3 << 8
    assert told["record"]["log_lost_bytes"] > 0
    assert not told["here"]
    assert not told["left"]


def test_read_only_directory(monitor: Monitor, tmp_path: Path) -> None:
    need(os.geteuid() != 0, "root may write everywhere")
    fallback = tmp_path / "fallback"
    fallback.mkdir()
    monitor.socket_path = str(tmp_path / "attach")
    monitor.dir.chmod(0o500)
    try:
        client = monitor.start("cat", client=True, fallback=fallback).client
        assert client is not None
        client.send(STDIN, b"hello\n")
        client.until(lambda client: client.stdout == b"hello\n")
        client.close()
        monitor.wait()
    finally:
        monitor.dir.chmod(0o700)
    assert monitor.exit_json(fallback)["status"] == 0
