"""Every rule of the specification's schema, broken once: the error names the path. Pure."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.oci.config.bundle import _check_sense
from rootless.oci.config.config_schema import CONFIG
from rootless.oci.config.validate import check

SPECS = Path(__file__).parent / "schemas"
OURS = ("windows", "solaris", "vm", "zos", "freebsd")
DEEPEST = 14


def _document(name: str, cache: dict[str, Any] = {}) -> Any:  # noqa: B006 - a cache on purpose
    if name not in cache:
        cache[name] = json.loads((SPECS / name).read_text())
    return cache[name]


def resolve(schema: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """The schema with its $ref followed, and the file that the next one is relative to."""
    while "$ref" in schema:
        name, _, pointer = schema["$ref"].partition("#")
        file = name or file
        schema = _document(file)
        for part in pointer.strip("/").split("/"):
            schema = schema[part]
    return schema, file


def merged(schema: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    schema, file = resolve(schema, file)
    for key in ("allOf", "anyOf"):
        if key in schema:
            found: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
            for part in schema[key]:
                one, file = merged(part, file)
                found["properties"].update(one.get("properties", {}))
                found["required"] += one.get("required", [])
            return found, file
    return schema, file


def example(schema: dict[str, Any], file: str, depth: int = 0) -> Any:
    """A value that obeys the schema and has every property."""
    schema, file = merged(schema, file)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        found = {name: example(part, file, depth + 1) for name, part in schema.get("properties", {}).items()
                 if name not in OURS}  # fmt: skip
        for rest in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
            if rest:
                found["any"] = example(rest, file, depth + 1)
        return found
    if kind == "array":
        return [example(schema["items"], file, depth + 1)]
    if kind == "boolean":
        return True
    if kind == "integer":
        return max(1, schema.get("minimum", 1))
    patterns = {"^RLIMIT_[A-Z]+$": "RLIMIT_CORE", "^[1-9][0-9]*[KMG]B$": "2MB", "^[cbup]$": "c"}
    patterns |= {"^MB:[^\\n]*$": "MB:0=1", "^[0-9, -]*$": "0-1"}
    return patterns[schema["pattern"]] if "pattern" in schema else "text"


def breaks(
    schema: dict[str, Any], file: str, path: tuple[str | int, ...]
) -> list[tuple[tuple[Any, ...], Any]]:
    """(path, value) for every rule below: the value breaks it; `None` removes what is required."""
    schema, file = merged(schema, file)
    kind = schema.get("type")
    found: list[tuple[tuple[Any, ...], Any]] = []
    if path:
        wrong: dict[str | None, Any] = {"object": [], "array": {}, "string": 7, "integer": "7", "boolean": 1}
        found.append((path, wrong[kind if kind in wrong else "string"]))
    if "enum" in schema:
        found.append((path, "no such word"))
    if "pattern" in schema:
        found.append((path, "\nnot this"))
    if "minimum" in schema:
        found += [(path, schema["minimum"] - 1), (path, schema["maximum"] + 1)] if "maximum" in schema else [
            (path, schema["minimum"] - 1)
        ]  # fmt: skip
    if "minItems" in schema:
        found.append((path, []))
    found += [((*path, name), None) for name in schema.get("required", [])]
    for name, part in schema.get("properties", {}).items():
        if name not in OURS:
            found += breaks(part, file, (*path, name))
    for rest in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
        if rest:
            found += breaks(rest, file, (*path, "any"))
    if kind == "array":
        found += breaks(schema["items"], file, (*path, 0))
    return found


def shown(path: tuple[Any, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".")


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    place = document
    for part in path[:-1]:
        place = place[part]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def test_every_rule_of_the_schema() -> None:
    schema = _document("config-schema.json")
    whole = example(schema, "config-schema.json")
    check(whole, CONFIG, name="config.json")
    rules = breaks(schema, "config-schema.json", ())
    assert len(rules) > 400
    # rootfsPropagation takes more words than the schema's, but not this one.
    for path, value in rules:
        with pytest.raises(InvalidInput) as raised:
            check(changed(whole, path, value), CONFIG, name="config.json")
        assert f": {shown(path)}: " in raised.value.message, (path, value, raised.value.message)


MINIMAL: dict[str, Any] = {
    "ociVersion": "1.0.0",
    "root": {"path": "r"},
    "process": {"cwd": "/", "args": ["x"]},
    "linux": {"namespaces": [{"type": "mount"}]},
}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("ociVersion",), "2.0.0", "ociVersion"),
        (("ociVersion",), "1", "ociVersion"),
        (("root",), None, "root"),
        (("root", "path"), "", "root.path"),
        (("process",), None, "process"),
        (("process", "args"), [], "process.args"),
        (("process", "cwd"), "relative", "process.cwd"),
        (("process", "env"), ["=x"], "process.env[0]"),
        (("process", "rlimits"), [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2, "process.rlimits[1].type"),
        (("mounts",), [{"destination": "data"}], "mounts[0].destination"),
        (("hooks",), {"poststop": [{"path": "x"}]}, "hooks.poststop[0].path"),
        (("linux", "namespaces"), [], "linux.namespaces"),
        (("linux", "namespaces"), [{"type": "mount"}] * 2, "linux.namespaces[1].type"),
        (("linux", "timeOffsets"), {"monotonic": {"secs": 1}}, "linux.timeOffsets"),
        (("linux", "devices"), [{"type": "c", "path": "/dev/x"}], "linux.devices[0]"),
    ],
)  # fmt: skip
def test_what_the_text_demands(path: tuple[str, ...], value: Any, named: str) -> None:
    document = changed(MINIMAL, path, value)
    check(document, CONFIG, name="config.json")
    with pytest.raises(InvalidInput) as raised:
        _check_sense(document, "config.json")
    assert (
        f": {named}" in raised.value.message.replace("process.", ": process.", 1)
        or named in raised.value.message
    )


def test_null_means_absent() -> None:
    check({**MINIMAL, "mounts": None, "hooks": {"prestart": None}}, CONFIG, name="config.json")
