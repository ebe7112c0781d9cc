"""The part of Go's text/template that `--format` is used for: parsed into nodes, then executed.

Fields, nested and indexed; pipes; `if`, `range`, `with`, variables; `{{-` and `-}}`. Functions are in
template_functions.py. Errors name line and column. Knows nothing of containers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.cli.template_functions import FUNCTIONS, TemplateFault, field, is_true, show, sorted_items
from rootless.cli.template_lexer import Token, lex
from rootless.errors import InvalidInput


class Text(NamedTuple):
    text: str


class Name(NamedTuple):
    """A variable (`$x`), a function, or "." followed by fields."""

    token: Token
    name: str
    fields: tuple[str, ...]


class Constant(NamedTuple):
    token: Token
    value: Any


class Pipe(NamedTuple):
    """`$declared := command | command`; a command is operands, the first of them maybe a function."""

    token: Token
    declares: tuple[str, ...]
    commands: tuple[tuple[Any, ...], ...]
    fields: tuple[str, ...] = ()


class Block(NamedTuple):
    """if, range or with: a pipe, what follows where it is true, and else."""

    kind: str
    pipe: Pipe
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


class Template:
    """A parsed template; `execute` gives its text for one object."""

    def __init__(self, source: str) -> None:
        self._tokens = lex(source)
        self._at = 0
        self.nodes, end = self._nodes()
        if end is not None:
            raise _fault(end, f"unexpected {{{{{end.text}}}}}")

    def execute(self, data: Any) -> str:
        """The text for `data` (dicts, lists, strings, numbers, None); InvalidInput where it does not fit."""
        out: list[str] = []
        _Run(data, out).nodes(self.nodes, data)
        return "".join(out)

    # Parsing: tokens into nodes.

    def _nodes(self) -> tuple[tuple[Any, ...], Token | None]:
        """Nodes up to the end, or to an `else` or `end`, which is returned and consumed."""
        nodes: list[Any] = []
        while self._at < len(self._tokens):
            token = self._next()
            if token.kind == "text":
                nodes.append(Text(token.text))
                continue
            word = self._peek()
            if word is None:
                raise _fault(token, "unclosed action")
            if word.kind == "word" and word.text in ("else", "end"):
                return tuple(nodes), self._next()
            if word.kind == "word" and word.text in ("if", "range", "with"):
                nodes.append(self._block(self._next()))
                continue
            if word.kind == "word" and word.text in ("define", "template", "block", "break", "continue"):
                raise _fault(word, f"{{{{{word.text}}}}} is not supported")
            if word.kind == "close":
                raise _fault(word, "missing value for command")
            nodes.append(self._pipe("close"))
        return tuple(nodes), None

    def _block(self, word: Token) -> Block:
        pipe = self._pipe("close")
        body, end = self._nodes()
        otherwise: tuple[Any, ...] = ()
        if end is not None and end.text == "else":
            following = self._peek()
            if following is not None and following.text == "if":
                return Block(word.text, pipe, body, (self._block(self._next()),))
            self._expect("close")
            otherwise, end = self._nodes()
        if end is None or end.text != "end":
            raise _fault(word, f"{{{{{word.text}}}}} without {{{{end}}}}")
        self._expect("close")
        return Block(word.text, pipe, body, otherwise)

    def _pipe(self, closing: str) -> Pipe:
        start = self._peek()
        assert start is not None
        declares = self._declared()
        commands: list[tuple[Any, ...]] = []
        operands: list[Any] = []
        while True:
            token = self._next()
            if token.kind in (closing, "|"):
                if not operands:
                    raise _fault(token, "missing value for command")
                commands.append(tuple(operands))
                operands = []
                if token.kind == closing:
                    return Pipe(start, declares, tuple(commands))
            else:
                operands.append(self._operand(token))

    def _declared(self) -> tuple[str, ...]:
        """The names before `:=`, consumed."""
        at, names = self._at, []
        while at < len(self._tokens) and self._tokens[at].kind == "variable":
            names.append(self._tokens[at].text)
            at += 1
            if at < len(self._tokens) and self._tokens[at].kind == ",":
                at += 1
        if names and at < len(self._tokens) and self._tokens[at].kind == ":=":
            self._at = at + 1
            return tuple(names)
        return ()

    def _operand(self, token: Token) -> Any:
        if token.kind == "constant":
            return Constant(token, token.value)
        if token.kind == "(":
            return self._pipe(")")._replace(fields=self._fields())
        if token.kind == "field":
            return Name(token, ".", (token.text, *self._fields()))
        if token.kind in ("dot", "variable"):
            return Name(token, token.text, self._fields())
        if token.kind == "word":
            if token.text not in FUNCTIONS:
                raise _fault(token, f'function "{token.text}" not defined')
            return Name(token, token.text, ())
        raise _fault(token, f'unexpected "{token.text}"')

    def _fields(self) -> tuple[str, ...]:
        """Fields written against what came before: `.State` in `$x.State`."""
        names = []
        while (token := self._peek()) is not None and token.kind == "field" and token.joined:
            names.append(self._next().text)
        return tuple(names)

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise InvalidInput("template parsing error: unexpected end of the template")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, kind: str) -> None:
        token = self._next()
        if token.kind != kind:
            raise _fault(token, f'unexpected "{token.text}"')


class _Run:
    """One execution: the variables in scope and the text so far."""

    def __init__(self, data: Any, out: list[str]) -> None:
        self.variables: dict[str, Any] = {"$": data}
        self.out = out

    def nodes(self, nodes: tuple[Any, ...], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.out.append(node.text)
            elif isinstance(node, Block):
                self.block(node, dot)
            else:
                value = self.pipe(node, dot)
                if not node.declares:
                    self.out.append(show(value))

    def block(self, node: Block, dot: Any) -> None:
        outer = dict(self.variables)
        value = self.pipe(node.pipe, dot)
        if node.kind == "range":
            self.loop(node, value, dot)
        elif is_true(value):
            self.nodes(node.body, value if node.kind == "with" else dot)
        else:
            self.nodes(node.otherwise, dot)
        self.variables = {name: self.variables[name] for name in outer}

    def loop(self, node: Block, value: Any, dot: Any) -> None:
        if isinstance(value, dict):
            items = sorted_items(value)
        elif isinstance(value, (list, tuple)):
            items = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            items = [(number, number) for number in range(value)]
        elif value is None:
            items = []
        else:
            raise _fault(node.pipe.token, f"range can't iterate over {show(value)}", executing=True)
        names = node.pipe.declares
        for key, item in items:
            if len(names) == 2:
                self.variables[names[0]], self.variables[names[1]] = key, item
            elif names:
                self.variables[names[0]] = item
            self.nodes(node.body, item)
        if not items:
            self.nodes(node.otherwise, dot)

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        last: tuple[Any, ...] = ()
        for command in pipe.commands:
            last = (self.command(command, dot, last),)
        value = self.descend(pipe.token, last[0], pipe.fields)
        for name in pipe.declares:
            self.variables[name] = value
        return value

    def command(self, operands: tuple[Any, ...], dot: Any, last: tuple[Any, ...]) -> Any:
        first, rest = operands[0], operands[1:]
        if isinstance(first, Name) and first.name in FUNCTIONS:
            if first.name in ("and", "or"):  # these stop at the first operand that decides
                return self.decide(first.name, [*rest], dot, last)
            arguments = [*(self.operand(operand, dot) for operand in rest), *last]
            return self.call(first.token, FUNCTIONS[first.name], arguments)
        value = self.operand(first, dot)
        arguments = [*(self.operand(operand, dot) for operand in rest), *last]
        if callable(value):
            return self.call(first.token, value, arguments)
        if arguments:
            raise _fault(first.token, "can't give argument to non-function", executing=True)
        return value

    def decide(self, name: str, operands: list[Any], dot: Any, last: tuple[Any, ...]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return last[0] if last else value

    def call(self, token: Token, function: Any, arguments: list[Any]) -> Any:
        try:
            return function(*arguments)
        except TemplateFault as error:
            raise _fault(token, str(error), executing=True) from None
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            raise _fault(token, f"error calling {token.text}: {error}", executing=True) from None

    def operand(self, operand: Any, dot: Any) -> Any:
        if isinstance(operand, Constant):
            return operand.value
        if isinstance(operand, Pipe):
            return self.pipe(operand, dot)
        if operand.name in FUNCTIONS:
            return self.call(operand.token, FUNCTIONS[operand.name], [])
        if operand.name == ".":
            return self.descend(operand.token, dot, operand.fields)
        if operand.name not in self.variables:
            raise _fault(operand.token, f'undefined variable "{operand.name}"')
        return self.descend(operand.token, self.variables[operand.name], operand.fields)

    def descend(self, token: Token, value: Any, names: tuple[str, ...]) -> Any:
        for name in names:
            try:
                value = field(value, name)
            except TemplateFault as error:
                raise _fault(token, str(error), executing=True) from None
        return value


def _fault(token: Token, reason: str, *, executing: bool = False) -> InvalidInput:
    what = "executing template" if executing else "template parsing error"
    return InvalidInput(f"{what}: {token.line}:{token.column}: {reason}")
