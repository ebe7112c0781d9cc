"""--log-driver and --log-opt in Docker's words. Pure. Imported where either is written.

Logs are files that the container's monitor writes, whatever a driver's name promises of elsewhere.
"""

from __future__ import annotations

import re

from rootless.engine.options.values import parse_bytes
from rootless.engine.state.config import ContainerConfig, LogConfig
from rootless.errors import InvalidInput, NotSupported

_FILES = ("json-file", "local", "k8s-file")
_ELSEWHERE = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog")
_ATTRIBUTES = ("labels", "labels-regex", "env", "env-regex", "tag")
_COMMON = ("max-size", "max-file", "compress", "mode", "max-buffer-size")


def parse(driver: str, options: dict[str, str]) -> LogConfig:
    """The log that the words ask for; InvalidInput, or NotSupported for a driver that is somebody else's service."""
    if driver == "none":
        return {"driver": "none", "max_size": 0, "max_files": 1, "options": options}
    if driver in _ELSEWHERE:
        program = "systemd-cat -t NAME" if driver == "journald" else "logger -t NAME"
        raise NotSupported(
            f"--log-driver {driver} is not supported: logs are files of yours, and nothing speaks to a log service",
            hint=f"leave it out, and pass the log on: rootless logs -f NAME | {program}",
        )
    if driver not in _FILES:
        raise InvalidInput(
            f"logger: no log driver named '{driver}' is registered", hint="json-file, local or none"
        )
    known = (*_COMMON, *(_ATTRIBUTES if driver != "local" else ()))
    for key in options:
        if key not in known:
            raise InvalidInput(
                f"unknown log opt '{key}' for {driver} log driver", hint="one of " + ", ".join(known)
            )
    _check_mode(options)
    _boolean("compress", options.get("compress", "false"))
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
        "driver": "json-file",
        "max_size": 0 if unlimited else parse_bytes(size, name="max-size"),
        "max_files": int(count),
        "options": options,
    }


def _check_mode(options: dict[str, str]) -> None:
    mode = options.get("mode", "blocking")
    if mode not in ("blocking", "non-blocking"):
        raise InvalidInput(f"logger: logging mode not supported: {mode}", hint="blocking or non-blocking")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidInput("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        parse_bytes(options["max-buffer-size"], name="max-buffer-size")


def _boolean(key: str, value: str) -> bool:
    if value not in ("true", "false", "1", "0"):
        raise InvalidInput(f"invalid value for {key}: '{value}'", hint="true or false")
    return value in ("true", "1")


def warnings(log: LogConfig) -> list[str]:
    """What of the options has no effect, one line each."""
    asked = log.get("options", {}).get("compress") in ("true", "1")
    return ["--log-opt compress: rotated log files are kept as they are"] if asked else []


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
        found["tag"] = tag(options["tag"], values)
    return found


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
