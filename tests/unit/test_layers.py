"""Rooms import downwards only, as docs/development/architecture.md draws them; read from the syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "rootless"

ROOMS = ["cli", "console", "api", "kube", "compose", "yamltext", "build", "engine", "image", "storage", "network", "oci", "runtime",
         "cgroup", "session", "linux"]  # fmt: skip
# The engine's own rooms, by the same rule; __init__.py stands below them.
ENGINE = ["doctor", "views", "pods", "lifecycle", "networks", "files", "images", "emulation", "host_programs", "cdi", "state", "options"]
# Rooms that know no file and no kernel, and what they may import of ours besides themselves.
PURE = {
    "build/dockerfile": set[str](), "build/plan": {"rootless.build.dockerfile"},
    "yamltext": set[str](), "compose/load": {"rootless.yamltext"}, "compose/plan": {"rootless.compose.load", "rootless.yamltext"},
    "kube/load": {"rootless.yamltext"},
}  # fmt: skip
# Of the standard library: what has no effects.
PURE_LIBRARY = {"__future__", "collections.abc", "json", "re", "typing", "posixpath", "signal", "base64", "itertools",
                "difflib", "hashlib", "shlex", "yaml", "ipaddress", "binascii"}  # fmt: skip
BELOW_EVERYTHING = {"atomic",
    "bytecode", "compilation", "errors", "finding", "inherited", "interrupts", "jsontext", "paths", "record", "words", "undo",
    "sizes", "user_config", "user_config_file", "user_setting", "__version__",
}  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.py"))
OF_ENGINE = [path for path in FILES if (ROOT / "engine") in path.parents and path.parent != ROOT / "engine"]


def room(module: str) -> str | None:
    """`rootless.engine.images` -> engine; None for what is not ours."""
    parts = module.split(".")
    if parts[0] != "rootless":
        return None
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> list[tuple[int, str]]:
    """Line and module of every import in the file, wherever it stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            if node.module == "rootless":
                found += [(node.lineno, f"rootless.{alias.name}") for alias in node.names]
            elif node.module:
                found.append((node.lineno, node.module))
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_imports_go_downwards(path: Path) -> None:
    here = path.relative_to(ROOT).parts[0] if path.parent != ROOT else ""
    allowed = set(ROOMS[ROOMS.index(here) :]) if here in ROOMS else set()
    wrong = [
        f"line {line}: {module}"
        for line, module in imports(path)
        if (target := room(module)) is not None and target and target not in allowed | BELOW_EVERYTHING
    ]
    assert not wrong, f"{path.relative_to(ROOT.parent)} imports upwards: {wrong}"


@pytest.mark.parametrize("path", OF_ENGINE, ids=[str(path.relative_to(ROOT)) for path in OF_ENGINE])
def test_the_engines_rooms_import_downwards(path: Path) -> None:
    allowed = ENGINE[ENGINE.index(path.relative_to(ROOT / "engine").parts[0]) :]
    for line, module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["rootless", "engine"]:
            assert parts[2] in allowed, f"{path.relative_to(ROOT)}:{line} imports upwards: {module}"


@pytest.mark.parametrize("name", PURE)
def test_pure_rooms_import_errors_records_and_words_only(name: str) -> None:
    itself = f"rootless.{name.replace('/', '.')}"
    allowed = {"rootless.errors", "rootless.record", "rootless.words", itself} | PURE[name]
    files = [path for path in FILES if (ROOT / name) in path.parents]
    assert files
    for path in files:
        for line, module in imports(path):
            ours = module.partition(".")[0] == "rootless"
            assert not ours or any(f"{module}.".startswith(f"{room}.") for room in allowed), f"{path}:{line}: {module}"
            assert ours or module in PURE_LIBRARY, f"{path}:{line}: {module}"


def test_nothing_lies_between_the_engines_rooms() -> None:
    assert [path.name for path in (ROOT / "engine").glob("*.py")] == ["__init__.py"]
    assert {path.relative_to(ROOT / "engine").parts[0] for path in OF_ENGINE} == set(ENGINE)


def test_linux_knows_nothing_of_the_rest() -> None:
    for path in (ROOT / "linux").glob("*.py"):
        for line, module in imports(path):
            assert room(module) in (None, "linux", "record"), f"{path.name}:{line}: {module}"


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_no_rooms_for_odds_and_ends(path: Path) -> None:
    assert path.stem not in {"utils", "util", "common", "helpers", "misc", "base"}


def test_files_are_short() -> None:
    """What does not fit into 300 lines is two things."""
    tree = ROOT.parent
    places = [(name, pattern) for name in ("rootless", "tests", "benchmarks") for pattern in ("*.py", "*.c")]
    files = [path for name, pattern in (*places, ("helpers", "*.[ch]")) for path in (tree / name).rglob(pattern)]
    long = {str(path): count for path in files if (count := path.read_text("utf-8").count("\n")) > 300}
    assert not long


def test_what_lies_below_everything_goes_in_no_circle() -> None:
    """Late imports count: two files that need each other are one."""
    needed = {
        path.stem: {module.split(".")[1] for _, module in imports(path) if module.startswith("rootless.")} & BELOW_EVERYTHING
        for path in FILES
        if path.parent == ROOT and path.stem in BELOW_EVERYTHING
    }
    while free := [name for name, others in needed.items() if not others & needed.keys()]:
        for name in free:
            del needed[name]
    assert not needed, "each of these needs another of them"
