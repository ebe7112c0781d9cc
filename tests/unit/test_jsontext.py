"""jsontext against json: the same values, the same texts, the same refusals."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)

TEXTS = [
    "", " ", "null", "true", "-0", "1e400", "NaN", "-Infinity", '"a"', "[1, 2]", " [1]", "[1] \n", "[1]x", "[1],",
    "{}", '{"a": 1, "a": 2}', '{"a"}', '{"a": }', "{'a': 1}", "[1,]", "[", '"', '"\\ud800"', '"\\x"', '["\n"]',
    "\ufeff[1]", "[1]\x00", "[1]\v", "nul", "[" * 50 + "]" * 50,
]  # fmt: skip


@given(VALUES)
def test_round(value: object) -> None:
    for separators in ((", ", ": "), (",", ":")):
        for sort_keys in (False, True):
            text = jsontext.dumps(value, separators=separators, sort_keys=sort_keys)
            assert text == json.dumps(value, separators=separators, sort_keys=sort_keys)
            assert jsontext.loads(text) == jsontext.loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize("text", [*TEXTS, *(text.encode("utf-8", "surrogatepass") for text in TEXTS)])
def test_texts(text: str | bytes) -> None:
    expected = _outcome(json.loads, text)
    assert _outcome(jsontext.loads, text) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-32-be", "latin-1"])
def test_encodings(encoding: str) -> None:
    data = '["äöü"]'.encode(encoding)
    assert _outcome(jsontext.loads, data) == _outcome(json.loads, data)


@pytest.mark.parametrize("value", [{1, 2}, b"x", {(): 1}, {0: 2, None: 3, True: 4, 1.5: 5}, object(), float("inf")])
def test_odd_values(value: object) -> None:
    assert _outcome(jsontext.dumps, value) == _outcome(json.dumps, value)


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert _outcome(jsontext.dumps, circle) == _outcome(json.dumps, circle)


def _outcome(function: object, argument: object) -> object:
    try:
        return repr(function(argument))  # type: ignore[operator]
    except (ValueError, TypeError) as error:
        return type(error), str(error)
