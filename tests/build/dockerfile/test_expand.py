"""Every form of a variable, and quotes and escapes around it."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand

VARIABLES = {
    "a": "value",
    "e": "",
    "f": "lib.tar.gz",
    "p": "/usr/lib/x",
    "s": "x y",
    "star": "a*b?c",
    "_1": "u",
}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$a", "value"), ("${a}", "value"), ("$a.x", "value.x"), ("$ax", ""), ("${a}x", "valuex"), ("$_1", "u"),
        ("$e", ""), ("$u", ""), ("${u}", ""), ("$", "$"), ("$ a", "$ a"), ("a$", "a$"), ("$$a", "a"), ("$1a", "a"),
        ("${a:-w}", "value"), ("${e:-w}", "w"), ("${u:-w}", "w"), ("${a-w}", "value"), ("${e-w}", ""), ("${u-w}", "w"),
        ("${a:+w}", "w"), ("${e:+w}", ""), ("${u:+w}", ""), ("${a+w}", "w"), ("${e+w}", "w"), ("${u+w}", ""),
        ("${a:?w}", "value"), ("${a?w}", "value"), ("${e?w}", ""), ("${u:-}", ""), ("${u:-$a}", "value"),
        ("${u:-${e:-${a}}}", "value"), ("${u:-'$a'}", "$a"), ('${u:-"$a }"}', "value }"), ("${u:-a\\}b}", "a}b"),
        ("${f%.*}", "lib.tar"), ("${f%%.*}", "lib"), ("${f#*.}", "tar.gz"), ("${f##*.}", "gz"),
        ("${f%gz}", "lib.tar."), ("${f%zz}", "lib.tar.gz"), ("${f#lib}", ".tar.gz"), ("${f#b}", "lib.tar.gz"),
        ("${f%%*}", ""), ("${f#*}", "lib.tar.gz"), ("${f##*}", ""), ("${f%.??}", "lib.tar"), ("${u#x}", ""),
        ("${f#}", "lib.tar.gz"), ("${f%}", "lib.tar.gz"), ("${f#$u}", "lib.tar.gz"), ("${f%.$u*}", "lib.tar"),
        ("${star#a\\*}", "b?c"), ("${star%\\?c}", "a*b"), ("${star#a?}", "b?c"), ("${f#[l]}", "lib.tar.gz"),
        ("${p/lib/bin}", "/usr/bin/x"), ("${p//\\//-}", "-usr-lib-x"), ("${p/\\//-}", "-usr/lib/x"),
        ("${f/./_}", "lib_tar.gz"), ("${f//./_}", "lib_tar_gz"), ("${f/./}", "libtar.gz"), ("${f//[.]/x}", "lib.tar.gz"),
        ("${f/*/x}", "x"), ("${f//*/x}", "x"), ("${f//?/x}", "x" * 10), ("${f/t*r/x}", "lib.x.gz"), ("${f/q/x}", "lib.tar.gz"),
        ("${f//a/$a}", "lib.tvaluer.gz"), ("${u/x/y}", ""), ("${f/l?b/a\\}b}", "a}b.tar.gz"), ("${a//a/aa}", "vaalue"),
        ("\\$a", "$a"), ("'$a'", "$a"), ('"$a"', "value"), ("\"'$a'\"", "'value'"), ("'\"'", '"'), ('"\\$a"', "$a"),
        ('"\\x"', "\\x"), ("\\x", "x"), ('"a\\"b"', 'a"b'), ("a\\", "a"), ("'a\\'", "a\\"), ("\\\\$a", "\\value"),
        ("a b", "a b"), ('"a  b"', "a  b"), ("", ""), ("''", ""), ("${a}${a}", "valuevalue"), ("ü$a", "üvalue"),
    ],
)  # fmt: skip
def test_forms(word: str, expected: str) -> None:
    assert expand(word, VARIABLES).text == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("`$a", "$a"),
        ("\\$a", "\\value"),
        ('"`$a"', "$a"),
        ("${u:-a`}b}", "a}b"),
        ("c:\\x", "c:\\x"),
        ("``", "`"),
    ],
)
def test_the_other_escape(word: str, expected: str) -> None:
    assert expand(word, VARIABLES, escape="`").text == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("${", "syntax error: missing '}'"),
        ("${a", "syntax error: missing '}'"),
        ("${a:-x", "syntax error: missing '}'"),
        ("${a#x", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${{a}}", "syntax error: bad substitution"),
        ("${:a}", "syntax error: bad substitution"),
        ("${a:#x}", r"unsupported modifier \(:#\) in substitution"),
        ("${a:x}", r"unsupported modifier \(:x\) in substitution"),
        ("${a^^}", r"unsupported modifier \(\^\) in substitution"),
        ("${a!}", r"unsupported modifier \(!\) in substitution"),
        ("${a/x}", r"missing '/' in \$\{\}"),
        ("${a/x/y", "missing '}'"),
        ("${a#\\x}", r"invalid pattern \(\\x\) in substitution"),
        ("${u?}", "u: is not allowed to be unset"),
        ("${u:?}", "u: is not allowed to be unset"),
        ("${e:?}", "e: is not allowed to be empty"),
        ("${u?do $a}", "u: do value"),
        ("'a", "looking for matching single-quote"),
        ('"a', "looking for matching double-quote"),
        ('"${a"', "unsupported modifier"),
        ("${a:-" * 70 + "}" * 70, "nested too deeply"),
        ("${a#" + "ab" * 3000 + "}", "a pattern of more than 4096 characters"),
    ],
)
def test_errors(word: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        expand(word, VARIABLES)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("a b", ["a", "b"]), ("$s", ["x", "y"]), ('"$s"', ["x y"]), ("'a b'c d", ["a bc", "d"]), ("a\\ b", ["a b"]),
        ("  a  ", ["a"]), ("", []), ("''", []), ("$u", []), ("a$s", ["ax", "y"]),
    ],
)  # fmt: skip
def test_words(word: str, words: list[str]) -> None:
    assert list(expand(word, VARIABLES).words) == words


@pytest.mark.parametrize(
    ("word", "used", "unset"),
    [
        ("$a$u", {"a"}, {"u"}), ("${u:-x}", set(), set()), ("${u:+x}", set(), set()), ("${u#x}", set(), {"u"}),
        ("'$a'", set(), set()), ("${u:-$v}", set(), {"v"}), ("${e:-$a}", {"e", "a"}, set()),
    ],
)  # fmt: skip
def test_what_was_used(word: str, used: set[str], unset: set[str]) -> None:
    found = expand(word, VARIABLES)
    assert (set(found.used), set(found.unset)) == (used, unset)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("echo \"$a\" '$a' $u ${u} ${u:-x}", "echo \"value\" '$a' $u ${u} ${u:-x}"), ("${u//a/b}", "${u//a/b}"),
        ("${u/a/b}", "${u/a/b}"), ("${u#a}", "${u#a}"),
    ],
)  # fmt: skip
def test_what_is_only_shown(word: str, shown: str) -> None:
    assert expand(word, VARIABLES, keep_quotes=True, keep_unset=True).text == shown


def test_a_heredoc_has_no_quotes() -> None:
    assert expand("'$a' \"$a\" \\$a it's", VARIABLES, quotes=False).text == "'value' \"value\" $a it's"


def test_values_do_not_grow_without_end() -> None:
    value = "x" * 300_000
    with pytest.raises(DockerfileError, match="longer than"):
        expand("$v$v$v$v", {"v": value})
    with pytest.raises(DockerfileError, match="longer than"):
        expand("${v//x/$v}", {"v": value})
    assert len(expand("${v//x/y}", {"v": value}).text) == 300_000
