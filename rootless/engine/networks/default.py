"""The network of containers that name none: bridge, or what config.toml says (docs/config.md)."""

from __future__ import annotations

from rootless import user_config
from rootless.engine.networks import names
from rootless.errors import InvalidInput


def configured() -> tuple[str, list[str]] | None:
    """Mode, or a network's name, and the options of an uplink, as config.toml has them; None where it is bridge.
    InvalidInput with the file's line. Whether there is a network of the name is seen where a container is made."""
    setting = user_config.settings().get("network")
    if setting is None or setting.value == "bridge":
        return None
    mode, words = names.mode_of(setting.value)
    try:
        if mode in names.UPLINKS:
            from rootless.network.uplink import driver

            driver.configure(mode, words)
        elif mode not in ("host", "none"):
            names.check_network(mode)
    except InvalidInput as error:
        hint = "bridge, none, host, slirp4netns[:OPTIONS], pasta[:OPTIONS], or the name of a network"
        raise setting.refused(error.message, hint) from None
    return mode, words
