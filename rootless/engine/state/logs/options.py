"""--log-driver and --log-opt in Docker's words. Pure. Imported where either is written.

Logs are files that the container's monitor writes, or entries that it sends to systemd's journal.
"""

from __future__ import annotations

import re

from rootless.engine.options.values import parse_bytes
from rootless.engine.state.config import ContainerConfig, LogConfig
from rootless.errors import InvalidInput, NotSupported

_FILES = ("json-file", "local", "k8s-file")
_ELSEWHERE = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk", "syslog")
_ATTRIBUTES = ("labels", "labels-regex", "env", "env-regex", "tag")
_OF_FILES = ("max-size", "max-file", "compress")
_COMMON = ("mode", "max-buffer-size")
_BUFFER = "1m"
_LARGEST_BUFFER_BYTES = 1 << 30


def parse(driver: str, options: dict[str, str]) -> LogConfig:
    """The log that the words ask for; InvalidInput, or NotSupported for a driver that is a service of the host."""
    if driver == "none":
        return {"driver": "none", "max_size": 0, "max_files": 1, "options": options}
    if driver in _ELSEWHERE:
        raise NotSupported(
            f"--log-driver {driver} is not supported: logs are files or in the journal, no other service",
            hint="leave it out, and pass the log on: rootless logs -f NAME | logger -t NAME",
        )
    if driver not in (*_FILES, "journald"):
        raise InvalidInput(
            f"logger: no log driver named '{driver}' is registered", hint="json-file, local, journald or none"
        )
    known = (
        *(_OF_FILES if driver != "journald" else ()), *_COMMON, *(_ATTRIBUTES if driver != "local" else ()),
    )  # fmt: skip
    for key in options:
        if key not in known:
            raise InvalidInput(
                f"unknown log opt '{key}' for {driver} log driver", hint="one of " + ", ".join(known)
            )
    buffer = _buffer(options)
    if _boolean("compress", options.get("compress", "false")):
        raise NotSupported(
            "--log-opt compress=true is not supported: rotated log files are kept as they are",
            hint="leave it out; max-size and max-file bound what a log takes",
        )
    for key in ("labels-regex", "env-regex"):
        _pattern(key, options.get(key, ""))
    tag(options.get("tag", ""), {})
    size, count = options.get("max-size", ""), options.get("max-file", "1")
    if not (count.isascii() and count.isdecimal()) or not 1 <= int(count) <= 1000:
        raise InvalidInput(f"invalid value for max-file: '{count}'", hint="a number from 1 to 1000")
    if int(count) > 1 and not size:
        raise InvalidInput("cannot specify max-file without max-size")
    unlimited = size in ("", "-1")
    return {
        "driver": "journald" if driver == "journald" else "json-file",
        "max_size": 0 if unlimited else parse_bytes(size, name="max-size"),
        "max_files": int(count),
        "options": options,
        "buffer": buffer,
    }


def _buffer(options: dict[str, str]) -> int:
    """The bytes of the buffer that mode=non-blocking asks for; 0 without."""
    mode = options.get("mode", "blocking")
    if mode not in ("blocking", "non-blocking"):
        raise InvalidInput(f"logger: logging mode not supported: {mode}", hint="blocking or non-blocking")
    if "max-buffer-size" in options and mode != "non-blocking":
        raise InvalidInput("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    if mode == "blocking":
        return 0
    size = parse_bytes(options.get("max-buffer-size", _BUFFER), name="max-buffer-size")
    if not 1 <= size <= _LARGEST_BUFFER_BYTES:
        raise InvalidInput(f"invalid max-buffer-size: '{options['max-buffer-size']}'", hint="from 1 byte to 1g")
    return size


def _boolean(key: str, value: str) -> bool:
    if value not in ("true", "false", "1", "0"):
        raise InvalidInput(f"invalid value for {key}: '{value}'", hint="true or false")
    return value in ("true", "1")


def _pattern(key: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"invalid value for {key}: '{text}': {error}") from None


_FIELD = re.compile(r"\{\{\s*(?:\.(\w+)|[^{}]*)\s*\}\}")
_FIELDS = ("ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "Command", "DaemonName")


def tag(template: str, values: dict[str, str]) -> str:
    """Docker's log tag: text with {{.Name}} and its fellows; InvalidInput for any other action."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in _FIELDS:
            raise InvalidInput(
                f"invalid log tag: {found[0]}", hint="fields: " + ", ".join("{{." + name + "}}" for name in _FIELDS)
            )
        return values.get(found[1], "")

    return _FIELD.sub(value, template)


def attributes(record: ContainerConfig) -> dict[str, str]:
    """What `logs --details` shows before each line: the labels and variables that were asked for, and the tag."""
    options = record["log"].get("options", {})
    found = _chosen(record["labels"], options.get("labels", ""), options.get("labels-regex", ""))
    variables = dict(word.partition("=")[::2] for word in record["env"])
    found |= _chosen(variables, options.get("env", ""), options.get("env-regex", ""))
    if options.get("tag"):
        found["tag"] = tag_of(record, options["tag"])
    return found


def tag_of(record: ContainerConfig, template: str) -> str:
    """The log tag of a container."""
    image = record["image_id"].removeprefix("sha256:")
    values = {
        "ID": record["id"][:12],
        "FullID": record["id"],
        "Name": record["name"],
        "ImageID": image[:12],
        "ImageFullID": image,
        "ImageName": record["image"],
        "Command": " ".join([*record["entrypoint"], *record["cmd"]]),
        "DaemonName": "rootless",
    }
    return tag(template, values)


def details(record: ContainerConfig) -> str:
    """The attributes as Docker writes them, `NAME=VALUE,NAME=VALUE`, sorted and encoded as in an address."""
    from urllib.parse import quote_plus

    return ",".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sorted(attributes(record).items()))


def _chosen(values: dict[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted = {name for name in names.split(",") if name}
    expression = _pattern("regex", pattern) if pattern else None
    return {
        name: value
        for name, value in values.items()
        if name in wanted or (expression is not None and expression.search(name))
    }
