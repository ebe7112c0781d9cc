"""Variables in all values of a document, and what their texts become: compose-go's casts.

After the substitution every text stands for a text; where the model wants a number or a boolean it is made one.
Keys are never substituted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rootless.compose.load.paths_of_keys import PathTable, shown
from rootless.compose.load.template import InvalidTemplate, MissingVariable, Variable, substitute, variables
from rootless.errors import InvalidInput
from rootless.yamltext.document import Document, Path, Tagged, Tree

_OLD_BOOLEANS = {"y": True, "yes": True, "on": True, "n": False, "no": False, "off": False}


def _whole(text: str, warn: Callable[[str], None]) -> Any:
    return int(text, 0 if text.lower().startswith(("0x", "0o", "0b")) else 10)


def _octal(text: str, warn: Callable[[str], None]) -> Any:
    return int(text, 0) if text.lower().startswith("0o") else int(text, 8 if text.startswith("0") else 10)


def _float(text: str, warn: Callable[[str], None]) -> Any:
    return float(text)


def _boolean(text: str, warn: Callable[[str], None]) -> Any:
    word = text.lower()
    if word in ("true", "false"):
        return word == "true"
    if word in _OLD_BOOLEANS:
        warn(f'"{text}" for boolean is not supported by YAML 1.2, please use `{str(_OLD_BOOLEANS[word]).lower()}`')
        return _OLD_BOOLEANS[word]
    raise ValueError(f"invalid boolean: {text}")


_SERVICE: dict[str, Callable[[str, Callable[[str], None]], Any]] = {
    "attach": _boolean, "build.no_cache": _boolean, "build.privileged": _boolean, "build.pull": _boolean,
    "configs.*.mode": _octal, "secrets.*.mode": _octal, "build.secrets.*.mode": _octal,
    "cpu_count": _whole, "cpu_percent": _float, "cpu_period": _whole, "cpu_quota": _whole,
    "cpu_shares": _whole, "cpus": _float, "depends_on.*.required": _boolean, "depends_on.*.restart": _boolean,
    "deploy.replicas": _whole, "deploy.update_config.parallelism": _whole, "deploy.update_config.max_failure_ratio": _float,
    "deploy.rollback_config.parallelism": _whole, "deploy.rollback_config.max_failure_ratio": _float,
    "deploy.restart_policy.max_attempts": _whole, "deploy.placement.max_replicas_per_node": _whole,
    "deploy.resources.limits.pids": _whole,
    "env_file.*.required": _boolean, "healthcheck.retries": _whole, "healthcheck.disable": _boolean, "init": _boolean,
    "mem_swappiness": _whole, "networks.*.priority": _whole, "networks.*.gw_priority": _whole,
    "oom_kill_disable": _boolean, "oom_score_adj": _whole, "pids_limit": _whole, "ports.*.target": _whole,
    "post_start.*.privileged": _boolean, "pre_stop.*.privileged": _boolean, "pre_start.*.privileged": _boolean,
    "pre_start.*.per_replica": _boolean, "privileged": _boolean, "read_only": _boolean, "scale": _whole,
    "stdin_open": _boolean, "tty": _boolean, "ulimits.*": _whole, "ulimits.*.hard": _whole, "ulimits.*.soft": _whole,
    "use_api_socket": _boolean, "volumes.*.read_only": _boolean, "volumes.*.bind.create_host_path": _boolean,
    "volumes.*.volume.nocopy": _boolean, "volumes.*.tmpfs.mode": _octal, "develop.watch.*.initial_sync": _boolean,
    "blkio_config.weight": _whole, "blkio_config.weight_device.*.weight": _whole,
}  # fmt: skip
CASTS = PathTable(
    {f"services.*.{path}": cast for path, cast in _SERVICE.items()}
    | {f"networks.*.{key}": _boolean for key in ("external", "internal", "attachable", "enable_ipv4", "enable_ipv6")}
    | {f"{kind}.*.external": _boolean for kind in ("volumes", "secrets", "configs")}
)


class Interpolation:
    """One substitution, with the warnings that it has given: each of them once."""

    def __init__(self, values: Mapping[str, str], warnings: list[str]) -> None:
        self._values, self._warnings = values, warnings

    def document(self, document: Document) -> Tree:
        """The document's values with the variables replaced. InvalidInput with file, line and path."""
        self._document = document
        return {key: self._value(value, (key,)) for key, value in document.tree.items()}

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    def _unset(self, name: str) -> None:
        self._warn(f'The "{name}" variable is not set. Defaulting to a blank string.')

    def _value(self, value: Any, path: Path) -> Any:
        if isinstance(value, Tagged):
            return Tagged(value.tag, self._value(value.value, path))
        if isinstance(value, dict):
            return {key: self._value(one, (*path, key)) for key, one in value.items()}
        if isinstance(value, list):
            return [self._value(one, (*path, at)) for at, one in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: Path) -> Any:
        try:
            found = substitute(text, self._values, self._unset)
        except MissingVariable as error:
            raise InvalidInput(f"{where(self._document, path)}error while interpolating {shown(path)}: {error}") from None
        except InvalidTemplate as error:
            raise InvalidInput(
                f"{where(self._document, path)}invalid interpolation format for {shown(path)}: {error}",
                hint="you may need to escape any $ with another $",
            ) from None
        cast = CASTS.at(path)
        if cast is None or path[-2:] == ("build", "pull"):
            return found
        try:
            return cast(found, self._warn)
        except ValueError:
            raise InvalidInput(
                f"{where(self._document, path)}error while interpolating {shown(path)}: failed to cast to expected type: "
                f"invalid value: {found}"
            ) from None


def where(document: Document, path: Path) -> str:
    """`compose.yaml:7: ` of what stands at the path, or of what holds it."""
    for length in range(len(path), 0, -1):
        if path[:length] in document.lines:
            return f"{document.file}:{document.lines[path[:length]]}: "
    return f"{document.file}: "


def named(value: Any, found: dict[str, Variable]) -> None:
    """Add the variables that are named anywhere in `value`."""
    if isinstance(value, Tagged):
        named(value.value, found)
    elif isinstance(value, dict):
        for one in value.values():
            named(one, found)
    elif isinstance(value, list):
        for one in value:
            named(one, found)
    elif isinstance(value, str) and "$" in value:
        for variable in variables(value):
            found.setdefault(variable.name, variable)
