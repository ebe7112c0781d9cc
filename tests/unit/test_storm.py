"""benchmarks/storm.py: a simulation whose answers can be told beforehand where one thing alone takes the time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import storm
from benchmarks.storm import RANKS, SPREAD_S, Server, Start

MANY = 1e12


def test_one_node_takes_what_its_requests_take_one_after_the_other() -> None:
    found = storm.simulate(Start(1000, 0, 0, 0.25), 1, Server(MANY, 0.002, MANY, MANY))
    assert found.last_s == pytest.approx(2.0 + 0.25)


def test_a_busy_metadata_server_takes_what_all_requests_take_together() -> None:
    found = storm.simulate(Start(0, 500, 0, 0), 20, Server(10_000, 0.0001, MANY, MANY))
    assert found.last_s == pytest.approx(20 * RANKS * 500 / 10_000, rel=0.01)
    assert found.metadata > 0.99
    assert storm.first(found).startswith("metadata")


def test_a_busy_link_takes_what_all_bytes_take_together() -> None:
    found = storm.simulate(Start(0, 0, 100_000_000, 0), 50, Server(MANY, 0, 1e9, 1e9))
    assert found.last_s == pytest.approx(50 * 0.1, rel=0.01)
    assert storm.first(found).startswith("data")


def test_nothing_is_faster_than_the_ranks_are_handed_out() -> None:
    found = storm.simulate(Start(1, 1, 1, 0), 3, Server(MANY, 0, MANY, MANY))
    assert SPREAD_S * 0.99 <= found.last_s <= SPREAD_S * 1.01
    assert storm.first(found).startswith("nothing")


def test_the_page_has_the_figures_of_the_simulation() -> None:
    measured = json.loads(Path(storm.__file__).with_name("storm.json").read_text())
    outcomes = {name: {nodes: storm.simulate(start, nodes, storm.SERVER) for nodes in storm.NODES}
                for name, start in storm.starts(measured).items()}  # fmt: skip
    docs = Path(__file__).parents[2] / "docs"
    assert storm.table(outcomes) in (docs / "scale.md").read_text()
    assert storm.plot(outcomes) == (docs / "pictures/storm.svg").read_text()
