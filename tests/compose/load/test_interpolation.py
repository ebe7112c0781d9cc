"""Variables: every form of them, where they stand, what their texts become; and files of variables."""

from __future__ import annotations

import pytest

from rootless.compose.load import dotenv
from rootless.compose.load.template import InvalidTemplate, MissingVariable, substitute, variables
from rootless.errors import InvalidInput
from tests.compose.load.loading import project, service, web

VALUES = {"A": "a", "EMPTY": "", "B": "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "a"), ("${A}", "a"), ("$$A", "$A"), ("$${A}", "${A}"), ("x$A-y", "xa-y"), ("$A$B", "ab"), ("$NONE.", "."),
        ("${NONE:-d}", "d"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${NONE-d}", "d"), ("${A:-d}", "a"),
        ("${A:?no}", "a"), ("${EMPTY?no}", ""), ("${A:+x}", "x"), ("${EMPTY:+x}", ""), ("${EMPTY+x}", "x"), ("${NONE+x}", ""),
        ("${NONE:-${A}}", "a"), ("${NONE:-${NONE2:-${B}}}", "b"), ("${NONE:-x-y?z}", "x-y?z"), ("${NONE:-a:-b}", "a:-b"),
        ("${NONE:-$A}$B", "ab"), ("${A:+${B}}", "b"), ("${NONE:-{x}}", "{x}"), ("{$A}", "{a}"), ("a$", None), ("${", None),
        ("${A", None), ("${1A}", None), ("$1", None), ("${A!b}", None), ("${}", None), ("$ A", None),
        ("${NONE:-{}", "{"),
    ],
)  # fmt: skip
def test_every_form(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(InvalidTemplate):
            substitute(text, VALUES, lambda name: None)
    elif text == "${NONE:-{x}}":
        # The first brace that closes ends it: as compose-go, which counts only those of variables.
        assert substitute(text, VALUES, lambda name: None) == "{x}"
    else:
        assert substitute(text, VALUES, lambda name: None) == expected


@pytest.mark.parametrize(("text", "message"), [
    ("${NONE:?needed}", "required variable NONE is missing a value: needed"),
    ("${EMPTY:?}", "required variable EMPTY is missing a value"),
    ("${NONE?say $A}", "required variable NONE is missing a value: say a"),
])  # fmt: skip
def test_required_variables(text: str, message: str) -> None:
    with pytest.raises(MissingVariable, match=message):
        substitute(text, VALUES, lambda name: None)


def test_nesting_is_bounded() -> None:
    with pytest.raises(InvalidTemplate):
        substitute("${N:-" * 100 + "x" + "}" * 100, {}, lambda name: None)


def test_variables_of_a_text() -> None:
    assert [(one.name, one.required, one.default) for one in variables("$A ${B:?x} ${C:-$D}")] == [
        ("A", False, ""), ("B", True, ""), ("C", False, "$D"), ("D", False, ""),
    ]  # fmt: skip


def test_only_values_are_substituted_and_what_is_unset_is_said_once() -> None:
    found = project(web("labels:\n  $KEY: $UNSET\n  other: $UNSET"))
    assert found.services["web"]["labels"] == {"$KEY": "", "other": ""}
    assert found.warnings == ('The "UNSET" variable is not set. Defaulting to a blank string.',)


def test_texts_become_numbers_and_booleans() -> None:
    found = service(web("privileged: ${P}\ninit: ${I}\nscale: ${N}\nports:\n  - target: ${T}\n    published: ${T}\nmem_limit: ${M}"),
                    environment={"P": "true", "I": "yes", "N": "3", "T": "80", "M": "64m"})  # fmt: skip
    assert (found["privileged"], found["init"], found["scale"], found["mem_limit"]) == (True, True, 3, 64 << 20)
    assert found["ports"] == [{"target": 80, "published": "80", "mode": "ingress", "protocol": "tcp"}]


def test_an_old_boolean_is_one_with_a_warning() -> None:
    found = project(web("tty: yes"))
    assert found.services["web"]["tty"] is True
    assert "`true`" in found.warnings[0]


@pytest.mark.parametrize(("text", "message"), [
    ("image: ${X:?set X}", "/p/compose.yaml:3: error while interpolating services.web.image: required variable X is missing"),
    ("image: ${", "/p/compose.yaml:3: invalid interpolation format for services.web.image"),
    ("tty: ${X}x", "failed to cast to expected type"),
])  # fmt: skip
def test_errors_say_where(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        project(f"services:\n  web:\n    {text}\n", environment={})
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}), ("export A=1", {"A": "1"}), ("A: x y", {"A": "x y"}), ("A = x", {"A": "x"}),
        ("A=x # c", {"A": "x"}), ("A=x#c", {"A": "x#c"}), ("A='x # c'", {"A": "x # c"}), ('A="x\\ny"', {"A": "x\ny"}),
        ("A='x\\ny'", {"A": "x\\ny"}), ('A="two\nlines"', {"A": "two\nlines"}), ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("B='${A}'", {"B": "${A}"}), ("B=$$A", {"B": "$A"}), ("B=\\$A", {"B": "$A"}), ("FROM_ENV\nNOT_THERE\n", {"FROM_ENV": "e"}),
        ("# c\n\nA=1\n", {"A": "1"}), ("A=", {"A": ""}), ('A="a\\"b"', {"A": 'a"b'}), ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}), ("A=${FROM_ENV:-x}", {"A": "e"}), ("a.b=1", {"a.b": "1"}), ("A=x=y", {"A": "x=y"}),
    ],
)  # fmt: skip
def test_dotenv(text: str, expected: dict[str, str]) -> None:
    assert dotenv.parse(text, ".env", {"FROM_ENV": "e"}) == expected


@pytest.mark.parametrize(("text", "message"), [
    ("A=1\nB='x", ".env:2: unterminated quoted value 'x"), ("A B=1", ".env:1: key cannot contain a space"),
    ("A%=1", 'unexpected character "%"'), ("=x", ".env:1: a value without a name"),
])  # fmt: skip
def test_dotenv_errors(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        dotenv.parse(text, ".env", {})
    assert message in caught.value.message


def test_raw_files_are_taken_as_they_are() -> None:
    assert dotenv.parse_raw("A='$x'\nFROM_ENV\n# c\n", "f", {"FROM_ENV": "e"}) == {"A": "'$x'", "FROM_ENV": "e"}


def test_env_files_of_services() -> None:
    files = {"/p/a.env": "A=1\nB=from a\nC=$HOST\nM=\"two\nlines\"", "/p/raw.env": "R='$x'"}
    body = ("env_file:\n  - a.env\n  - path: raw.env\n    format: raw\n  - path: none.env\n    required: false\n"
            "environment:\n  B: own\n  D:\n  E: null\n")  # fmt: skip
    found = service(web(body), files=files, environment={"HOST": "h", "D": "d"})
    assert found["environment"] == {"A": "1", "B": "own", "C": "h", "M": "two\nlines", "R": "'$x'", "D": "d", "E": None}
    assert "env_file" not in found


def test_an_env_file_that_is_required_is_missed() -> None:
    with pytest.raises(InvalidInput, match=r"env file /p/none\.env not found"):
        service(web("env_file: none.env"))
