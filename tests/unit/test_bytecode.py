"""Our modules from one file: as the importer's own in all that a module shows of itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rootless
from rootless import bytecode

SHOW = """
import sys
sys.path.insert(0, sys.argv[1])
from rootless import bytecode
bytecode.install()
import rootless.cli, rootless.cli.main, rootless.storage.names as names
print(names.__file__, names.__name__, names.__package__, names.__spec__.name, names.__spec__.origin)
print(rootless.cli.__path__, rootless.cli.__file__, rootless.cli.__package__)
import inspect
print(len(inspect.getsource(names)))
print(any(type(finder) is type and finder.__name__ == 'Finder' for finder in sys.meta_path), file=sys.stderr)
"""


def show(directory: Path, code: str = SHOW) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, directory], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    source = Path(rootless.__file__).parent
    target = tmp_path / "rootless"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", bytecode.DIRECTORY, "_helpers"))
    return target


def test_modules_look_the_same(package: Path) -> None:
    plain, used = show(package.parent)
    assert used == "False"
    bytecode.write(str(package))
    fast, used = show(package.parent)
    assert used == "True"
    assert fast == plain


def test_a_traceback_shows_its_lines(package: Path) -> None:
    bytecode.write(str(package))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rootless import bytecode; bytecode.install()\n"
        "import traceback\nfrom rootless.storage import atomic\n"
        "try: atomic.read_bytes('/nonexistent')\nexcept OSError: traceback.print_exc(file=sys.stdout)"
    )
    assert "fd = os.open(path" in show(package.parent, code)[0]


@pytest.mark.parametrize("damage", ["another Python's", "empty"])
def test_a_file_of_another_python_is_ignored(package: Path, damage: str) -> None:
    path = Path(bytecode.write(str(package)))
    data = path.read_bytes()
    path.write_bytes(b"" if damage == "empty" else b"\0\0\0\0" + data[4:])
    assert show(package.parent)[1] == "False"


def test_a_module_that_came_later_is_found(package: Path) -> None:
    bytecode.write(str(package))
    (package / "later.py").write_text("HERE = 1\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rootless import bytecode; bytecode.install()\nimport rootless.later; print(rootless.later.HERE)"
    )
    assert show(package.parent, code)[0] == "1\n"
