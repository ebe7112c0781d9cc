"""Our modules from one file: as the importer's own in all that a module shows of itself."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import rootless
from rootless import bytecode, compilation

BEGIN = "import sys; sys.path.insert(0, sys.argv[1])\nfrom rootless import bytecode; bytecode.install()\n"
SHOW = """
import sys
sys.path.insert(0, sys.argv[1])
from rootless import bytecode, compilation
bytecode.install()
import rootless.cli, rootless.cli.main, rootless.storage.names as names
import rootless.oci.commands.run, rootless.engine.doctor
for name in sorted(sys.modules):
    if name.startswith('rootless') and name not in ('rootless', 'rootless.bytecode'):
        module = sys.modules[name]
        spec = module.__spec__
        print(name, module.__name__, module.__package__, module.__file__, getattr(module, '__path__', None), type(module))
        print(spec.name, spec.origin, spec.parent, spec.has_location, spec.submodule_search_locations, spec.loader.name)
        parent, _, last = name.rpartition('.')
        print(getattr(sys.modules[parent], last) is module, sorted(set(vars(module)) - {'annotations'}))
print(names.__file__, names.__name__, names.__package__, names.__spec__.name, names.__spec__.origin)
print(rootless.cli.__path__, rootless.cli.__file__, rootless.cli.__package__)
import inspect
print(len(inspect.getsource(names)))
print(any(type(finder) is type and finder.__name__ == 'Finder' for finder in sys.meta_path), file=sys.stderr)
"""


def show(directory: Path, code: str = SHOW) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, directory], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.strip()


# Modules beside our own, for what happens between modules.
TRIALS = {
    "trial_slow": "import time\ntime.sleep(0.5)\nHERE = 1\n",
    "trial_waits": "from rootless import trial_slow\nFOUND = trial_slow.HERE\n",
    "trial_bad": "raise KeyError('bad')\n",
    "trial_fails": "import rootless.trial_bad\n",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A package that is compiled, once for all as it takes seconds, and what SHOW said of it before."""
    package = tmp_path_factory.mktemp("compiled") / "rootless"
    ignored = shutil.ignore_patterns("__pycache__", bytecode.DIRECTORY, "_helpers")
    shutil.copytree(Path(rootless.__file__).parent, package, ignore=ignored)
    for name, text in TRIALS.items():
        (package / f"{name}.py").write_text(text)
    said, used = show(package.parent)
    compilation.write(str(package))
    return package, said, used


@pytest.fixture
def package(plain: tuple[Path, str, str]) -> Path:
    """The compiled package; who changes it changes it back."""
    return plain[0]


def test_modules_look_the_same(plain: tuple[Path, str, str]) -> None:
    package, said, used = plain
    assert used == "False"
    fast, used = show(package.parent)
    assert used == "True"
    assert fast == said


def test_an_empty_package_is_made_without_reading(package: Path) -> None:
    """Whether another module needs it or it is imported by itself; `inspect` reads its source all the same."""
    code = (
        BEGIN + "before = bytecode._read\ndef read(name): print(name); return before(name)\nbytecode._read = read\n"
        "import rootless.oci.container, rootless.oci.hooks, inspect\n"
        "print('|', rootless.oci.container.__builtins__ is rootless.oci.hooks.__builtins__)\n"
        "print(inspect.getsource(rootless.oci).count('OCI runtime'))"
    )
    names, _, rest = show(package.parent, code)[0].partition("|")
    assert rest == " True\n1\n"
    assert {"rootless.oci.hooks", "rootless.oci.log"} <= set(names.split())
    assert not {"rootless.oci", "rootless.oci.container", "rootless.runtime", "rootless.linux"} & set(names.split())


def test_a_traceback_shows_its_lines(package: Path) -> None:
    code = (
        BEGIN + "import traceback\nfrom rootless import atomic\n"
        "try: atomic.read_bytes('/nonexistent')\nexcept OSError: traceback.print_exc(file=sys.stdout)"
    )
    assert "fd = os.open(path" in show(package.parent, code)[0]


@pytest.mark.parametrize("damage", ["another Python's", "empty"])
def test_a_file_of_another_python_is_ignored(package: Path, damage: str) -> None:
    path = package / bytecode.file_name(str(sys.implementation.cache_tag))
    data = path.read_bytes()
    try:
        path.write_bytes(b"" if damage == "empty" else b"\0\0\0\0" + data[4:])
        assert show(package.parent)[1] == "False"
    finally:
        path.write_bytes(data)


def test_a_module_that_came_later_is_found(package: Path) -> None:
    later = package / "later.py"
    later.write_text("HERE = 1\n")
    try:
        assert show(package.parent, BEGIN + "import rootless.later; print(rootless.later.HERE)")[0] == "1\n"
    finally:
        later.unlink()


def test_two_threads_wait_for_one_another(package: Path) -> None:
    """One of them must not see a module that the other is still executing."""
    code = (
        BEGIN + "import threading\n"
        "def one(): import os, rootless.trial_waits; os.write(1, b'%d\\n' % rootless.trial_waits.FOUND)\n"
        "threads = [threading.Thread(target=one) for _ in range(3)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]"
    )
    assert show(package.parent, code) == ("1\n" * 3, "")


def test_a_module_that_fails_is_not_there(package: Path) -> None:
    code = (
        BEGIN + "for _ in range(2):\n"
        "  try: import rootless.trial_fails\n"
        "  except KeyError as error: print(error, 'rootless.trial_bad' in sys.modules, 'rootless.trial_fails' in sys.modules)"
    )
    assert show(package.parent, code)[0] == "'bad' False False\n" * 2


def test_what_a_module_needs() -> None:
    source = """
from __future__ import annotations
import os
from rootless.record import TYPE_CHECKING, Record
from rootless.linux import ctypes as c, socket
if TYPE_CHECKING:
    from rootless.cli import main
else:
    import rootless.paths
try:
    from rootless import jsontext
except ImportError:
    from rootless import cli
def later():
    import rootless.errors
"""
    known = {name for name in sys.modules if name.startswith("rootless")} | {
        f"rootless.{name}"
        for name in ("record", "linux", "linux.ctypes", "linux.socket", "paths", "jsontext", "cli", "cli.main", "errors")
    }
    assert compilation.needs(ast.parse(source), "rootless.x.y", known) == (
        "rootless.record", "rootless.linux", "rootless.linux.ctypes", "rootless.linux.socket", "rootless.paths",
        "rootless.jsontext",
    )  # fmt: skip


def test_every_module_can_be_the_first(package: Path) -> None:
    """In a process that has imported nothing of ours: a fork of one that has all that ours import from elsewhere."""
    code = """
import importlib, os, sys
import asyncio, jinja2, uvicorn.server  # once: twenty modules of the console need them
sys.path.insert(0, sys.argv[1])
from rootless import bytecode
bytecode.install()
names = [name for name in sorted(bytecode._index) if not name.endswith("__main__") and ".trial_" not in name]
reader, writer = os.pipe()
if not os.fork():
    for name in names:
        importlib.import_module(name)
    os.write(writer, " ".join(name for name in sys.modules if not name.startswith("rootless")).encode())
    os._exit(0)
os.wait()
for name in os.read(reader, 1 << 16).decode().split():
    if not name.startswith("__"):
        importlib.import_module(name)
for name in names:
    if os.fork():
        if os.wait()[1]:
            print(name)
        continue
    importlib.import_module(name)
    os._exit(0)
"""
    assert show(package.parent, code) == ("", "")


def test_no_module_needs_itself() -> None:
    """Else loading one would never end."""
    root = Path(rootless.__file__).parent
    known = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in root.rglob("*.py")
    }
    graph = {name: compilation.needs(ast.parse(path.read_text()), name, known) for name, path in known.items()}
    TopologicalSorter(graph).prepare()  # CycleError
