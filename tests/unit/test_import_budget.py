"""What the quick commands may import. A list of modules, not a stopwatch: docs/development/architecture.md, The hot path."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rootless

FORBIDDEN = set(
    "dataclasses click subprocess pathlib shutil tempfile hashlib logging datetime argparse inspect asyncio "
    "urllib urllib3 http email ssl tarfile zipfile concurrent threading multiprocessing sqlite3 unittest "
    "tomllib configparser gettext locale traceback ast dis tokenize "
    # What rootless.record, jsontext and linux/{signal,socket,ctypes}.py stand in for, and what those bring.
    "typing enum re json socket signal ctypes collections contextlib selectors functools operator shlex resource "
    "termios tty".split()
)

PROBE = """
import sys
before = set(sys.modules)
from rootless.cli.main import run
from rootless.cli.command_table import BY_PATH, load
for word in sys.argv[1:2]:
    if word.startswith('import:'):
        load(BY_PATH[word.removeprefix('import:')])
        for late in sys.argv[2:]:
            __import__('rootless.' + late)
    else:
        run(sys.argv[1:])
print('\\n'.join(sorted(set(sys.modules) - before)), file=sys.stderr)
"""

OWNERS = """
import os, sys
sys.modules["typing"] = None
from rootless.engine.state import emulated_ids
from rootless.storage.store import Store
layer, container = os.path.join(sys.argv[1], "layers", "a" * 64), os.path.join(sys.argv[1], "container")
os.makedirs(layer)
os.mkdir(container)
level = emulated_ids.EmulatedIds("full")
for words in (), ("owners",):
    for word in words:
        open(os.path.join(container, word), "w").close()
    emulated_ids.prepare_owners(Store(sys.argv[1], sys.argv[1]), level, ["sha256:" + "a" * 64], container)
    print(*(module for module in sys.modules if module.startswith("rootless.storage.owner_file")))
os.remove(os.path.join(container, "owners"))
with open(os.path.join(layer, "links.json"), "w") as file:
    file.write("{}")
emulated_ids.prepare_owners(Store(sys.argv[1], sys.argv[1]), level, ["sha256:" + "a" * 64], container)
print(*os.listdir(container))
"""

OWN, SHARED = "cli.commands.container.run_container", "cli.commands.container.run_shared"
"""What `run` imports once it has read its words."""

ALL = """
import sys
import rootless.cli.main
from rootless.cli.command_table import BY_PATH, load
for word in sys.argv[1].split(","):
    load(BY_PATH[word])
for word in sys.argv[2].split(","):
    __import__("rootless." + word)
print("\\n".join(module for module in sys.modules if module.startswith("rootless")))
"""


def imported(*words: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


@pytest.mark.parametrize("name", ["run", "exec", "start", "ps", "stop", "rm", "logs", "kill"])
def test_the_hot_path(name: str) -> None:
    modules = imported(f"import:{name}", *([OWN, SHARED] if name == "run" else []))
    heavy = {module for module in modules if module.partition(".")[0] in FORBIDDEN}
    assert not heavy, f"`{name}` imports {sorted(heavy)}; import them in the function that needs them"


def test_a_list_of_a_project_by_its_name_needs_no_loader() -> None:
    heavy = {"yaml", "difflib", "ssl", "urllib3", "rootless.compose.load.load", "rootless.engine.networks", "rootless.build"}
    assert not heavy & imported("import:compose ps")


@pytest.mark.parametrize("words", [("import:exec",), ("import:run", SHARED)], ids=["exec", "run --shared"])
def test_exec_needs_nothing_of_a_start(words: tuple[str, ...]) -> None:
    """Nor does entering a shared container: a hundred ranks do that at once."""
    ours = {module for module in imported(*words) if module.startswith("rootless.")}
    assert "rootless.runtime.exec" in ours
    useless = ("rootless.network", "rootless.image", "rootless.session", "rootless.runtime.mounts.plan", "rootless.engine.state.listing",
               "rootless.engine.files", "rootless.engine.state.resources", "rootless.cgroup.create")  # fmt: skip
    assert not [module for module in ours if module.startswith(useless)]


def test_a_start_with_emulated_ids_reads_no_links_of_an_image_that_has_none(tmp_path: Path) -> None:
    """Neither at the first start nor later; what reads them brings no typing."""
    done = subprocess.run([sys.executable, "-c", OWNERS, tmp_path], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n\nowners\n"


def test_help_imports_no_command() -> None:
    modules = imported("--help")
    assert not [module for module in modules if module.startswith("rootless.cli.commands.")]


def test_version_imports_next_to_nothing() -> None:
    modules = imported("version")
    ours = {module for module in modules if module.partition(".")[0] == "rootless"}
    assert ours == {
        "rootless", "rootless.errors", "rootless.inherited", "rootless.record", "rootless.cli", "rootless.cli.main",
        "rootless.cli.grammar.command", "rootless.cli.grammar.parser", "rootless.cli.command_table", "rootless.cli.commands",
        "rootless.cli.grammar", "rootless.cli.commands.system", "rootless.cli.commands.system.version",
        "rootless.cli.output", "rootless.cli.output.messages",
    }  # fmt: skip
    assert not {"re", "json", "typing", "enum", "collections"} & modules


def test_the_modules_of_the_hot_path_say_so() -> None:
    """`Hot path.` ends the docstring of exactly those modules that the quick commands import: who edits one knows."""
    words = ",".join(["run", "exec", "start", "ps", "stop", "rm", "logs", "kill", "create", "version"])
    for_oci = ["main", *(f"commands.{name}" for name in ("run", "create", "start", "state", "kill", "delete", "exec"))]
    more = ",".join([OWN, SHARED, *(f"oci.{name}" for name in for_oci)])
    done = subprocess.run([sys.executable, "-c", ALL, words, more], capture_output=True, text=True, timeout=60, check=True)
    hot = set(done.stdout.split())
    package = Path(rootless.__file__).parent
    for path in package.rglob("*.py"):
        module = ".".join(["rootless", *path.relative_to(package).with_suffix("").parts])
        text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        if text is not None and path.name != "__init__.py":
            assert text.endswith("Hot path.") == (module in hot), f"{module}: the last sentence is `Hot path.`, or it is not"
