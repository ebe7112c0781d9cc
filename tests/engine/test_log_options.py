"""--log-opt as generators write it: taken, checked, or refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.engine.state.logs import options
from rootless.errors import InvalidInput, NotSupported, RootlessError


def parse(words: str, driver: str = "json-file") -> Any:
    return options.parse(driver, dict(word.split("=", 1) for word in words.split()))


def test_what_the_monitor_is_told() -> None:
    assert parse("max-size=10m max-file=3") == {
        "driver": "json-file", "max_size": 10 << 20, "max_files": 3, "options": {"max-size": "10m", "max-file": "3"}, "buffer": 0,
    }  # fmt: skip
    assert parse("max-size=-1")["max_size"] == 0
    assert parse("", "local")["driver"] == "json-file"
    assert parse("anything=goes", "none")["driver"] == "none"


@pytest.mark.parametrize(
    "words",
    ["mode=blocking", "mode=non-blocking max-buffer-size=4m", "compress=false", "tag={{.Name}}/x",
     "labels=a,b labels-regex=^x env=HOME env-regex=^LC_"],
)  # fmt: skip
def test_taken(words: str) -> None:
    assert parse(words)["max_size"] == 0


def test_compress_is_refused_since_nothing_would_be_compressed() -> None:
    with pytest.raises(NotSupported):
        parse("compress=true max-size=1m")


@pytest.mark.parametrize(
    ("words", "size"),
    [("", 0), ("mode=blocking", 0), ("mode=non-blocking", 1 << 20), ("mode=non-blocking max-buffer-size=4k", 4096)],
)
def test_the_buffer(words: str, size: int) -> None:
    assert parse(words)["buffer"] == size
    assert parse(words, "journald")["buffer"] == size


@pytest.mark.parametrize(
    ("words", "driver", "message"),
    [
        ("mode=fast", "json-file", "logger: logging mode not supported: fast"),
        ("max-buffer-size=1m", "json-file", "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
        ("mode=non-blocking max-buffer-size=x", "json-file", "invalid max-buffer-size: 'x'"),
        ("mode=non-blocking max-buffer-size=0", "json-file", "invalid max-buffer-size: '0'"),
        ("mode=non-blocking max-buffer-size=2g", "json-file", "invalid max-buffer-size: '2g'"),
        ("max-size=1m", "journald", "unknown log opt 'max-size' for journald log driver"),
        ("compress=maybe", "json-file", "invalid value for compress: 'maybe'"),
        ("labels-regex=[", "json-file", "invalid value for labels-regex: '['"),
        ("tag={{.Nope}}", "json-file", "invalid log tag: {{.Nope}}"),
        ("tag={{if}}", "json-file", "invalid log tag: {{if}}"),
        ("tag=x", "local", "unknown log opt 'tag' for local log driver"),
        ("foo=x", "json-file", "unknown log opt 'foo' for json-file log driver"),
        ("max-file=3", "json-file", "cannot specify max-file without max-size"),
        ("max-file=0 max-size=1m", "json-file", "invalid value for max-file: '0'"),
        ("max-file=99999999999999999999 max-size=1m", "json-file", "invalid value for max-file"),
        ("", "nosuch", "logger: no log driver named 'nosuch' is registered"),
    ],
)  # fmt: skip
def test_refused(words: str, driver: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(words, driver)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "driver", ["syslog", "fluentd", "gelf", "awslogs", "gcplogs", "splunk", "etwlogs"]
)
def test_a_service_of_somebody_else(driver: str) -> None:
    with pytest.raises(NotSupported) as caught:
        parse("", driver)
    assert "rootless logs -f NAME | " in str(caught.value.hint)


def test_attributes() -> None:
    record: Any = {
        "id": "ab" * 32, "name": "web", "image": "bb:1", "image_id": "sha256:" + "cd" * 32, "cmd": ["b"],
        "entrypoint": ["a"], "labels": {"one": "1", "x.two": "2", "three": "3"}, "env": ["HOME=/", "LC_ALL=C", "A=b=c"],
        "log": parse("labels=one,none labels-regex=^x env=A env-regex=^LC_ tag={{.Name}}/{{.ID}}/{{.Command}}"),
    }  # fmt: skip
    assert options.attributes(record) == {
        "one": "1", "x.two": "2", "LC_ALL": "C", "A": "b=c", "tag": "web/abababababab/a b",
    }  # fmt: skip
    assert options.details(record) == "A=b%3Dc,LC_ALL=C,one=1,tag=web%2Fabababababab%2Fa+b,x.two=2"
    record["log"] = {"driver": "json-file", "max_size": 0, "max_files": 1}
    assert options.details(record) == ""


@pytest.mark.parametrize("text", ["{{", "}}", "{{.}}", "{{.Name", "{{ .Name }}", "\0", "{{{{.ID}}}}"])
def test_any_tag_is_text_or_refused(text: str) -> None:
    try:
        options.tag(text, {})
    except RootlessError:
        pass
