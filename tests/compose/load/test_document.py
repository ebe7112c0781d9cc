"""YAML as compose has it: scalars, keys, anchors; what is hostile is bounded, and every error has its file and line."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.yamltext.document import documents


def value(text: str) -> Any:
    return documents(f"a: {text}", "f.yaml")[0].tree["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:22", "22:22"), ("12:30:45", "12:30:45"), ("yes", "yes"), ("on", "on"), ("n", "n"), ("true", True), ("False", False),
        ("0440", 288), ("0o440", 288), ("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("1e3", 1000.0), (".5", 0.5), ("1.50", 1.5),
        ("2001-01-01", "2001-01-01"), ("~", None), ("", None), ("null", None), ('"1"', "1"), ("'true'", "true"), ("!!str 1", "1"),
        ("!!int '7'", 7), ("-3", -3), ("089", "089"), ("1.2.3", "1.2.3"), ("| \n  x\n  y", "x\ny"), (".inf", float("inf")),
        ("0.0.0.0", "0.0.0.0"), ("9" * 200, "9" * 200),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2_with_old_octals(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)
    assert not isinstance(found, datetime.date)


def test_merge_keys_fill_in_what_is_missing() -> None:
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 0\n"
    assert documents(text, "f")[0].tree["z"] == {"a": 0, "b": 2, "c": 4}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert documents('a: {"<<": {b: 1}}', "f")[0].tree["a"] == {"<<": {"b": 1}}


def test_several_documents_and_empty_ones() -> None:
    assert [one.tree for one in documents("---\na: 1\n---\n---\nb: 2\n", "f")] == [{"a": 1}, {"b": 2}]


def test_lines_are_known_by_path() -> None:
    assert documents("a:\n  b:\n    - 1\n    - c: 2\n", "f")[0].lines[("a", "b", 1, "c")] == 4


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MERGE_BOMB = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 40)}]\n  k{n}: {{<<: *a{n - 1}}}\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f.yaml:3: mapping key "a" already defined at line 1'),
        ("a: b: c\n", "f.yaml:1: yaml: mapping values are not allowed"),
        ("a:\n  - b\n c: d\n", "f.yaml:3: yaml:"),
        ("a: *nobody\n", "f.yaml:1: yaml: unknown anchor 'nobody' referenced"),
        ("a: &a [*a]\n", "f.yaml:1: yaml: anchor 'a' value contains itself"),
        ("- a\n", "f.yaml:1: top-level object must be a mapping"),
        ("a: !!python/object/apply:os.system [id]\n", "unknown tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !secret b\n", "f.yaml:1: yaml: unknown tag !secret"),
        ("? [a]\n: b\n", "f.yaml:1: non-string key"),
        ("~: b\n", "f.yaml:1: non-string key"),
        ("a: {<<: 3}\n", "map merge requires map or sequence of maps"),
        ("a: !!int x\n", "cannot decode `x` as a !!int"),
        ("a: \x00\n", "f.yaml: yaml:"),
        ("a: " + "[" * 200 + "]" * 200, "more than 100 levels"),
        ("a: " + "{a: " * 200, "more than 100 levels"),
        (BOMB, "more than 100000 values"),
        (MERGE_BOMB, "more than 100000 values"),
        ("a: [" + "x," * 100_001 + "]", "more than 100000 values"),
    ],
)
def test_errors_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents(text, "f.yaml")
    assert message in caught.value.message
