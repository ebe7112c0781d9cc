"""The monitor's options stand twice, in C and in Python: the tables are one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rootless.runtime import monitor

SOURCE = (Path(__file__).resolve().parents[2] / "helpers/monitor/arguments.c").read_text()
READ_BY = {
    "number_argument": {monitor.NUMBER},
    "milliseconds_argument": {monitor.NUMBER},
    "descriptor_argument": {monitor.DESCRIPTOR, monitor.DESCRIPTORS},
    "file_argument": {monitor.TEXT},
    "hidden_argument": {monitor.HIDDEN},
    "optarg": {monitor.TEXT, monitor.TEXTS},
    "true": {monitor.FLAG},
}


def options_in_c() -> dict[str, tuple[bool, bool, str]]:
    """By option: whether it has a value, whether it may come again, and what its case reads the value with."""
    table = re.findall(r'\{"([\w-]+)", (\w+), NULL, (\w+)\}', SOURCE)
    cases = dict(re.findall(r"case (\w+):([^{}]*?)break;", SOURCE, re.DOTALL))
    found = {}
    for name, takes, constant in table:
        (reader,) = re.findall(r"(\w+_argument)\(optarg|= (optarg|true);", cases[constant])
        found[name] = (takes == "required_argument", "too many" in cases[constant], next(filter(None, reader)))
    return found


def test_the_options_are_the_same() -> None:
    assert set(options_in_c()) == set(monitor.OPTIONS)


@pytest.mark.parametrize("option", monitor.OPTIONS)
def test_their_values_are_read_as_they_are_written(option: str) -> None:
    has_value, repeated, reader = options_in_c()[option]
    kind = monitor.OPTIONS[option]
    assert kind in READ_BY[reader]
    assert has_value == (kind != monitor.FLAG)
    assert repeated == (kind in (monitor.TEXTS, monitor.DESCRIPTORS))


def test_what_is_not_asked_for_is_not_said() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    values = {"pid": 7, "no-sync": False, "terminal": -1, "stdin": fd, "health": ("a", "b"), "hold": (), "event": "", "exec": True}
    argv = monitor.arguments(values, ("true", "x"))
    assert argv[1:] == ["--pid", "7", "--stdin", str(fd), "--health", "a", "--health", "b", "--exec", "--", "true", "x"]
    assert os.get_inheritable(fd)
    os.close(fd)
    assert monitor.arguments({"wait": 0})[1:] == ["--wait", "0"]


def test_held_descriptors_that_follow_one_another_are_a_run() -> None:
    def words(*numbers: int) -> list[str]:
        made = [os.dup2(fd, number) for number in numbers]
        argv = monitor.arguments({"hold": tuple(made)})[1:]
        assert all(os.get_inheritable(number) for number in made)
        for number in made:
            os.close(number)
        return argv

    fd = os.open("/dev/null", os.O_RDONLY)
    assert words(200) == ["--hold", "200"]
    assert words(201, 200, 203) == ["--hold", "200", "--hold-to", "201", "--hold", "203"]
    assert words(*range(300, 400), 200) == ["--hold", "200", "--hold", "300", "--hold-to", "399"]
    os.close(fd)
