"""Docker's small parsers, taken over whole: quotes, contradictions, byte order marks, numbers of any length."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootless.cli.grammar.command import integer
from rootless.engine.lifecycle.autostart.autostart import unit
from rootless.engine.options.clock import parse_moment
from rootless.engine.options.mounts import parse_mount, parse_tmpfs, parse_volume
from rootless.engine.options.signals import parse_signal
from rootless.engine.options.values import (
    parse_bytes,
    parse_duration,
    parse_ulimit,
    read_env_file,
    read_label_file,
)
from rootless.errors import InvalidInput, RootlessError, raise_data, to_data
from rootless.runtime.process.passwd import find_user
from rootless.storage.store import Store
from rootless.words import UserWord


@pytest.mark.parametrize(
    "modes",
    ["ro,rw", "rw,ro", "ro,ro", "readonly,ro", "z,Z", "rshared,rslave", "cached,delegated", "nocopy", "exec,noexec", "", "ro,"],
)
def test_modes_that_contradict_one_another(modes: str) -> None:
    with pytest.raises(InvalidInput, match="invalid"):
        parse_volume(UserWord(f"/a:/b:{modes}"))


@pytest.mark.parametrize("modes", ["nocopy,nocopy", "rshared", "ro,rw"])
def test_modes_of_a_volume_that_make_no_sense(modes: str) -> None:
    with pytest.raises(InvalidInput, match="invalid mode"):
        parse_volume(UserWord(f"name:/b:{modes}"))


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ('type=bind,"src=/a,b",dst=/m', "/a,b"),
        ('"type=bind","src=/a""b","dst=/m"', '/a"b'),
        ('"src=/a,b,",type=bind,dst=/m', "/a,b,"),
    ],
)
def test_fields_in_quotes(word: str, source: str) -> None:
    mount = parse_mount(UserWord(word))
    assert (mount["source"], mount["target"]) == (source, "/m")


@pytest.mark.parametrize("word", ['type=bind,"src=/a,dst=/m', 'type=bind,src="/a",dst=/m', '"type=bind"x,src=/a,dst=/m', '"'])
def test_quotes_that_do_not_fit(word: str) -> None:
    with pytest.raises(InvalidInput, match="parse error"):
        parse_mount(UserWord(word))


def test_a_share_of_the_memory() -> None:
    assert parse_tmpfs(UserWord("/t:size=10%"))["options"] == ["size=10%"]
    for word in ("/t:size=%", "/t:size=x%", "/t:size=1000%", "/t:size=\u0661%"):
        with pytest.raises(InvalidInput):
            parse_tmpfs(UserWord(word))


def test_files_of_windows_editors(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbfA=1\r\nB=x\x0by\xe2\x80\xa8z\n# comment\n\n  C=2 \n")
    assert read_env_file(str(path)) == ["A=1", "B=x\vy\u2028z", "C=2 "]
    assert read_label_file(str(path)) == ["A=1", "B=x\vy\u2028z", "C=2 "]
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(InvalidInput, match="invalid utf8"):
        read_env_file(str(path))


@pytest.mark.parametrize("line", ["A B=1", "=1", "A\u00a0B=1"])
def test_keys_of_labels(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels"
    path.write_text(line + "\n")
    with pytest.raises(InvalidInput, match="poorly formatted"):
        read_label_file(str(path))


HUGE = "9" * 5000


@pytest.mark.parametrize("word", [HUGE, "\u0669", "\xb2", "RTMIN+" + HUGE, "RTMAX-\xb2", "SIG", "", "__doc__", "0", "-1"])
def test_signals_that_are_none(word: str) -> None:
    with pytest.raises(InvalidInput):
        parse_signal(word)


@pytest.mark.parametrize("word", [HUGE, "1_0", " 5", "\u0665", "0x1", ""])
def test_numbers_are_of_digits(word: str) -> None:
    with pytest.raises(ValueError):
        integer(word)
    with pytest.raises(InvalidInput):
        parse_ulimit(f"nofile={word}:{word}x")
    if word != "":
        with pytest.raises(InvalidInput):
            parse_ulimit(f"nofile={word}")
    for parse in (parse_bytes, parse_duration, parse_moment):
        with pytest.raises(RootlessError):
            parse(word if word != " 5" else " 5x")


def test_ids_beyond_any_are_nobodys(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"huge:x:{1 << 33}:0::/:/bin/sh\nroot:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"a:x:{1 << 33}:root\nb:x:{HUGE}:root\nc:x:7:root\nd:x:\u0669:root\n")
    assert find_user("root", root=str(tmp_path)).groups == (7,)
    with pytest.raises(InvalidInput, match="unable to find user"):
        find_user("huge", root=str(tmp_path))


def test_an_error_of_any_length_crosses() -> None:
    data = to_data(InvalidInput("\U0001f600" * 3_000_000, hint="x" * 100_000))
    with pytest.raises(InvalidInput) as caught:
        raise_data(data)
    assert len(caught.value.message) <= 2000


def test_a_unit_has_the_lines_that_we_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unit of systemd"):
        unit(Store(f"{tmp_path}\nExecStart=/bin/evil", str(tmp_path)), "name")
