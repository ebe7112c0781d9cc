"""No test demands that something took less than so long: a machine that others use takes as long as it takes.

What may stand: a deadline that only a hang reaches (`assert monotonic() < deadline` in a loop), and that
something did not happen too early (`assert later - began >= 0.5`). Speed belongs to the benchmarks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}


def reads_clock(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in CLOCKS
        and isinstance(each.func.value, ast.Name) and each.func.value.id == "time"
        for each in ast.walk(node)
    )  # fmt: skip


def is_elapsed(node: ast.AST, names: set[str]) -> bool:
    """Whether a difference with the clock of now is in it, or a name that holds such a difference."""
    return any(
        (isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub) and reads_clock(each))
        or (isinstance(each, ast.Name) and each.id in names)
        for each in ast.walk(node)
    )


def stopwatches(source: str) -> Iterator[int]:
    """Lines on which elapsed time is asserted to be small, or to be about something."""
    tree = ast.parse(source)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_elapsed(node.value, set()):
            names |= {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        for compared in (each for each in ast.walk(node.test) if isinstance(each, ast.Compare)):
            sides = [compared.left, *compared.comparators]
            for left, operator, right in zip(sides, compared.ops, sides[1:], strict=False):
                small, large = (right, left) if isinstance(operator, ast.Gt | ast.GtE) else (left, right)
                about = isinstance(operator, ast.Eq) and is_elapsed(large, names)
                if is_elapsed(small, names) or about:
                    yield node.lineno


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("assert time.monotonic() - began < 5", True),
        ("assert 5 > time.monotonic() - began", True),
        ("took = time.perf_counter() - began\nassert took < 5", True),
        ("assert 4 < time.time() - began < 5", True),
        ("took = time.monotonic() - began\nassert took == approx(4)", True),
        ("took = time.monotonic() - began\nassert 20 / took == approx(4)", True),
        ("assert time.monotonic() - began >= 0.7", False),
        ("assert 0.7 <= time.monotonic() - began", False),
        ("deadline = time.monotonic() + 60\nassert time.monotonic() < deadline", False),
    ],
)
def test_it_knows_them(source: str, found: bool) -> None:
    assert bool(list(stopwatches(source))) is found


def test_no_test_has_one() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}" for path in sorted(TESTS.rglob("test_*.py")) for line in stopwatches(path.read_text())
    ]
    assert found == []
