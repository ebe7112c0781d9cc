"""The part of Go's text/template that `--format` is used for: a template's text parsed into nodes."""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.cli.output.template.template_functions import FUNCTIONS
from rootless.cli.output.template.template_lexer import Token, WrongTemplate, lex, wrong


class Text(NamedTuple):
    text: str


class TemplateName(NamedTuple):
    """A variable (`$x`), a function, or "." followed by fields, each with its place."""

    at: int
    end: int
    name: str
    fields: tuple[Token, ...]


class Constant(NamedTuple):
    at: int
    end: int
    value: Any


class TemplateCommand(NamedTuple):
    """Operands, the first of them maybe a function."""

    at: int
    end: int
    operands: tuple[Any, ...]


class Pipe(NamedTuple):
    """`$names := command | command`; `assigns` where it was written with `=`."""

    at: int
    end: int
    names: tuple[str, ...]
    assigns: bool
    commands: tuple[TemplateCommand, ...]
    fields: tuple[Token, ...] = ()


class Block(NamedTuple):
    """if, range or with: a pipe, what follows where it is true, and else."""

    kind: str
    pipe: Pipe
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


class Call(NamedTuple):
    """`{{template "name" pipe}}`."""

    at: int
    name: str
    pipe: Pipe | None


class Jump(NamedTuple):
    """`{{break}}` or `{{continue}}`."""

    kind: str


Nodes = tuple[Any, ...]
_CONTROL = ("if", "range", "with")


class Parser:
    """One parse: `nodes` of the template itself, and `defined` ones by name."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.defined: dict[str, Nodes] = {}
        self._tokens = lex(source)
        self._at = 0
        self._variables = ["$"]
        self._loops = 0
        self.nodes, end = self._nodes(top=True)
        if end is not None:
            raise self._wrong(end, f"unexpected {{{{{end.text}}}}}")

    def _nodes(self, *, top: bool = False) -> tuple[Nodes, Token | None]:
        """Nodes up to the end, or to an `else` or `end`, which is returned and consumed."""
        nodes: list[Any] = []
        while self._at < len(self._tokens):
            token = self._next()
            if token.kind == "text":
                nodes.append(Text(token.text))
                continue
            word = self._peek()
            if word is None:
                raise self._wrong(token, "unclosed action")
            if word.kind == "word" and word.text in ("else", "end"):
                return tuple(nodes), self._next()
            if word.kind == "word" and word.text == "define":
                if not top:
                    raise self._wrong(word, "unexpected <define> in command")
                self._define(self._next())
            else:
                nodes.append(self._action(word))
        return tuple(nodes), None

    def _action(self, word: Token) -> Any:
        if word.kind == "word":
            if word.text in _CONTROL:
                return self._block(self._next())
            if word.text in ("template", "block"):
                return self._call(self._next())
            if word.text in ("break", "continue"):
                self._next()
                self._expect("close", f"{{{{{word.text}}}}}")
                if not self._loops:
                    raise self._wrong(word, f"{{{{{word.text}}}}} outside {{{{range}}}}")
                return Jump(word.text)
        return self._pipe("close")

    def _block(self, word: Token) -> Block:
        outside = len(self._variables)
        pipe = self._pipe("close")
        self._loops += word.text == "range"
        body, end = self._nodes()
        self._loops -= word.text == "range"
        otherwise: Nodes = ()
        if end is not None and end.text == "else":
            following = self._peek()
            if following is not None and following.text == word.text and word.text in ("if", "with"):
                block = Block(word.text, pipe, body, (self._block(self._next()),))
                del self._variables[outside:]
                return block
            self._expect("close", "else")
            otherwise, end = self._nodes()
        self._ended(word, end)
        del self._variables[outside:]
        return Block(word.text, pipe, body, otherwise)

    def _ended(self, word: Token, end: Token | None) -> None:
        if end is None:
            raise wrong(self.source, len(self.source), "unexpected EOF")
        if end.text != "end":
            raise self._wrong(end, f"expected end; found {{{{{end.text}}}}}")
        self._expect("close", "end")

    def _define(self, word: Token) -> None:
        name = self._named(word, "define clause")
        self._expect("close", "define clause")
        self._define_as(name, word)

    def _define_as(self, name: str, word: Token) -> None:
        outer, self._variables, loops, self._loops = self._variables, ["$"], self._loops, 0
        body, end = self._nodes()
        self._ended(word, end)
        self._variables, self._loops = outer, loops
        if body or name not in self.defined:  # an empty definition does not replace one that says something
            self.defined[name] = body

    def _call(self, word: Token) -> Call:
        at = self._tokens[min(self._at, len(self._tokens) - 1)].at
        name = self._named(word, f"{word.text} clause")
        token = self._peek()
        if token is not None and token.kind == "close" and word.text == "template":
            self._next()
            return Call(at, name, None)
        pipe = self._pipe("close")
        if word.text == "block":
            self._define_as(name, word)
        return Call(at, name, pipe)

    def _named(self, word: Token, context: str) -> str:
        token = self._next()
        if token.kind != "constant" or not isinstance(token.value, str):
            raise self._wrong(word, f"unexpected {_shown(token)} in {context}")
        return token.value

    def _pipe(self, closing: str) -> Pipe:
        start = self._peek()
        if start is None:
            raise wrong(self.source, len(self.source), "unclosed action")
        names, assigns = self._declared()
        commands: list[TemplateCommand] = []
        operands: list[Any] = []
        while True:
            token = self._next()
            if token.kind in (closing, "|"):
                if not operands:
                    raise self._wrong(
                        token, "missing value for command" if not commands else "missing value for pipeline"
                    )
                commands.append(TemplateCommand(operands[0].at, operands[-1].end, tuple(operands)))
                operands = []
                if token.kind == closing:
                    if not assigns:
                        self._variables += names
                    end = token.at + (1 if closing == ")" else 0)
                    return Pipe(start.at, end, names, assigns, tuple(commands))
            else:
                operands.append(self._operand(token, first=not operands))

    def _declared(self) -> tuple[tuple[str, ...], bool]:
        """The names before `:=` or `=`, consumed, and whether it was `=`."""
        at, names = self._at, []
        while at < len(self._tokens) and self._tokens[at].kind == "variable":
            names.append(self._tokens[at])
            at += 1
            if at < len(self._tokens) and self._tokens[at].kind == ",":
                at += 1
        if not names or at >= len(self._tokens) or self._tokens[at].kind not in (":=", "="):
            return (), False
        assigns = self._tokens[at].kind == "="
        for name in names if assigns else ():
            self._known(name)
        self._at = at + 1
        return tuple(name.text for name in names), assigns

    def _known(self, token: Token) -> None:
        if token.text not in self._variables:
            raise self._wrong(token, f'undefined variable "{token.text}"')

    def _operand(self, token: Token, *, first: bool) -> Any:
        end = token.at + len(token.text)
        if token.kind == "constant":
            if token.text == "nil" and first:
                raise self._wrong(token, "nil is not a command")
            return Constant(token.at, end, token.value)
        if token.kind == "(":
            inner = self._pipe(")")
            fields = self._fields()
            return inner._replace(at=token.at, end=_end(fields, inner.end), fields=fields)
        if token.kind == "field":
            fields = (token._replace(text=token.text), *self._fields())
            return TemplateName(token.at, _end(fields, end), ".", fields)
        if token.kind in ("dot", "variable"):
            if token.kind == "variable":
                self._known(token)
            fields = self._fields()
            return TemplateName(token.at, _end(fields, end), token.text, fields)
        if token.kind == "word":
            if token.text not in FUNCTIONS:
                raise self._wrong(token, f'function "{token.text}" not defined')
            return TemplateName(token.at, end, token.text, ())
        raise self._wrong(token, f"unexpected {_shown(token)} in command")

    def _fields(self) -> tuple[Token, ...]:
        """Fields written against what came before: `.State` in `$x.State`."""
        names = []
        while (token := self._peek()) is not None and token.kind == "field" and token.joined:
            names.append(self._next())
        return tuple(names)

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise wrong(self.source, len(self.source), "unexpected EOF")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, kind: str, context: str) -> None:
        token = self._next()
        if token.kind != kind:
            raise self._wrong(token, f"unexpected {_shown(token)} in {context}")

    def _wrong(self, token: Token, reason: str) -> WrongTemplate:
        return wrong(self.source, token.at, reason)


def _end(fields: tuple[Token, ...], otherwise: int) -> int:
    return fields[-1].at + len(fields[-1].text) + 1 if fields else otherwise


def _shown(token: Token) -> str:
    if token.kind in ("word", "close", "dot"):
        return f"<{token.text}>" if token.kind != "close" else '"}}"'
    return f'"{"." * (token.kind == "field")}{token.text}"'
