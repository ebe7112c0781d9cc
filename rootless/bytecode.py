"""Our modules' bytecode from one file, written by the package's build.

A hundred modules are imported before a container runs. Python's importer looks for each of them in
the file system, in Python code: 0.08 ms a module, three quarters of the time of their import.
With this finder it is a pread(2) and the unmarshalling, and what a module needs at its top is known
before it runs. The file is as an unchecked pyc (PEP 552): it belongs to the installed sources beside
it; a development tree has none, another Python ignores it, and then everything is imported as
always. This module itself is imported so, and so it imports nothing of ours. Hot path.
"""

import _thread
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from types import CodeType, ModuleType
else:
    # As this very module came; importing them by name would import half of importlib.
    ModuleSpec, SourceFileLoader = type(__spec__), type(__loader__)

DIRECTORY = "_bytecode"


def file_name(cache_tag: str) -> str:
    """Name of the file for one Python ("cpython-311"), below the package's directory.

    It holds the magic number of that Python's bytecode, four bytes of length and a marshalled index
    {module: (offset, size, is a package)}; at those offsets from the index's end, marshalled, each
    module's (the names of ours that it needs, its code). A module with nothing in it but a docstring, as most
    packages, has the size 0: it is made without reading. rootless/compilation.py writes the file.
    """
    return f"{DIRECTORY}/{cache_tag}.bin"


class Loader(SourceFileLoader):
    """A source file's loader in all but where the code comes from."""

    def get_code(self, fullname: str) -> "CodeType | None":
        """The module's code; the modules of ours that it needs have been loaded then."""
        if fullname not in _index or not _index[fullname][1]:
            return super().get_code(fullname)
        return _read(fullname)

    def exec_module(self, module: "ModuleType") -> None:
        """Execute the module's code, if there is any."""
        if module.__name__ in _index and not _index[module.__name__][1]:
            module.__dict__["__builtins__"] = __builtins__
        else:
            super().exec_module(module)


def _read(name: str) -> "CodeType":
    offset, size, _ = _index[name]
    needs, code = marshal.loads(os.pread(_fd, size, _start + offset))
    if not _thread._count():  # two threads that import the same wait for one another: importlib's work
        for need in needs:
            if need not in sys.modules:
                _load(need)
    result: CodeType = code
    return result


def _load(name: str) -> None:
    """What `import name` does in 20 microseconds more, for a module of the index whose package is loaded."""
    spec = _spec(name)
    module = type(sys)(name)
    names = module.__dict__
    names["__spec__"], names["__loader__"], names["__file__"] = spec, spec.loader, spec.origin
    names["__package__"], names["__cached__"] = spec.parent, spec.cached
    if spec.submodule_search_locations:
        names["__path__"] = spec.submodule_search_locations
    if _index[name][1]:
        code = _read(name)
        sys.modules[name] = module
        try:
            exec(code, names)
        except BaseException:
            del sys.modules[name]
            raise
    else:
        names["__builtins__"] = __builtins__
        sys.modules[name] = module
    package, _, last = name.rpartition(".")
    setattr(sys.modules[package], last, module)


def _spec(name: str) -> ModuleSpec:
    base, is_package = _root + name.replace(".", "/"), _index[name][2]
    origin = base + "/__init__.py" if is_package else base + ".py"
    spec = ModuleSpec(name, Loader(name, origin), origin=origin, is_package=is_package)
    if is_package:
        spec.submodule_search_locations = [base]
    spec.cached = _path  # or it would be worked out
    spec.has_location = True  # for __file__
    return spec


class Finder:
    """For sys.meta_path: finds what is in the file."""

    @staticmethod
    def find_spec(name: str, path: "Sequence[str] | None" = None, target: object = None) -> "ModuleSpec | None":
        """As importlib.abc.MetaPathFinder has it."""
        return _spec(name) if name in _index else None


class Site:
    """For the end of sys.meta_path of an interpreter started without `site`: what has not been found may be
    where that would have looked (another directory of libraries, a .pth file)."""

    @staticmethod
    def find_spec(name: str, path: "Sequence[str] | None" = None, target: object = None) -> "ModuleSpec | None":
        """As importlib.abc.MetaPathFinder has it."""
        sys.meta_path.remove(Site)
        import site
        from importlib.machinery import PathFinder

        site.main()
        return PathFinder.find_spec(name, path)


_index: dict[str, tuple[int, int, bool]] = {}
_fd = -1
_start = 0
_path = ""
_root = ""


def install() -> None:
    """Import our modules from the file from now on, where there is one for this Python."""
    global _index, _fd, _start, _path, _root
    if sys.flags.no_site and "site" not in sys.modules:
        sys.meta_path.append(Site)
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


def make_room(number: int) -> None:
    """Leave the descriptor `number` to somebody else, if it is the file's."""
    global _fd
    if _fd == number:
        import fcntl

        _fd = fcntl.fcntl(_fd, fcntl.F_DUPFD_CLOEXEC, number + 1)
        os.close(number)


def forget() -> None:
    """Import nothing from the file any more: its descriptor is about to be closed, and the file that gets
    that number next would be taken for code."""
    if Finder in sys.meta_path:
        sys.meta_path.remove(Finder)
