"""What is a git repository, and what its fragment and query say."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.git_url import parse
from rootless.build.plan.steps import GitSource

URL = "https://h/x.git"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (URL, GitSource(URL)),
        ("http://h:8/a/x.git", GitSource("http://h:8/a/x.git")),
        ("git://h/x", GitSource("git://h/x")),
        ("ssh://git@h:22/x", GitSource("ssh://git@h:22/x")),
        ("git@h:a/x.git", GitSource("git@h:a/x.git")),
        ("git@h:x?a=b", GitSource("git@h:x?a=b")),
        (f"{URL}#main", GitSource(URL, "main")),
        (f"{URL}#main:a/b", GitSource(URL, "main", "a/b")),
        (f"{URL}#:a/b", GitSource(URL, "", "a/b")),
        (f"{URL}?ref=v1&subdir=a%20b", GitSource(URL, "v1", "a b")),
        (f"{URL}?branch=x", GitSource(URL, "refs/heads/x")),
        (f"{URL}?tag=refs/tags/x", GitSource(URL, "refs/tags/x")),
        (f"{URL}?commit=abc1", GitSource(URL, "abc1", checksum="abc1")),
        (f"{URL}?checksum=abc1#main", GitSource(URL, "main", checksum="abc1")),
        (f"{URL}?keep-git-dir&submodules=false", GitSource(URL, keep_git_dir=True, submodules=False)),
        (
            f"{URL}?keep-git-dir=0&mtime=commit&fetch-by-commit=1",
            GitSource(URL, mtime="commit", fetch_by_commit=True),
        ),
        ("https://h/x", None),
        ("https://h/x.git/y", None),
        ("ftp://h/x.git", None),
        ("file:///x.git", None),
        ("ext::sh -c x", None),
        ("github.com/a/b", None),
        ("./x.git", None),
        ("a@b", None),
        ("@h:x", None),
        ("x:y", None),
    ],
)
def test_forms(text: str, expected: GitSource | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ssh://-oProxyCommand=x/y",
        "ssh://u@-oProxyCommand=x/y",
        "git@-x:y",
        "git@h:-x",
        "git:///x",
        f"{URL}#--upload-pack=x",
        f"{URL}?ref=--upload-pack%3dx",
        f"{URL}?commit=-x",
        f"{URL}?ref=a%0ab",
        f"{URL}?unknown=1",
        f"{URL}?ref",
        f"{URL}?ref=a&ref=b",
        f"{URL}?ref=a#b",
        f"{URL}?branch=a&tag=b",
        f"{URL}?subdir=a#m:b",
        f"{URL}?keep-git-dir=maybe",
        f"{URL}?mtime=now",
        f"{URL}?ref=%zz",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError):
        parse(text)
