"""Which paths an ignore file leaves out: the documented rules as cases, and a slow reference for all others."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootless.build.context import ignore
from rootless.build.context.ignore import UNDECIDED, PathPatterns
from rootless.errors import InvalidInput

# Patterns, a blank between them; the paths left out; paths that stay.
CASES = [
    ("*", "a .x a/b", ""),
    ("**", "a a/b/c .x", ""),
    ("a", "a a/b a/b/c", "b/a ab"),
    ("a/", "a a/b", "ab"),
    ("./a/../b", "b b/c", "a"),
    ("*.md", "x.md .md x.md/y", "d/x.md x.mdx"),
    ("*/temp*", "a/temp a/temporary a/temp/x", "temp a/b/temp"),
    ("*/*/temp*", "a/b/temporary", "a/temp a/b/c/temp"),
    ("temp?", "tempa tempb", "temp tempab temp/"),
    ("**/*.go", "x.go a/x.go a/b/x.go", "x.gone"),
    ("**/foo", "foo a/foo a/b/foo/c", "afoo a/xfoo"),
    ("**foo", "foo xfoo a/foo a/xfoo", "foox"),
    ("foo/**", "foo/a foo/a/b", "foo foobar"),
    ("foo/**/bar", "foo/bar foo/a/bar foo/a/b/bar", "foobar foo/abar"),
    ("a**b", "ab ax/b a/b", "axb"),
    ("**/a/**", "a/b x/a/b", "a x/a"),
    ("**/**", "a a/b", ""),
    ("[a-c]x", "ax bx cx", "dx [a-c]x"),
    ("[^a-c]x", "dx", "ax bx"),
    (r"[\]]x", "]x", "]"),
    (r"[\-a]x", "-x ax", "bx"),
    (r"\*x", "*x", "ax"),
    (r"\[x", "[x", "x"),
    ("a.b", "a.b", "axb"),
    ("a+b(c)$", "a+b(c)$", "aab"),
    ("* !a", "b b/c", "a a/b"),
    ("*.md !README*.md README-secret.md", "x.md README-secret.md", "README.md README-x.md"),
    ("*.md README-secret.md !README*.md", "x.md", "README-secret.md"),
    ("a !a/b a/b/c", "a a/x a/b/c a/b/c/d", "a/b a/b/d"),
    ("!a", "", "a b"),
    ("* !*.md", "x x.txt", "x.md"),
    (".", "", "a"),
    ("/", "", "a"),
    ("..", "", "a"),
    ("#a", "#a", "a"),
    ("ü*", "üb ü", "u"),
]


@pytest.mark.parametrize(("patterns", "out", "stay"), CASES, ids=[case[0] for case in CASES])
def test_what_is_left_out(patterns: str, out: str, stay: str) -> None:
    matcher = PathPatterns(patterns.split(" "))
    assert [path for path in out.split() if not matcher.ignores(path)] == []
    assert [path for path in stay.split() if matcher.ignores(path.rstrip("/"))] == []


def test_lines_are_comments_only_from_their_first_character() -> None:
    text = b"\xef\xbb\xbf# nothing\n  #kept  \n\n  a/ \r\n/b/../c\n ! d \n!/e\n"
    assert ignore.read_lines(text) == ["#kept", "a", "c", "!d", "!e"]


def test_a_byte_order_mark_goes_before_the_first_pattern() -> None:
    assert ignore.read_lines(b"\xef\xbb\xbfa\n") == ["a"]


@pytest.mark.parametrize(
    "line", ["!", " ! ", "[", "[]a]", "[a", "[-]", "[a-]x", "[z-a]", "a\\", "[\\", "a[", "!["]
)
def test_bad_patterns_are_refused(line: str) -> None:
    with pytest.raises(InvalidInput):
        PathPatterns(ignore.read_lines(line.encode()))


def test_names_that_are_no_utf_8() -> None:
    matcher = PathPatterns(ignore.read_lines(b"\xff?\n"))
    assert matcher.ignores("\udcff\udcfe")
    assert not matcher.ignores("\udcff")


def test_patterns_that_would_be_tried_for_ever() -> None:
    """A backtracking matcher does not end here before the machine does."""
    matcher = PathPatterns(["a*" * 40 + "b", "**/a" * 30 + "/**/b", "**/" * 40 + "x"])
    assert not matcher.ignores("a" * 250 + "c")
    assert not matcher.ignores("/".join("a" * 300) + "/c")
    assert matcher.ignores("a" * 250 + "b")
    assert matcher.ignores("/".join("a" * 200) + "/b")


# -- against a reference that is slow and plain ----------------------------------------------------


def naive(pattern: str, path: str) -> bool:
    """One pattern against one path, by trying everything."""
    if not pattern:
        return not path
    if pattern[:2] == "**":
        rest = pattern[2:].removeprefix("/")
        if not rest:
            return True
        return any(
            naive(rest, path[cut:]) for cut in range(len(path) + 1) if cut == 0 or path[cut - 1] == "/"
        )
    if pattern[0] == "*":
        return any(naive(pattern[1:], path[cut:]) for cut in range(len(path) + 1) if "/" not in path[:cut])
    if not path:
        return False
    if pattern[0] == "?":
        return path[0] != "/" and naive(pattern[1:], path[1:])
    if pattern[0] == "[":
        inside, _, rest = pattern[1:].partition("]")
        return ((path[0] in inside.lstrip("^")) != inside.startswith("^")) and naive(rest, path[1:])
    return path[0] == pattern[0] and naive(pattern[1:], path[1:])


def above(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def reference(patterns: list[str], path: str) -> bool:
    verdict = False
    for line in patterns:
        taken_back, pattern = line.startswith("!"), posixpath.normpath(line.removeprefix("!"))
        if pattern[:2] == "**" and pattern[2:3] != "/" and not set("*?[") & set(pattern[2:]):
            matched = any(one.endswith(pattern[2:]) for one in above(path))
        else:
            matched = pattern not in (".", "/") and any(naive(pattern, one) for one in above(path))
        if matched:
            verdict = not taken_back
    return verdict


PIECES = st.sampled_from(["a", "b", "/", "*", "**", "?", "[ab]", "[^a]", "/**/", "**/"])
PATTERN = st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(lambda text: not text.startswith("/"))
LINES = st.lists(st.tuples(st.booleans(), PATTERN).map(lambda pair: "!" * pair[0] + pair[1]), max_size=6)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "ba", "c"]), min_size=1, max_size=5).map("/".join)
THOROUGH = settings(max_examples=300, deadline=None)


@THOROUGH
@given(LINES, PATH)
def test_as_the_reference_says(patterns: list[str], path: str) -> None:
    assert PathPatterns(patterns).ignores(path) == reference(patterns, path)


@THOROUGH
@given(LINES, PATH)
def test_going_down_decides_as_the_whole_path_does(patterns: list[str], path: str) -> None:
    matcher = PathPatterns(patterns)
    decision = UNDECIDED
    for one in above(path):
        decision = matcher.decide(one, decision)
        assert matcher.excluded(decision) == matcher.ignores(one)


@THOROUGH
@given(LINES, PATH, PATH)
def test_nothing_below_a_directory_that_can_be_skipped_is_taken_back(
    patterns: list[str], top: str, rest: str
) -> None:
    matcher = PathPatterns(patterns)
    decision = matcher.decide_path(top)
    if matcher.excluded(decision) and matcher.can_skip_directory(top, decision):
        assert matcher.ignores(f"{top}/{rest}")


@THOROUGH
@given(PATTERN, PATH, PATH)
def test_nothing_matches_below_a_directory_that_cannot(pattern: str, top: str, rest: str) -> None:
    matcher = PathPatterns([pattern])
    if not matcher.can_match_below(top) and not matcher.ignores(top):
        assert not matcher.ignores(f"{top}/{rest}")


@pytest.mark.parametrize(
    ("patterns", "directory", "can"),
    [
        ("node_modules", "node_modules", True),
        ("* !src", "node_modules", True),
        ("* !src/a", "src", False),
        ("* !src/a", "src/b", True),
        ("* !*.md", "node_modules", True),
        ("* !**/*.md", "node_modules", False),
        ("* !src/**/keep", "other", True),
        ("* !src/**/keep", "src/x/y", False),
        ("!a/b a", "a", True),
    ],
)
def test_which_directories_can_be_skipped(patterns: str, directory: str, can: bool) -> None:
    matcher = PathPatterns(patterns.split(" "))
    decision = matcher.decide_path(directory)
    assert matcher.excluded(decision)
    assert matcher.can_skip_directory(directory, decision) is can
