"""For the package's build: all modules' bytecode as one file, which rootless/bytecode.py reads."""

from __future__ import annotations
import __future__

import ast
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING

from rootless.bytecode import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType


def write(directory: str) -> str:
    """The file for this Python of the package in `directory`; its path."""
    sources: dict[str, tuple[str, bool]] = {}
    for parent, below, names in os.walk(directory):
        below.sort()
        for name in sorted(name for name in names if name.endswith(".py")):
            relative = os.path.relpath(os.path.join(parent, name), os.path.dirname(directory))
            module = relative.removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
            sources[module] = (relative, name == "__init__.py")

    index: dict[str, tuple[int, int, bool]] = {}
    code, offset = [], 0
    for module, (relative, is_package) in sources.items():
        with open(os.path.join(os.path.dirname(directory), relative), "rb") as source:
            tree = ast.parse(source.read())
        # A relative name: a traceback's source lines are found along sys.path.
        needed, compiled = needs(tree, module, sources), _compiled(tree, relative)
        empty = all(isinstance(statement, ast.Pass) for statement in tree.body)
        piece = b"" if empty else marshal.dumps((needed, compiled))
        index[module] = (offset, len(piece), is_package)
        code.append(piece)
        offset += len(piece)
    packed = marshal.dumps(index)
    path = os.path.join(directory, file_name(str(sys.implementation.cache_tag)))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"".join((MAGIC_NUMBER, len(packed).to_bytes(4, "little"), packed, *code)))
    return path


def needs(tree: ast.Module, module: str, known: Iterable[str]) -> tuple[str, ...]:
    """The modules among `known` that `module` imports when it runs, each after its packages, in that order.
    Not what is inside of it: of a package, which is there before its modules."""
    found: dict[str, None] = {}
    for name in _imported(tree.body):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            found[".".join(parts[:length])] = None
    within = f"{module}."
    return tuple(
        name for name in found if name in known and not name.startswith(within) and not within.startswith(f"{name}.")
    )


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            # What is no module there is one of the module's own names.
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.If):
            unchecked = isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING"
            yield from _imported(statement.orelse if unchecked else [])
        elif isinstance(statement, ast.Try):
            yield from _imported(statement.body)


def _compiled(tree: ast.Module, name: str) -> CodeType:
    """Without docstrings, and with `annotations` as a compiler flag instead of an import: half a millisecond of a start."""
    flags = 0
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0] = ast.copy_location(ast.Pass(), body[0])
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            tree.body.remove(statement)
            flags = __future__.annotations.compiler_flag
            break
    code: CodeType = compile(tree, name, "exec", flags=flags, dont_inherit=True)
    return code
