"""Two documents as one: what the later says goes, by compose-go's rules; then each thing once.

Both are canonical already, so what compose-go turns into lists of words and back are maps here, and merge as such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.compose.load.paths_of_keys import PathTable, shown
from rootless.errors import InvalidInput
from rootless.yamltext.document import Path, Tree


def _replace(base: Any, over: Any, path: Path) -> Any:
    return over


def _logging(base: Any, over: Any, path: Path) -> Any:
    if base.get("driver") and over.get("driver") and base["driver"] != over["driver"]:
        return over
    return _merge_maps(base, over, path)


def _ulimit(base: Any, over: Any, path: Path) -> Any:
    return _merge_maps(base, over, path) if isinstance(base, dict) and isinstance(over, dict) else over


def _ipam_config(base: Any, over: Any, path: Path) -> Any:
    found = [dict(one) for one in base]
    for one in over:
        same = next((other for other in found if other.get("subnet") == one.get("subnet")), None)
        if same is None:
            found.append(one)
        else:
            same.update(one)
    return found


_SPECIAL = PathTable[Callable[[Any, Any, Path], Any]](
    {
        "services.*.command": _replace, "services.*.entrypoint": _replace, "services.*.healthcheck.test": _replace,
        "services.*.logging": _logging, "services.*.ulimits.*": _ulimit, "services.*.build.ulimits.*": _ulimit,
        "networks.*.ipam.config": _ipam_config,
        **{f"services.*.{hook}.*.command": _replace for hook in ("post_start", "pre_stop", "pre_start")},
    }
)  # fmt: skip


def merge(base: Tree, over: Tree) -> Tree:
    """`over` on `base`; neither is changed. InvalidInput where one is a list and the other is not."""
    found: Tree = _merge_maps(base, over, ())
    return found


def merge_service(base: Tree, over: Tree) -> Tree:
    """The same for one service: of `extends`."""
    found: Tree = _merge_maps(base, over, ("services", "*"))
    return found


def _merge_maps(base: Tree, over: Tree, path: Path) -> Tree:
    found = dict(base)
    for key, value in over.items():
        found[key] = _merge(base[key], value, (*path, key)) if key in base and not key.startswith("x-") else value
    return found


def _merge(base: Any, over: Any, path: Path) -> Any:
    special = _SPECIAL.at(path)
    if over is None and isinstance(base, dict | list):
        return base if special is None else over
    if base is None:
        return over
    if special is not None:
        return special(base, over, path)
    if isinstance(base, dict):
        if not isinstance(over, dict):
            raise InvalidInput(f"cannot override {shown(path)}: a mapping, and no mapping")
        return _merge_maps(base, over, path)
    if isinstance(base, list):
        if not isinstance(over, list):
            raise InvalidInput(f"cannot override {shown(path)}: a list, and no list")
        return base + over
    return over


def _same(entry: Any) -> str:
    return str(entry)


def _word(entry: Any) -> str:
    return str(entry).partition("=")[0]


def _tmpfs(entry: Any) -> str:
    return str(entry).partition(":")[0]


def _target(entry: Any) -> str:
    return str(entry.get("target"))


def _path(entry: Any) -> str:
    return str(entry.get("path"))


def _secret(entry: Any) -> str:
    target = str(entry.get("target") or entry.get("source"))
    return target if target.startswith("/") else f"/run/secrets/{target}"


def _config(entry: Any) -> str:
    return str(entry.get("target") or f"/{entry.get('source')}")


def _port(entry: Any) -> str:
    host, published = entry.get("host_ip") or "0.0.0.0", entry.get("published", "")
    return f"{host}:{published}:{entry.get('target')}/{entry.get('protocol') or 'tcp'}"


_UNIQUE: PathTable[Callable[[Any], str]] = PathTable(
    {f"services.*.{key}": rule for key, rule in {
        "build.platforms": _same, "build.tags": _same, "cap_add": _same, "cap_drop": _same, "configs": _config, "devices": _target,
        "dns": _same, "dns_opt": _same, "dns_search": _same, "env_file": _path, "expose": _same, "external_links": _same,
        "extra_hosts": _same, "links": _same, "label_file": _same, "networks.*.aliases": _same, "networks.*.link_local_ips": _same,
        "ports": _port, "profiles": _same, "secrets": _secret, "security_opt": _same, "tmpfs": _tmpfs, "volumes": _target,
    }.items()}
)  # fmt: skip


def unique(value: Any, path: Path = ()) -> Any:
    """Each thing once, the last of them in the place of the first."""
    if isinstance(value, dict):
        return {key: unique(one, (*path, key)) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    rule = _UNIQUE.at(path)
    if rule is None:
        return [unique(one, (*path, at)) for at, one in enumerate(value)]
    return list({rule(one): one for one in value}.values())
