"""Lines, comments, continuations, directives, heredocs."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.directives import is_dockerfile_frontend
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.lexer import LONGEST_LINE, Lexed, decode, lex, lines_of


def lexed(data: str | bytes) -> Lexed:
    text = decode(data)
    return lex(text, lines_of(text))


def texts(data: str | bytes) -> list[str]:
    return [statement.text for statement in lexed(data).statements]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("FROM x", ["FROM x"]),
        ("\ufeffFROM x\n", ["FROM x"]),
        (b"\xef\xbb\xbfFROM x\n", ["FROM x"]),
        ("FROM x\r\nRUN a\r\n", ["FROM x", "RUN a"]),
        ("\n\n  FROM x  \n\t# c\n\tRUN a", ["FROM x", "RUN a"]),
        ("RUN a \\\n  b\n", ["RUN a   b"]),
        ("RUN a \\ \t\n  b\n", ["RUN a   b"]),
        ("RUN a \\\r\n  b\r\n", ["RUN a   b"]),
        ("RUN a \\\n# gone\n   # gone too\nb", ["RUN a b"]),
        ("RUN a \\\n\n\nb", ["RUN a b"]),
        ("RUN a \\\\\nRUN b", ["RUN a \\\\", "RUN b"]),
        ("RUN a\\\nb", ["RUN ab"]),
        ("\\\nRUN a", ["RUN a"]),
        ("RUN a \\", ["RUN a"]),
        ("RUN a # no comment", ["RUN a # no comment"]),
        ("# escape=`\nRUN a `\nb\nRUN c\\\nRUN d", ["RUN a b", "RUN c\\", "RUN d"]),
        ("RUN a \\\n  \\\nb", ["RUN a   b"]),
        ("\\", []),
        ("# nothing\n\n", []),
        ("RUN a\x0bb\x0cc\u2028d", ["RUN a\x0bb\x0cc\u2028d"]),
    ],
)
def test_statements(data: str | bytes, expected: list[str]) -> None:
    assert texts(data) == expected


def test_places_of_instructions() -> None:
    found = lexed("# c\n\nFROM x\nRUN a \\\n  # c\n  b\n\nCOPY <<E /x\n1\nE\nUSER z\n").statements
    assert [(item.first, item.last) for item in found] == [(3, 3), (4, 6), (8, 10), (11, 11)]


def test_an_empty_line_in_a_continuation_is_noted() -> None:
    assert [item.empty_continuation for item in lexed("RUN a \\\n\n b\nRUN a \\\n # c\n b").statements] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("head", "comment"),
    [
        ("# build the builder\n# and more\n", ("build the builder", "and more")),
        ("# gone\n\n# kept\n", ("kept",)),
        ("# gone\n#\n# kept\n", ("kept",)),
        ("# syntax=docker/dockerfile:1\n# kept\n", ("kept",)),
        ("# gone\n\n", ()),
    ],
)
def test_comments_above_an_instruction_describe_it(head: str, comment: tuple[str, ...]) -> None:
    assert lexed(f"{head}FROM x").statements[0].comment == comment


def test_a_line_may_be_64_kib_long() -> None:
    assert len(texts("RUN " + "x" * (LONGEST_LINE - 5) + "\nRUN b")) == 2
    with pytest.raises(DockerfileError, match="line greater than max allowed size of 65535") as caught:
        lexed("FROM x\nRUN " + "x" * LONGEST_LINE)
    assert caught.value.first == 2
    with pytest.raises(DockerfileError, match="line greater"):
        lexed("RUN " + "ü" * (LONGEST_LINE // 2))


@pytest.mark.parametrize(
    ("head", "escape", "syntax", "check"),
    [
        ("# syntax=docker/dockerfile:1\n", "\\", "docker/dockerfile:1", ""),
        ("#Syntax = a/b:1 trailing\n", "\\", "a/b:1", ""),
        ("# escape=`\n# CHECK=skip=all;error=true\n", "`", "", "skip=all;error=true"),
        ("# comment\n# escape=`\n", "\\", "", ""),
        ("\n# escape=`\n", "\\", "", ""),
        ("# unknown=1\n# escape=`\n", "\\", "", ""),
        ("FROM x\n# escape=`\n", "\\", "", ""),
        ("#!/usr/bin/env x\n# syntax=a/b\n# escape=`\n", "\\", "a/b", ""),
        ("// syntax=a/b\n", "\\", "a/b", ""),
        ('{"syntax": "a/b"}', "\\", "a/b", ""),
        ('{"syntax": ', "\\", "", ""),
        ("# escape\n", "\\", "", ""),
        ("# check=\n# escape=`\n", "\\", "", ""),
    ],
)
def test_directives(head: str, escape: str, syntax: str, check: str) -> None:
    found = lexed(head).directives
    assert (found.escape, found.syntax, found.check) == (escape, syntax, check)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("# escape=x\n", "invalid escape token 'x' does not match ` or \\\\", 1),
        ("# syntax=a\n# escape=``\n", "invalid escape token", 2),
        ("# escape=`\n# Escape=`\n", "only one escape parser directive can be used", 2),
        ("# syntax=a\n# syntax=a\n", "only one syntax parser directive can be used", 2),
    ],
)
def test_wrong_directives(text: str, message: str, line: int) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        lexed(text)
    assert caught.value.first == line


@pytest.mark.parametrize(
    ("syntax", "ours"),
    [
        ("", True),
        ("docker/dockerfile", True),
        ("docker/dockerfile:1.7-labs", True),
        ("docker.io/docker/dockerfile:1@sha256:" + "a" * 64, True),
        ("mirror.example:5000/docker/dockerfile-upstream:master", True),
        ("tonistiigi/dockerfile:1", False),
        ("docker/dockerfiles", False),
        ("dockerfile", False),
        ("evil/docker/x", False),
    ],
)
def test_frontends(syntax: str, ours: bool) -> None:
    assert is_dockerfile_frontend(syntax) is ours


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("RUN <<EOF\na\n b\nEOF\n", [("EOF", "a\n b\n", True)]),
        ("RUN <<'EOF'\na\nEOF\n", [("EOF", "a\n", False)]),
        ('RUN <<"E"F\na\nEF\n', [("EF", "a\n", False)]),
        ("RUN <<-EOF\n\t\ta\n \tb\n\tEOF\n", [("EOF", "a\n \tb\n", True)]),
        ("RUN 3<<EOF cat\na\nEOF", [("EOF", "a\n", True)]),
        ("COPY <<a <<'b' /x\n1\na\n2\nb\n", [("a", "1\n", True), ("b", "2\n", False)]),
        ("ADD <<EOF /x\nEOF\n", [("EOF", "", True)]),
        ("copy <<EOF /x\n# no comment\n\\\nEOF\n", [("EOF", "# no comment\n\\\n", True)]),
        ("ONBUILD RUN <<EOF\na\nEOF\n", [("EOF", "a\n", True)]),
        ("RUN <<'a b'\nx\na b\n", [("a b", "x\n", False)]),
        ("RUN <<EOF\r\na\r\nEOF\r\n", [("EOF", "a\r\n", True)]),
        ("RUN cat <<EOF | sh <<EOF2\na\nEOF\nb\nEOF2", [("EOF", "a\n", True), ("EOF2", "b\n", True)]),
        ("RUN echo '<<EOF'", []),
        ("RUN echo \\<<EOF", []),
        ("RUN a<<EOF", []),
        ("RUN cat <<<EOF", []),
        ("RUN cat << EOF", []),
        ("RUN echo 'open <<EOF", []),
        ('RUN ["a", "<<EOF"]', []),
        ("CMD <<EOF", []),
        ("USER <<EOF", []),
    ],
)
def test_heredocs(text: str, documents: list[tuple[str, str, bool]]) -> None:
    (statement,) = lexed(text).statements
    assert [(item.name, item.content, item.expand) for item in statement.heredocs] == documents


def test_what_comes_behind_a_heredoc() -> None:
    assert texts("RUN <<EOF\nRUN a\nEOF\nRUN b") == ["RUN <<EOF", "RUN b"]


@pytest.mark.parametrize("text", ["RUN <<EOF\na", "RUN <<EOF", "RUN <<-EOF\n EOF", "COPY <<a <<b /\na\n"])
def test_a_heredoc_without_an_end(text: str) -> None:
    with pytest.raises(DockerfileError, match="unterminated heredoc") as caught:
        lexed(f"FROM x\n{text}")
    assert caught.value.first == 2


def test_bytes_that_are_no_utf_8_stay() -> None:
    assert texts(b"COPY \xff\xfe /x")[0].encode("utf-8", "surrogateescape") == b"COPY \xff\xfe /x"


def test_a_file_has_a_largest_size() -> None:
    with pytest.raises(DockerfileError, match="Dockerfile exceeds maximum allowed size"):
        decode(b"# x\n" * (3 << 20))
