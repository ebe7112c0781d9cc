"""config.toml as `info` shows it: each value in force, and where it comes from."""

from __future__ import annotations

import os
from typing import Any

from rootless import user_config, user_setting
from rootless.engine.networks import default
from rootless.engine.options import ids
from rootless.engine.state import emulated_ids, user_namespace
from rootless.image.registry import registries_conf

DEFAULT = "default"


def view() -> dict[str, Any]:
    """Path, Exists, and Values: Key, Value, and Source ("default", FILE:LINE, or an environment variable's name).
    InvalidInput for a mistake in the file."""
    found = user_config.settings()
    user_namespace.configured()
    emulated_ids.configured()
    default.configured()
    values = {"emulate_ids": ids.DEFAULT, "limits": user_setting.ERROR, "network": "bridge", "userns": "private"}
    rows = [
        {"Key": key, "Value": found[key].value, "Source": found[key].source}
        if key in found
        else {"Key": key, "Value": value, "Source": DEFAULT}
        for key, value in values.items()
    ]
    rows.append(_registries(found))
    variable = os.environ.get(user_config.STORES_VARIABLE)
    if variable is not None:
        rows.append({"Key": "stores", "Value": ":".join(user_config.stores()), "Source": f"environment: {user_config.STORES_VARIABLE}"})
    rows += [
        {"Key": key, "Value": found[key].value, "Source": found[key].source}
        for key in ("stores", "trusted_stores")
        if key in found and not (key == "stores" and variable is not None)
    ]
    for key, variable, value in (
        ("cache_max", user_config.CACHE_MAX, "off"), ("cache_days", user_config.CACHE_DAYS, str(user_setting.DEFAULT_CACHE_DAYS)),
    ):  # fmt: skip
        source = DEFAULT
        if os.environ.get(variable):
            value, source = os.environ[variable], f"environment: {variable}"
        elif key in found:
            value, source = found[key].value, found[key].source
        rows.append({"Key": key, "Value": value, "Source": source})
    return {"Path": user_config.path(), "Exists": bool(found) or os.path.exists(user_config.path()),
            "Values": sorted(rows, key=lambda row: row["Key"])}  # fmt: skip


def _registries(found: dict[str, user_setting.Setting]) -> dict[str, str]:
    first = registries_conf.files()[0]
    if os.environ.get(registries_conf.VARIABLE):
        source = f"environment: {registries_conf.VARIABLE}"
    elif "registries" in found:
        source = found["registries"].source
    else:
        source = DEFAULT
    return {"Key": "registries", "Value": first, "Source": source}
