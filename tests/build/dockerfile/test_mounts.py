"""The words of --mount, by key and type."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.build.dockerfile import mounts
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.parse_run import parse_device
from rootless.build.dockerfile.quantities import duration, nanoseconds, size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/a", {"type": "bind", "target": "/a", "read_only": None}),
        ("TYPE=Cache,Target=/a", {"type": "cache", "target": "/a"}),
        ("type=bind,dst=/a,src=/b,from=c", {"target": "/a", "source": "/b", "from_": "c"}),
        ("destination=/a,source=b,rw", {"target": "/a", "source": "b", "read_only": False}),
        ("target=/a,ro", {"read_only": True}),
        ("target=/a,readonly=false", {"read_only": False}),
        ("target=/a,rw=false", {"read_only": True}),
        ("target=/a,readwrite=1", {"read_only": False}),
        ("type=cache,target=/a,id=x,sharing=LOCKED,mode=0700,uid=1,gid=2",
         {"id": "x", "sharing": "locked", "mode": 0o700, "uid": 1, "gid": 2}),
        ("type=tmpfs,target=/a,size=1.5g", {"size_bytes": 3 << 29}),
        ("type=secret,id=a,required,env=TOKEN", {"id": "a", "required": True, "env": "TOKEN"}),
        ("type=secret,source=a,required=false", {"source": "a", "required": False}),
        ("type=ssh,id=a,mode=0600,required=true", {"id": "a", "mode": 0o600, "required": True}),
        ('type=bind,"target=/a,b"', {"target": "/a,b"}),
        ('type=bind,"target=/a""b"', {"target": '/a"b'}),
        ("type=bind,target=$x", {"target": "expanded"}),
    ],
)  # fmt: skip
def test_keys(text: str, expected: dict[str, Any]) -> None:
    found = mounts.parse(text, lambda value: "expanded" if value == "$x" else value)._asdict()
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=volume", 'unsupported mount type "volume"'),
        ("type=tmpf", r'unsupported mount type "tmpf" \(did you mean tmpfs\?\)'),
        ("type=cache,sharing=x", 'unsupported sharing value "x"'),
        ("type=cache,sharing=shard", r"\(did you mean shared\?\)"),
        ("tagret=/a", r"unexpected key 'tagret' in 'tagret=/a' \(did you mean target\?\)"),
        ("nonsense", "invalid field 'nonsense' must be a key=value pair"),
        ("", "invalid field '' must be a key=value pair"),
        ("target=/a,ro=maybe", "invalid value for ro: maybe"),
        ("target=/a,required", "unexpected key 'required' for mount type 'bind'"),
        ("type=cache,size=1", "unexpected key 'size' for mount type 'cache'"),
        ("type=tmpfs,size=big", "invalid value for size: big"),
        ("type=cache,mode=9", "invalid value 9 for mode"),
        ("type=cache,uid=-1", "invalid value -1 for uid"),
        ("type=cache,gid=4294967296", "invalid value 4294967296 for gid"),
        ("target=/a,mode=0700", 'mode not allowed for "bind" type mounts'),
        ("type=tmpfs,uid=1", 'uid not allowed for "tmpfs" type mounts'),
        ("target=/a,gid=1", 'gid not allowed for "bind" type mounts'),
        ("type=secret,id=a,from=b", "secret mount should not have a from"),
        ("type=secret,id=a,sharing=shared", "secret mount should not define sharing"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
        ("target=/a,sharing=shared", "invalid cache sharing set for bind mount"),
        ("target=/a,env=X", 'env not allowed for "bind" type mounts'),
        ("target=/a,from=$x", "'from' doesn't support variable expansion, define alias stage instead"),
        ('target="/a"', 'bare " in non-quoted field'),
        ('"target=/a', 'extraneous or missing " in quoted field'),
        ('"target=/a"b', 'extraneous or missing " in quoted field'),
    ],
)
def test_mistakes_are_told_when_the_file_is_read(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        mounts.check(text)


def test_what_depends_on_a_variable_waits() -> None:
    mounts.check("type=$t,mode=$m")
    with pytest.raises(DockerfileError, match="unsupported mount type"):
        mounts.parse("type=$t", lambda value: "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.com/b=c", ("a.com/b=c", False)), ("a.com/b=c,required", ("a.com/b=c", True)),
        ("name=a.com/b=c,required=true", ("a.com/b=c", True)), ("required=0,a.com/b", ("a.com/b", False)),
    ],
)  # fmt: skip
def test_devices(text: str, expected: tuple[str, bool]) -> None:
    assert parse_device(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0), ("1s", 10**9), ("1m30s", 90 * 10**9), ("1.5h", 5400 * 10**9), (".5s", 5 * 10**8), ("1us", 1000),
        ("1µs", 1000), ("3ns", 3), ("-1s", -(10**9)), ("+1s", 10**9), ("2h45m", 9900 * 10**9),
    ],
)  # fmt: skip
def test_durations(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1.2.3s", ".s", "1s2", "-", "9" * 50 + "s", "1 s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DockerfileError, match="time:"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"), (10**9, "1s"), (90 * 10**9, "1m30s"), (3600 * 10**9, "1h0m0s"), (15 * 10**8, "1.5s"),
        (10**8, "100ms"), (1500, "1.5µs"), (7, "7ns"), (86400 * 10**9, "24h0m0s"),
    ],
)  # fmt: skip
def test_durations_as_go_prints_them(value: int, text: str) -> None:
    assert duration(value) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), ("1k", 1024), ("1KB", 1024), ("1KiB", 1024), ("2m", 2 << 20), ("1.5g", 3 << 29), ("512 mb", 512 << 20),
        ("", None), ("k", None), ("1x", None), ("1.2.3k", None), ("-1", None), ("1i", None),
    ],
)  # fmt: skip
def test_sizes(text: str, expected: int | None) -> None:
    assert size_bytes(text) == expected
