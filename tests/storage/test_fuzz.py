"""Damaged tar streams: refused or unpacked inside, never anything else; and never otherwise than tarfile."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootless.errors import RootlessError
from rootless.storage.layers.extract import Limits, extract
from rootless.storage.tar.reader import entries
from rootless.storage.tar.source import TarSource
from tests.storage.tars import Member, archive, directory, file, link, symlink

SOUND = archive(
    directory("d", mode=0o755),
    file("d/f", b"data" * 200, pax_headers={"mtime": "5.5", "SCHILY.xattr.user.a": "b"}),
    file("d/" + "n" * 150, b"x"),
    symlink("l", "d"),
    link("h", "d/f"),
    file("l/g", b"y", pax_headers={"GNU.sparse.map": "10,1", "GNU.sparse.size": "50"}),
    file("d/.wh.x", b""),
)
NAMES = st.text(st.sampled_from("ab./\u00fc"), min_size=1, max_size=12)
MEMBERS = st.lists(
    st.one_of(
        st.builds(file, NAMES, st.binary(max_size=600)),
        st.builds(directory, NAMES),
        st.builds(symlink, NAMES, NAMES),
        st.builds(link, NAMES, NAMES),
        st.builds(lambda name, of: file(f"{name}/.wh.{of}"), NAMES, NAMES),
    ),
    max_size=12,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _extract(data: bytes) -> None:
    """Unpack in a fresh directory beside a witness; what is in the witness afterwards, and open files."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as base:
        os.mkdir(base + "/root")
        before = len(os.listdir("/proc/self/fd"))
        fd = os.open(base + "/root", os.O_RDONLY | os.O_DIRECTORY)
        source = TarSource(io.BytesIO(data))
        try:
            extract(source, fd, limits=Limits(total_bytes=1 << 20, entries=1000))
        except RootlessError:
            pass
        finally:
            source.close()
            os.close(fd)
        assert os.listdir(base) == ["root"]
        assert len(os.listdir("/proc/self/fd")) == before


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for position, value in changes:
        data[position] = value
    # Checksums made right again, so that the damage reaches what is behind them.
    for start in range(0, len(data), 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 155] = b"%06o\0" % sum(data[start : start + 512])
    _extract(bytes(data))


@FUZZ
@given(st.binary(max_size=2048))
def test_any_bytes(data: bytes) -> None:
    _extract(data)


@FUZZ
@given(MEMBERS)
def test_any_members(members: list[Member]) -> None:
    _extract(archive(*members))


@FUZZ
@given(MEMBERS, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_headers_read_as_tarfile_reads_them(members: list[Member], form: int) -> None:
    data = archive(*members, form=form)
    source = TarSource(io.BytesIO(data))
    ours = []
    try:
        for entry in entries(source):
            ours.append(
                (entry.name.rstrip("/"), entry.type, entry.mode, entry.size, entry.link, entry.mtime_ns)
            )
            source.skip(entry.size + -entry.size % 512)
    finally:
        source.close()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        theirs = [(m.name.rstrip("/"), m.type, m.mode, m.size, m.linkname, int(m.mtime) * 10**9) for m in tar]
    assert [entry[:1] + entry[2:] for entry in ours] == [entry[:1] + entry[2:] for entry in theirs]
