"""docs/messages.md from the source: `python -m rootless.cli.help.error_texts docs/messages.md [--check]`.

Every error of ours that has a remedy, and every finding of `doctor`, read from the syntax trees, so that the page
cannot fall behind: a test runs --check, which writes nothing and answers 1 where the page is another.
What a message has of the moment stands in capitals, NAME for {name}; where that has no name, as an ellipsis.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rootless.cli.grammar import refused

PACKAGE = Path(__file__).parents[2]
ELSEWHERE = "…"
DIAGNOSES = {"Finding": 0, "warning": 1, "error": 1, "not_available": 1}
"""Calls that make a finding: which argument says what; effect, the user's part and the administrator's follow."""
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("This machine", ("engine/doctor", "session", "network/uplink", "network/privileged_ports.py", "cgroup", "linux")),
    ("Containers and volumes", ("engine", "runtime", "storage")),
    ("Networks", ("engine/networks", "engine/options/network", "network", "cli/flags/network.py")),
    ("Images and registries", ("image", "engine/images", "engine/emulation")),
    ("Builds", ("build", "cli/commands/image/build.py", "cli/flags/build_request.py")),
    ("Compose", ("compose", "cli/commands/compose")),
    ("The API's service", ("api",)),
    ("rootless-oci", ("oci",)),
    ("The command line", ("",)),
)
_HEAD = """\
# Every message that has a remedy

Each line is a message of `rootless` and what to do about it; search for a part of what you saw. Words in capitals stand for
what the message names, … for what only the moment knows. [troubleshooting.md](troubleshooting.md) goes by symptom.

Written from the source by `python -m rootless.cli.help.error_texts docs/messages.md`.
"""


Texts = dict[str, list[ast.AST]]
"""What a name may stand for: every expression that is assigned to it, or the function of that name."""


def page() -> str:
    """The whole page."""
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {path: ast.parse(source) for path, source in sources.items()}
    own = {path: assigned(tree.body) for path, tree in trees.items()}
    found: dict[str, set[str]] = {title: set() for title, _ in SECTIONS}
    for path, tree in trees.items():
        if not re.search(r"\bhint=|\b(Finding|warning|error|not_available)\(", sources[path]):
            continue
        there = texts(tree, {**_imported(tree, own), **own[path]})
        found[_section(path)] |= {f"- `{_code(message)}`: {remedy}" for message, remedy in there}
    lines = [_HEAD]
    for title, _ in SECTIONS:
        lines += [f"## {title}", "", *sorted(found[title], key=lambda line: (line.lower(), line)), ""]
    lines += ["## Words of Docker's that are refused", "", *_refused()]
    return "\n".join(lines) + "\n"


def texts(tree: ast.Module, known: Texts) -> list[tuple[str, str]]:
    """(message, remedy) of the errors and findings that a module makes; `known` is what its names stand for."""
    found = []
    outer = [*tree.body, *(node for parent in tree.body if isinstance(parent, ast.ClassDef) for node in parent.body)]
    for function in (node for node in outer if isinstance(node, ast.FunctionDef)):
        nodes = list(ast.walk(function))
        reader = _Reader({**known, **assigned(nodes[1:])})
        found += [one for node in nodes if isinstance(node, ast.Call) and (one := _text_of(node, reader))]
    return found


def assigned(nodes: Sequence[ast.AST]) -> Texts:
    """Names that are given a value, and functions."""
    found: Texts = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = [node]
    return found


def _values(nodes: Sequence[ast.AST]) -> list[ast.expr]:
    """The expressions themselves, and what functions return that have one or two answers."""
    found: list[ast.expr] = []
    for node in nodes:
        returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)] if isinstance(node, ast.FunctionDef) else [node]
        found += [one for one in returned if isinstance(one, ast.expr)] if len(returned) < 3 else []
    return found


def _imported(tree: ast.Module, own: dict[str, Texts]) -> Texts:
    """The names that a module has from others of ours, also `module.NAME` of a module that it imports."""
    found: Texts = {}
    within = [part for node in tree.body if isinstance(node, ast.FunctionDef) for part in node.body]
    for node in (*tree.body, *within):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rootless"):
            base = "/".join((node.module or "").split(".")[1:])
            for alias in node.names:
                name = alias.asname or alias.name
                if alias.name in (there := own.get(f"{base}.py", {})):
                    found[name] = there[alias.name]
                for attribute, values in own.get(f"{base}/{alias.name}.py".lstrip("/"), {}).items():
                    found[f"{name}.{attribute}"] = values
    return found


def _text_of(call: ast.Call, reader: _Reader) -> tuple[str, str] | None:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    function = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if "hint" in named and call.args:
        message, remedy = reader.text(call.args[0]), reader.text(named["hint"])
    elif function in DIAGNOSES and len(call.args) > DIAGNOSES[function] + 2:
        first = DIAGNOSES[function]
        message = reader.text(call.args[first])
        parts = [reader.text(argument) for argument in call.args[first + 2 : first + 4]]
        remedy = "; ".join(part if number == 0 else f"an administrator: {part}" for number, part in enumerate(parts) if part)
    else:
        return None
    if not re.search(r"[a-z]{3}", message):
        return None  # passed on from elsewhere, where it is read
    return message, _words(remedy) if re.search(r"[a-z]{3}", remedy) else "it is shown with the message"


class _Reader:
    """Expressions of text as a reader of the page sees them. `known` is what names stand for."""

    def __init__(self, known: Texts) -> None:
        self.known = known
        self._open: list[str] = []

    def text(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self._placeholder(part.value) if isinstance(part, ast.FormattedValue) else self.text(part)
                           for part in node.values)  # fmt: skip
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left) + self.text(node.right)
        if isinstance(node, ast.IfExp):
            return " / ".join(part for part in (self.text(node.body), self.text(node.orelse)) if part)
        return self._named(node) or ELSEWHERE

    def _named(self, node: ast.expr) -> str:
        """What stands behind a name or a call of ours; "" where that is no text."""
        named = node.func if isinstance(node, ast.Call) else node
        if not isinstance(named, ast.Name | ast.Attribute):
            return ""
        name = ast.unparse(named)
        if name in self._open or name not in self.known:
            return ""
        self._open.append(name)
        found = [self.text(value) for value in _values(self.known[name])]
        self._open.pop()
        return " / ".join(dict.fromkeys(text for text in found if re.search(r"[a-z]{3}", text)))

    def _placeholder(self, node: ast.expr) -> str:
        if isinstance(node, ast.IfExp | ast.Constant | ast.JoinedStr):
            return self.text(node)
        known = self._named(node)
        if known and " / " not in known and ELSEWHERE not in known:
            return known
        word = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        return word.strip("_").replace("_", "-").upper() or ELSEWHERE


def _section(path: str) -> str:
    """The title whose longest prefix the module has."""
    fitting = [(len(prefix), title) for title, prefixes in SECTIONS for prefix in prefixes if path.startswith(prefix)]
    return max(fitting)[1]


def _words(text: str) -> str:
    """One line that no renderer takes for markup."""
    return " ".join(text.split()).replace("<", "\\<").replace("|", "\\|")


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def _refused() -> list[str]:
    """The tables of words that we know and do not have."""
    lines = [f"- `{word} is not supported: {_code(why)}`: {_words(instead)}" for word, (why, instead) in refused.COMMANDS.items()]
    for command, flags in refused.FLAGS.items():
        name = f"rootless {command}".strip()
        lines += [f"- `{flag} is not supported: {_code(why)}` ({name}): {_words(instead)}" for flag, (why, instead) in flags.items()]
    for option, (why, instead) in (*refused.SECURITY_OPTIONS.items(), *refused.VALUES.items()):
        lines.append(f"- `{option} … is not supported: {_code(why)}`: {_words(instead)}")
    return lines


def main(arguments: list[str]) -> int:
    """Write the page to the file named, or compare it with what is there."""
    place = Path(next(word for word in arguments if not word.startswith("-")))
    wanted = page()
    if place.exists() and place.read_text("utf-8") == wanted:
        return 0
    if "--check" in arguments:
        print(f"{place} is not what the source says: python -m rootless.cli.help.error_texts docs/messages.md", file=sys.stderr)
        return 1
    place.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
