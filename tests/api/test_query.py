"""Words of a query as moby means them (httputils/form.go), without a service."""

from __future__ import annotations

import pytest

from rootless.api.request.query import Query
from rootless.errors import InvalidInput


@pytest.mark.parametrize("word", ["", "0", "no", "No", "false", "FALSE", "none", "None", "%20"])
def test_what_is_false(word: str) -> None:
    assert Query(f"all={word}").flag("all", True) is False


@pytest.mark.parametrize("word", ["1", "true", "t", "yes", "on", "2", "junk", "null", "[]"])
def test_everything_else_is_true(word: str) -> None:
    assert Query(f"all={word}").flag("all") is True


def test_what_is_not_said() -> None:
    query = Query("all")
    assert (query.flag("all", True), query.flag("other"), query.flag("other", True)) == (False, False, True)
    assert (query.number("n"), query.optional("n"), Query("n=").optional("n")) == (0, None, None)
    assert Query("filters=null").filters(("label",)) == Query("filters=").filters(("label",)) == {}


def test_filters_have_two_shapes() -> None:
    wanted = {"label": ["a=b", "c"], "dangling": ["true"]}
    for text in (
        '{"label":{"a=b":true,"c":true,"d":false},"dangling":{"true":true}}', '{"label":["a=b","c"],"dangling":["true"]}',
        '{"label":["a=b","c"],"dangling":true}',
    ):  # fmt: skip
        assert Query(f"filters={text}").filters(("label", "dangling")) == wanted
    with pytest.raises(InvalidInput, match="invalid filter 'other'"):
        Query('filters={"other":["x"]}').filters(("label",))


@pytest.mark.parametrize("word", ["x", "1.5", "0x10", "--1", "9223372036854775808", "٣"])
def test_numbers_are_gos(word: str) -> None:
    with pytest.raises(InvalidInput, match="ParseInt"):
        Query(f"n={word}").number("n")
    assert (Query("n=-1").number("n"), Query("n=%2B7").number("n")) == (-1, 7)
