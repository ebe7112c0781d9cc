"""Go's text/template as `--format` uses it, executed over typed objects, rows and plain data.

Fields, nested and indexed; pipes; if, range, with, break, continue; variables; define, template and block;
`{{-` and `-}}`. Functions are in template_functions.py. Errors are Go's, with line and column. Knows
nothing of containers.
"""

from __future__ import annotations

from typing import Any

from rootless.cli.output.template.template_functions import FUNCTIONS
from rootless.cli.output.template.template_lexer import WrongTemplate, column_of, line_of
from rootless.cli.output.template.template_parser import (
    Block,
    Call,
    Constant,
    Jump,
    Nodes,
    Parser,
    Pipe,
    TemplateCommand,
    TemplateName,
    Text,
)
from rootless.cli.output.template.template_values import (
    TemplateFault,
    field,
    is_true,
    known_fields,
    show,
    sorted_items,
    text_of,
)
from rootless.errors import InvalidInput

__all__ = ["Template", "WrongTemplate"]
_DEEPEST = 100
"""Templates within templates; Python's stack is smaller than Go's."""


class Template:
    """A parsed template; `execute` gives its text for one object."""

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            parsed = Parser(source)
        except RecursionError:
            raise WrongTemplate(
                "template parsing error: template: :1: max expression depth exceeded"
            ) from None
        self.nodes, self.defined = parsed.nodes, parsed.defined

    def execute(self, data: Any, *, strict: bool = False) -> str:
        """The text for `data` (typed objects, dicts, lists, strings, numbers, None); InvalidInput where it does not fit.

        `strict`: a map's missing key is an error, as Docker has it for objects whose type it does not know.
        """
        run = _Run(self, data, strict=strict)
        try:
            run.nodes(self.nodes, data)
        except RecursionError:
            raise InvalidInput("template: :1:0: exceeded maximum template depth") from None
        return "".join(run.out)


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Run:
    """One execution: the variables in scope and the text so far."""

    def __init__(self, template: Template, data: Any, *, strict: bool) -> None:
        self.template, self.strict = template, strict
        self.out: list[str] = []
        self.variables: list[tuple[str, list[Any]]] = [("$", [data])]
        self.name, self.depth = "", 0

    def nodes(self, nodes: Nodes, dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.out.append(node.text)
            elif isinstance(node, Block):
                self.block(node, dot)
            elif isinstance(node, Call):
                self.template_call(node, dot)
            elif isinstance(node, Jump):
                raise _Break if node.kind == "break" else _Continue
            else:
                value = self.pipe(node, dot)
                if not node.names:
                    self.out.append(show(value))

    def block(self, node: Block, dot: Any) -> None:
        outside = len(self.variables)
        try:
            value = self.pipe(node.pipe, dot)
            if node.kind == "range":
                self.loop(node, value, dot)
            elif is_true(value):
                self.nodes(node.body, value if node.kind == "with" else dot)
            else:
                self.nodes(node.otherwise, dot)
        finally:
            del self.variables[outside:]

    def loop(self, node: Block, value: Any, dot: Any) -> None:
        items = self.items(node.pipe, value)
        if not items:
            self.nodes(node.otherwise, dot)
        names, inside = node.pipe.names, len(self.variables)
        for key, item in items:
            for name, each in zip(names, (key, item) if len(names) == 2 else (item,), strict=False):
                self.set(name, each)
            try:
                self.nodes(node.body, item)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                del self.variables[inside:]

    def items(self, pipe: Pipe, value: Any) -> list[tuple[Any, Any]]:
        if isinstance(value, dict) and not hasattr(value, "struct"):
            return sorted_items(value)
        if isinstance(value, (list, tuple)):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool) and value <= 1 << 20:
            return [(number, number) for number in range(value)]
        if value is None:
            return []
        raise self.fault(pipe, f"range can't iterate over {text_of(value)}")

    def template_call(self, node: Call, dot: Any) -> None:
        shown = f'{{{{template "{node.name}"}}}}'
        if node.name not in self.template.defined:
            raise self.fault(node, f'template "{node.name}" not defined', text=shown)
        if self.depth >= _DEEPEST:
            raise self.fault(node, f"exceeded maximum template depth ({_DEEPEST})", text=shown)
        data = None if node.pipe is None else self.pipe(node.pipe, dot)
        outer, self.variables = self.variables, [("$", [data])]
        name, self.name = self.name, node.name
        self.depth += 1
        self.nodes(self.template.defined[node.name], data)
        self.depth -= 1
        self.variables, self.name = outer, name

    def set(self, name: str, value: Any) -> None:
        """Give the innermost variable of this name its value."""
        next(cell for known, cell in reversed(self.variables) if known == name)[0] = value

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        last: tuple[Any, ...] = ()
        for command in pipe.commands:
            last = (self.command(command, dot, last),)
        value = last[0]
        for token in pipe.fields:
            value = self.descend(pipe, token.at, value, token.text)
        for name in pipe.names:
            if not pipe.assigns:
                self.variables.append((name, [value]))
            else:
                self.set(name, value)
        return value

    def command(self, command: TemplateCommand, dot: Any, last: tuple[Any, ...]) -> Any:
        first, rest = command.operands[0], command.operands[1:]
        if isinstance(first, TemplateName) and first.name in FUNCTIONS:
            if first.name in ("and", "or"):  # these stop at the first operand that decides
                return self.decide(first.name, rest, dot, last)
            arguments = [*(self.operand(operand, dot) for operand in rest), *last]
            return self.call(command, first.name, FUNCTIONS[first.name], arguments)
        value = self.operand(first, dot)
        arguments = [*(self.operand(operand, dot) for operand in rest), *last]
        if callable(value):
            return self.call(command, _text(self, first), value, arguments)
        if arguments:
            what = f"can't give argument to non-function {_text(self, first)}"
            if isinstance(first, TemplateName) and first.fields:
                what = f"{first.fields[-1].text} has arguments but cannot be invoked as function"
            raise self.fault(first, what)
        return value

    def decide(self, name: str, operands: tuple[Any, ...], dot: Any, last: tuple[Any, ...]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return last[0] if last else value

    def call(self, node: Any, name: str, function: Any, arguments: list[Any]) -> Any:
        try:
            return function(*arguments)
        except TemplateFault as error:
            raise self.fault(node, f"error calling {name}: {error}") from None
        except TypeError as error:
            if "argument" in str(error):
                raise self.fault(node, f"wrong number of args for {name}: got {len(arguments)}") from None
            raise self.fault(node, f"error calling {name}: wrong type of argument") from None
        except (ValueError, KeyError, IndexError, OverflowError, MemoryError) as error:
            raise self.fault(node, f"error calling {name}: {error}") from None

    def operand(self, operand: Any, dot: Any) -> Any:
        if isinstance(operand, Constant):
            return operand.value
        if isinstance(operand, Pipe):
            return self.pipe(operand, dot)
        if operand.name in FUNCTIONS:
            if operand.name in ("and", "or"):
                raise self.fault(operand, f"wrong number of args for {operand.name}: want at least 1 got 0")
            return self.call(operand, operand.name, FUNCTIONS[operand.name], [])
        value = dot
        if operand.name != ".":
            value = next(cell for known, cell in reversed(self.variables) if known == operand.name)[0]
        # Go says where the second field stands, however many follow.
        place = operand.fields[:2][-1].at if operand.name == "." and operand.fields else operand.at
        if operand.name != "." and operand.fields:
            place = operand.fields[0].at
        for token in operand.fields:
            value = self.descend(operand, place, value, token.text)
        return value

    def descend(self, node: Any, at: int, value: Any, name: str) -> Any:
        try:
            return field(value, name, strict=self.strict)
        except TemplateFault as error:
            known = known_fields(value)
            raise self.fault(node._replace(at=at), str(error), known, text=_text(self, node)) from None

    def fault(self, node: Any, reason: str, known: str = "", *, text: str = "") -> InvalidInput:
        source = self.template.source
        where = f"{line_of(source, node.at)}:{column_of(source, node.at)}"
        message = f'template: :{where}: executing "{self.name}" at <{text or _text(self, node)}>: {reason}'
        return InvalidInput(message, hint=f"the fields are {known}" if known else None)


def _text(run: _Run, node: Any) -> str:
    """A node as it was written, on one line."""
    return " ".join(run.template.source[node.at : node.end].split())
