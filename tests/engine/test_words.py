"""Users' words into values: -v, --mount, --tmpfs, sizes, ulimits, devices, environment, signals, times."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from rootless.engine.options import clock
from rootless.engine.options.mounts import parse_mount, parse_tmpfs, parse_volume
from rootless.engine.options.signals import parse_signal
from rootless.engine.options.values import (
    merge_env,
    parse_bytes,
    parse_device,
    parse_duration,
    parse_env,
    parse_ulimit,
    read_env_file,
)
from rootless.errors import InvalidInput, NotFound
from rootless.words import UserWord


@pytest.mark.parametrize(
    ("word", "kind", "source", "target", "read_only"),
    [
        ("/a:/b", "bind", "/a", "/b", False),
        ("/a/../c:/b/:ro", "bind", "/c", "/b", True),
        ("data:/b", "volume", "", "/b", False),
        ("/b", "volume", "", "/b", False),
        ("/a:/b:rw,z", "bind", "/a", "/b", False),
        ("/a:/b:rslave,ro", "bind", "/a", "/b", True),
    ],
)
def test_volume(word: str, kind: str, source: str, target: str, read_only: bool) -> None:
    mount = parse_volume(UserWord(word))
    assert (mount["type"], mount["source"], mount["target"], mount["read_only"]) == (
        kind,
        source,
        target,
        read_only,
    )


def test_relative_bind_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "site") == parse_volume(UserWord("./site:/srv"))["source"]


@pytest.mark.parametrize(
    "word", ["a:b", "/a:b", "/a:/", "", ":/b", "/a:/b:nope", "/a:/b:ro:x", "x$:/b", "x:/b"]
)
def test_volume_refused(word: str) -> None:
    with pytest.raises(InvalidInput):
        parse_volume(UserWord(word))


def test_mount_bind_with_all_its_words() -> None:
    mount = parse_mount(UserWord("type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"))
    assert (mount["source"], mount["target"], mount["read_only"]) == ("/a", "/b", True)
    assert "rslave" in mount["options"]


def test_mount_tmpfs_size_is_bytes() -> None:
    assert "size=1048576" in parse_mount(UserWord("type=tmpfs,target=/t,tmpfs-size=1m"))["options"]
    assert parse_tmpfs(UserWord("/t:size=64k,mode=1777"))["options"] == ["size=65536", "mode=1777"]


@pytest.mark.parametrize(
    "word",
    ["type=bind,dst=/b", "type=bind,src=/a", "type=nfs,dst=/b", "type=tmpfs,src=/a,dst=/b", "dst=/b,color=red",
     "type=volume,dst=/b,tmpfs-size=1m", "type=bind,src=/a,dst=/b,ro=maybe"],
)  # fmt: skip
def test_mount_refused(word: str) -> None:
    with pytest.raises(InvalidInput):
        parse_mount(UserWord(word))


@pytest.mark.parametrize(
    ("word", "size"),
    [("0", 0), ("64m", 64 << 20), ("1.5g", 3 << 29), ("2KiB", 2048), ("7b", 7), ("1T", 1 << 40)],
)
def test_bytes(word: str, size: int) -> None:
    assert size == parse_bytes(word)


@pytest.mark.parametrize("word", ["64q", "-1", "", "m", "1e3", "0x10", "1 2", "1mm", "1ib2", "nan", "inf"])
def test_bytes_refused(word: str) -> None:
    with pytest.raises(InvalidInput):
        parse_bytes(word)


def test_duration() -> None:
    assert parse_duration("1m30s") == 90
    assert parse_duration("250ms") == 0.25
    for word in ("", "5", "1x", "s1"):
        with pytest.raises(InvalidInput):
            parse_duration(word)


def test_ulimit() -> None:
    assert parse_ulimit("nofile=10:20") == {"name": "nofile", "soft": 10, "hard": 20}
    assert parse_ulimit("core=unlimited") == {"name": "core", "soft": -1, "hard": -1}
    for word in ("nofile", "files=1", "nofile=20:10", "nofile=-1:10", "nofile=x"):
        with pytest.raises(InvalidInput):
            parse_ulimit(word)


def test_device() -> None:
    assert parse_device("/dev/a")["target"] == "/dev/a"
    assert parse_device("/dev/a:/dev/b:rw") == {"source": "/dev/a", "target": "/dev/b", "permissions": "rw"}
    assert parse_device("/dev/a:r")["permissions"] == "r"
    for word in ("dev/a", "/dev/a:/dev/b:x", "/dev/a:b", "/a:/b:rw:x"):
        with pytest.raises(InvalidInput):
            parse_device(word)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "yes")
    monkeypatch.delenv("NOT_HERE", raising=False)
    assert parse_env("FROM_HERE") == "FROM_HERE=yes"
    assert parse_env("NOT_HERE") is None
    assert merge_env(["A=1", "B=1"], ["A=2"]) == ["A=2", "B=1"]
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=1\nB=two words # kept\nFROM_HERE\nNOT_HERE\n")
    assert read_env_file(str(file)) == ["A=1", "B=two words # kept", "FROM_HERE=yes"]
    file.write_text("A B=1\n")
    with pytest.raises(InvalidInput, match="contains whitespaces"):
        read_env_file(str(file))
    with pytest.raises(NotFound):
        read_env_file(str(tmp_path / "missing"))


def test_signals() -> None:
    assert parse_signal("SIGTERM") == parse_signal("term") == parse_signal("15") == signal.SIGTERM
    assert parse_signal("RTMIN+3") == signal.SIGRTMIN + 3
    for word in ("", "0", "99", "SIGNOPE", "SIG_DFL", "RTMIN+99"):
        with pytest.raises(InvalidInput):
            parse_signal(word)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456_789),
        ("2026-01-02T05:04:05.123456789+02:00", 1_767_323_045_123_456_789),
    ],
)
def test_clock(text: str, nanoseconds: int) -> None:
    assert nanoseconds == clock.to_nanoseconds(text)
    assert nanoseconds == clock.to_nanoseconds(clock.from_nanoseconds(nanoseconds))


def test_moments() -> None:
    assert clock.parse_moment("1700000000") == 1_700_000_000_000_000_000
    assert clock.parse_moment("2026-01-02") == clock.to_nanoseconds("2026-01-02T00:00:00Z")
    assert clock.parse_moment("10m") < clock.to_nanoseconds(clock.now())
    with pytest.raises(InvalidInput):
        clock.parse_moment("yesterday")
