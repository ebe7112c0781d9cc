"""Tables, sizes, times and --format against what docker 28 printed for the same rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rootless.cli.flags import filters
from rootless.cli.output import units
from rootless.cli.output.columns import ellipsis, plain, render, short_id
from rootless.cli.output.listing import print_listing
from rootless.errors import InvalidInput

HEADERS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
}
ROWS = [
    {
        "Repository": "debian",
        "Tag": "bookworm",
        "ID": "1" * 12,
        "CreatedSince": "26 hours ago",
        "Size": "117MB",
    },
    {
        "Repository": "localhost:5000/a/b",
        "Tag": "1",
        "ID": "1" * 12,
        "CreatedSince": "26 hours ago",
        "Size": "117MB",
    },
    {
        "Repository": "<none>",
        "Tag": "<none>",
        "ID": "3" * 12,
        "CreatedSince": "About a minute ago",
        "Size": "1.02kB",
    },
]
IMAGES = """\
REPOSITORY           TAG        IMAGE ID       CREATED              SIZE
debian               bookworm   111111111111   26 hours ago         117MB
localhost:5000/a/b   1          111111111111   26 hours ago         117MB
<none>               <none>     333333333333   About a minute ago   1.02kB
"""
SOME = """\
REPOSITORY           SIZE
debian               117MB
localhost:5000/a/b   117MB
<none>               1.02kB
"""
COMPUTED = """\
IMAGE ID       TAG TAG
111111111111   "bookworm" BOOKWORM
111111111111   "1" 1
333333333333   "<none>" <NONE>
"""


def listing(capsys: pytest.CaptureFixture[str], rows: Any = ROWS, **options: Any) -> str:
    print_listing(rows, list(HEADERS), headers=HEADERS, **{"template": None, **options})
    return capsys.readouterr().out


@pytest.mark.parametrize("template", [None, "", "table"])
def test_the_default_table(capsys: pytest.CaptureFixture[str], template: str | None) -> None:
    assert listing(capsys, template=template) == IMAGES


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("table {{.Repository}}\t{{.Size}}", SOME),
        (r"table {{.Repository}}\t{{.Size}}", SOME),
        (r"table {{.ID}}\t{{json .Tag}} {{upper .Tag}}", COMPUTED),
        ("{{.Repository}}:{{.Tag}}", "debian:bookworm\nlocalhost:5000/a/b:1\n<none>:<none>\n"),
        (r"{{.Tag}}\t{{.Size}}", "bookworm\t117MB\n1\t117MB\n<none>\t1.02kB\n"),
    ],
)
def test_templates(capsys: pytest.CaptureFixture[str], template: str, text: str) -> None:
    assert listing(capsys, template=template) == text


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listing(capsys, template="json").splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert list(json.loads(lines[0])) == sorted(HEADERS)


def test_quiet_lists_ids_as_often_as_docker_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing(capsys, quiet=True) == "111111111111\n111111111111\n333333333333\n"


def test_an_empty_listing_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    header = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert render(header, []) == "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n"
    assert listing(capsys, [], template="{{.ID}}") == ""
    assert listing(capsys, [], quiet=True) == ""


def test_labels_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc") == "a\\x1b[2Jb c"
    assert "\x1b" not in render(["A"], [["\x1b]0;x\x07"]])


def test_wide_letters_keep_columns_straight() -> None:
    first, second = render(None, [["日本語日本語", "x"], ["abcdefghijkl", "x"]]).splitlines()
    assert first == "日本語日本語   x"
    assert second == "abcdefghijkl   x"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"), (999, "999B"), (1000, "1kB"), (1024, "1.024kB"), (116512345, "116.5MB"), (77812345, "77.81MB"),
        (10**12, "1TB"), (999999, "1000kB"),
    ],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert units.human_size(size) == text


def test_short_and_binary_sizes() -> None:
    assert [units.human_size_short(size) for size in (1024, 116512345, 0)] == ["1.02kB", "117MB", "0B"]
    assert units.binary_size(16 * 2**30) == "16GiB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (61, "About a minute"), (120, "2 minutes"),
        (3600, "About an hour"), (89 * 60, "About an hour"), (91 * 60, "2 hours"), (26 * 3600, "26 hours"),
        (48 * 3600, "2 days"), (14 * 86400, "2 weeks"), (40 * 86400, "5 weeks"), (60 * 86400, "2 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert units.human_duration(seconds) == text
    assert units.ago(1000, now=1000 + seconds) == text + " ago"


def test_shortened() -> None:
    assert ellipsis("abcdef", 4) == "abc…"
    assert ellipsis("abcd", 4) == "abcd"
    assert short_id("sha256:" + "a" * 64) == "a" * 12


def test_filters() -> None:
    pairs = [filters.convert(word) for word in ("label=a=1", "label=b", "dangling=true")]
    assert filters.collect(pairs, ("label", "dangling")) == {"label": ["a=1", "b"], "dangling": ["true"]}
    with pytest.raises(ValueError, match=r"bad format of filter \(expected name=value\)"):
        filters.convert("foo")
    with pytest.raises(InvalidInput, match="invalid filter 'nope'"):
        filters.collect([("nope", "1")], ("label",))
