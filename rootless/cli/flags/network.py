"""The value of `--network` where it is not just the default: Docker's names, Podman's options for slirp4netns."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotFound

# The keys of Docker's long form, and the option of `run` that is the same.
_OPTIONS = {
    "alias": "--network-alias",
    "driver-opt": "",
    "gw-priority": "",
    "ip": "--ip",
    "ip6": "--ip6",
    "link-local-ip": "--link-local-ip",
    "mac-address": "--mac-address",
}


def parse_all(words: list[str]) -> tuple[str, list[str]]:
    """The one network that the words mean, which may say the same twice; InvalidInput for two."""
    found = [parse(word) for word in words]
    if any(other != found[0] for other in found):
        raise InvalidInput(
            f"conflicting options: a container has one network, not {' and '.join(words)}",
            hint="write --network once",
        )
    return found[0]


def parse(word: str) -> tuple[str, list[str]]:
    """The network's mode (bridge, none, host, slirp4netns or container:NAME) and slirp4netns's options.

    InvalidInput for what makes no sense, NotFound for a network that nobody has, NotSupported for what
    Docker's networks could.
    """
    mode, _, options = word.partition(":")
    if "=" in mode:
        return parse(_name(word))
    if mode == "container":
        if not options:
            raise InvalidInput("invalid container format container:<name|id>")
        return word, []
    if word in ("", "default", "private", "bridge"):
        return "bridge", []
    if word in ("none", "host"):
        return word, []
    if mode == "slirp4netns":
        return mode, [option for option in options.split(",") if option]
    raise NotFound(
        f"network {word} not found",
        hint="networks are: bridge (the default), host, none, container:NAME and slirp4netns:OPTIONS",
    )


def _name(word: str) -> str:
    """The name in `name=bridge,alias=web`, whose other keys ask for what a private network cannot give."""
    name = ""
    for field in word.split(","):
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if not equals:
            raise InvalidInput(f"invalid field {field}: must be a key=value pair (in '{word}')")
        if key == "name":
            name = value.strip()
        elif key in _OPTIONS:
            from rootless.cli.grammar import refused

            raise refused.network_option(key, _OPTIONS[key])
        else:
            raise InvalidInput(f"invalid field key {key} (in '{word}')", hint="write name=bridge")
    if not name or "=" in name.partition(":")[0]:
        raise InvalidInput(f"network name is not specified (in '{word}')", hint="write name=bridge")
    return name
