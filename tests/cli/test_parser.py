"""pflag's grammar, checked case by case; where noted, the answers are those of docker 28."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.cli.grammar.command import COUNT, FLAG, LIST, VALUE, Args, Command, Option, choice, integer
from rootless.cli.grammar.parser import HelpWanted, UsageError, check_count, parse, parse_options

OPTIONS = (
    Option(("-d", "--detach"), "detach"),
    Option(("-i", "--interactive"), "interactive", FLAG),
    Option(("-t", "--tty"), "tty", FLAG),
    Option(("--sig-proxy",), "sig_proxy", FLAG, default=True),
    Option(("--name",), "name", VALUE),
    Option(("-p", "--publish"), "publish", LIST),
    Option(("-n", "--last"), "last", VALUE, convert=integer, default=-1),
    Option(("--pull",), "pull", VALUE, convert=choice("always", "never"), default="never"),
    Option(("-v", "--verbose"), "verbose", COUNT),
    Option(("-w", "--when"), "when", VALUE, implied="now"),
)


def command(*, min_args: int = 0, max_args: int | None = None) -> Command:
    usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    return Command("run", "Run", usage, OPTIONS, lambda args: 0, min_args, max_args, interspersed=False)


def parsed(*words: str, interspersed: bool = True) -> Args:
    return parse_options(OPTIONS, list(words), interspersed=interspersed)


@pytest.mark.parametrize(
    ("words", "dest", "value"),
    [
        ("-d", "detach", True),
        ("--detach", "detach", True),
        ("-d=false", "detach", False),
        ("--detach=0", "detach", False),
        ("--detach=T", "detach", True),
        ("-d -d=false", "detach", False),
        ("", "detach", False),
        ("", "sig_proxy", True),
        ("--sig-proxy=false", "sig_proxy", False),
        ("--name x", "name", "x"),
        ("--name=x", "name", "x"),
        ("--name=", "name", ""),
        ("--name=a=b", "name", "a=b"),
        ("--name --detach", "name", "--detach"),
        ("", "name", None),
        ("-p 80", "publish", ["80"]),
        ("-p80:80 -p=81:81 --publish 82 --publish=83", "publish", ["80:80", "81:81", "82", "83"]),
        ("-p=", "publish", ["="]),  # pflag: a sign needs something behind it to be one
        ("", "publish", []),
        ("-n 3", "last", 3),
        ("-n-1", "last", -1),
        ("", "last", -1),
        ("--pull=always", "pull", "always"),
        ("-vv -v", "verbose", 3),
        ("--verbose=5", "verbose", 5),
        ("-w", "when", "now"),
        ("--when=later", "when", "later"),
    ],
)
def test_values(words: str, dest: str, value: object) -> None:
    args = parsed(*words.split())
    assert getattr(args, dest) == value
    assert (dest in args.given) == bool(words)


def test_letters_together() -> None:
    args = parsed("-itp80", "-dn", "3")
    assert (args.interactive, args.tty, args.detach) == (True, True, True)
    assert args.publish == ["80"]
    assert args.last == 3


def test_an_implied_value_never_takes_the_next_word() -> None:
    args = parsed("-w", "later", "--when", "x")
    assert args.when == "now"
    assert args.positional == ["later", "x"]


@pytest.mark.parametrize(
    ("words", "interspersed", "positional"),
    [
        ("a -d b", True, ["a", "b"]),
        ("a -d b", False, ["a", "-d", "b"]),
        ("-d a --unknown", False, ["a", "--unknown"]),
        ("-- -d", True, ["-d"]),
        ("a -- -d --", True, ["a", "-d", "--"]),
        ("-- a -- b", False, ["a", "--", "b"]),
        ("- -d", True, ["-"]),
        ("a --help", False, ["a", "--help"]),
    ],
)
def test_where_options_end(words: str, interspersed: bool, positional: list[str]) -> None:
    assert parsed(*words.split(), interspersed=interspersed).positional == positional


@pytest.mark.parametrize(
    ("words", "message"),
    [  # as `docker run` and `docker ps` say them
        ("--foo", "unknown flag: --foo"),
        ("--foo=1", "unknown flag: --foo"),
        ("-Z", "unknown shorthand flag: 'Z' in -Z"),
        ("-dZi", "unknown shorthand flag: 'Z' in -dZi"),
        ("--name", "flag needs an argument: --name"),
        ("-p", "flag needs an argument: 'p' in -p"),
        ("-dp", "flag needs an argument: 'p' in -dp"),
        ("--=x", "bad flag syntax: --=x"),
        ("---x", "bad flag syntax: ---x"),
        (
            "--detach=x",
            'invalid argument "x" for "-d, --detach" flag: strconv.ParseBool: parsing "x": invalid syntax',
        ),
        ("-n x", 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'),
        ("--pull=x", 'invalid argument "x" for "--pull" flag: must be one of always, never'),
    ],
)
def test_messages(words: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*words.split())
    assert caught.value.message == message
    assert caught.value.exit_code == 125


def test_a_typing_mistake_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        parsed("--detatch")
    assert caught.value.hint == "did you mean --detach?"


@pytest.mark.parametrize("word", ["--help", "-h", "-dh"])
def test_help(word: str) -> None:
    with pytest.raises(HelpWanted):
        parsed(word)


def test_h_is_no_help_where_the_command_has_another_use_for_it() -> None:
    options = (Option(("-h", "--hostname"), "hostname", VALUE),)
    assert parse_options(options, ["-h", "web"], interspersed=True).hostname == "web"


@pytest.mark.parametrize(
    ("low", "high", "count", "message"),
    [
        (1, None, 0, "requires at least 1 argument"),
        (2, None, 1, "requires at least 2 arguments"),
        (0, 0, 1, "accepts no arguments"),
        (2, 2, 1, "requires 2 arguments"),
        (1, 1, 2, "requires 1 argument"),
        (0, 1, 2, "requires at most 1 argument"),
        (1, 2, 3, "requires at least 1 and at most 2 arguments"),
        (1, None, 5, None),
        (0, 0, 0, None),
    ],
)
def test_number_of_arguments(low: int, high: int | None, count: int, message: str | None) -> None:
    asked = command(min_args=low, max_args=high)
    if message is None:
        check_count(asked, count, name="run")
        return
    with pytest.raises(UsageError) as caught:
        check_count(asked, count, name="run")
    assert caught.value.message == f"'rootless run' {message}"
    assert caught.value.exit_code == 1


def test_the_name_in_messages_is_the_one_typed() -> None:
    with pytest.raises(UsageError, match="rootless container run"):
        parse(command(min_args=1), [], name="container run")


WORD = st.text(alphabet="abdpnitvw-=:/.0123456789 é\n", max_size=8)


@given(st.lists(WORD, max_size=8), st.booleans())
def test_any_words_parse_or_are_a_usage_error(words: list[str], interspersed: bool) -> None:
    try:
        args = parse_options(OPTIONS, words, interspersed=interspersed)
    except (UsageError, HelpWanted):
        return
    assert all(word in words for word in args.positional)


@given(st.lists(WORD, max_size=6))
def test_nothing_behind_two_dashes_is_read(words: list[str]) -> None:
    assert parse_options(OPTIONS, ["-d", "--", *words], interspersed=True).positional == words


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_value_arrives_unchanged_however_it_is_written(name: str, port: str) -> None:
    args = parsed(
        "--name", name, f"--publish={port}", "-p", port, *(["-p" + port] if port and port[0] != "=" else [])
    )
    assert args.name == name
    assert set(args.publish) == {port}
