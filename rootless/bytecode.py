"""Our modules' bytecode from one file, written by the package's build.

A hundred modules are imported before a container runs. Python's importer looks for each of them in
the file system, in Python code: 0.08 ms a module, three quarters of the time of their import.
With this finder it is a pread(2) and the unmarshalling. The file is as an unchecked pyc (PEP 552):
it belongs to the installed sources beside it; a development tree has none, another Python ignores
it, and then everything is imported as always.
"""

from __future__ import annotations

import marshal
import os
import sys

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from types import CodeType
else:
    # As this very module came; importing them by name would import half of importlib.
    ModuleSpec, SourceFileLoader = type(__spec__), type(__loader__)

DIRECTORY = "_bytecode"


def file_name(cache_tag: str) -> str:
    """Name of the file for one Python ("cpython-311"), below the package's directory.

    It holds the magic number of that Python's bytecode, four bytes of length and a marshalled index
    {module: (offset, size, is a package)}; at those offsets from the index's end each module's
    marshalled code.
    """
    return f"{DIRECTORY}/{cache_tag}.bin"


class Loader(SourceFileLoader):
    """A source file's loader in all but where the code comes from."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code."""
        place = _index.get(fullname)
        if place is None:
            return super().get_code(fullname)
        code: CodeType = marshal.loads(os.pread(_fd, place[1], _start + place[0]))
        return code


class Finder:
    """For sys.meta_path: finds what is in the file."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """As importlib.abc.MetaPathFinder has it."""
        place = _index.get(name)
        if place is None:
            return None
        base = _root + name.replace(".", "/")
        origin = base + "/__init__.py" if place[2] else base + ".py"
        spec = ModuleSpec(name, Loader(name, origin), origin=origin, is_package=place[2])
        if place[2]:
            spec.submodule_search_locations = [base]
        spec.cached = _path  # or it would be worked out
        spec.has_location = True  # for __file__
        return spec


_index: dict[str, tuple[int, int, bool]] = {}
_fd = -1
_start = 0
_path = ""
_root = ""


def install() -> None:
    """Import our modules from the file from now on, where there is one for this Python."""
    global _index, _fd, _start, _path, _root
    directory = os.path.dirname(__file__)
    importer = sys.modules.get("_frozen_importlib_external")
    magic: bytes = getattr(importer, "MAGIC_NUMBER", b"")
    if _index or not magic or sys.implementation.cache_tag is None or not hasattr(SourceFileLoader, "get_code"):
        return
    _path = f"{directory}/{file_name(sys.implementation.cache_tag)}"
    try:
        _fd = os.open(_path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    head = os.pread(_fd, 32768, 0)
    size = int.from_bytes(head[len(magic) : len(magic) + 4], "little")
    _start = len(magic) + 4 + size
    if head[: len(magic)] != magic:
        return
    if len(head) < _start:
        head = os.pread(_fd, _start, 0)
    _index = marshal.loads(head[len(magic) + 4 : _start])
    _root = directory.removesuffix("rootless")
    sys.meta_path.insert(0, Finder)


def write(directory: str) -> str:
    """For the build: the file for this Python of the package in `directory`; its path."""
    from importlib.util import MAGIC_NUMBER

    index: dict[str, tuple[int, int, bool]] = {}
    code, offset = [], 0
    for parent, below, names in os.walk(directory):
        below.sort()
        for name in sorted(name for name in names if name.endswith(".py")):
            relative = os.path.relpath(os.path.join(parent, name), os.path.dirname(directory))
            module = relative.removesuffix(".py").replace(os.sep, ".")
            with open(os.path.join(parent, name), "rb") as file:
                # A relative name: a traceback's source lines are found along sys.path.
                piece = marshal.dumps(compile(file.read(), relative, "exec", dont_inherit=True))
            index[module.removesuffix(".__init__")] = (offset, len(piece), name == "__init__.py")
            code.append(piece)
            offset += len(piece)
    packed = marshal.dumps(index)
    path = os.path.join(directory, file_name(str(sys.implementation.cache_tag)))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"".join((MAGIC_NUMBER, len(packed).to_bytes(4, "little"), packed, *code)))
    return path
