"""RUN and its flags."""

from __future__ import annotations

from collections.abc import Callable

from rootless.build.dockerfile import mounts
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Instruction, Run
from rootless.build.dockerfile.parsing import Parsing, command
from rootless.build.dockerfile.quantities import truth
from rootless.build.dockerfile.suggest import did_you_mean

NETWORKS = ("default", "none", "host")
SECURITIES = ("sandbox", "insecure")


def _run(parsing: Parsing) -> Run:
    flags = parsing.flags_of(text=("network", "security"), repeated=("mount", "device"))
    network, security = flags.text("network", "default"), flags.text("security", "sandbox")
    if network not in NETWORKS:
        raise DockerfileError(f'invalid network mode "{network}"{did_you_mean(network, NETWORKS)}')
    if security not in SECURITIES:
        raise DockerfileError(f'security "{security}" is not valid{did_you_mean(security, SECURITIES)}')
    for mount in flags.texts("mount"):
        mounts.check(mount)
    for device in flags.texts("device"):
        parse_device(device)
    return Run(
        parsing.origin,
        command(parsing.rest),
        flags.texts("mount"),
        flags.text("network"),
        flags.text("security"),
        flags.texts("device"),
        parsing.heredocs,
    )


def parse_device(text: str) -> tuple[str, bool]:
    """`name[,required[=true]]`: a CDI device, and whether the build fails without it."""
    name, required = "", False
    for field in mounts.fields(text, what="devices"):
        key, equals, value = field.partition("=")
        key = key.lower()
        if key == "required":
            found = truth(value) if equals else True
            if found is None:
                raise DockerfileError(f"invalid value for {key}: {value}")
            required = found
        elif key == "name" and equals:
            if name:
                raise DockerfileError(f"device name already set to {name}")
            name = value
        elif not name:
            # A CDI name has an equals sign of its own: vendor.com/class=device.
            name = field
        elif equals:
            raise DockerfileError(
                f"unexpected key '{key}' in '{field}'{did_you_mean(key, ('name', 'required'))}"
            )
        else:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
    return name, required


PARSERS: dict[str, Callable[[Parsing], Instruction]] = {"run": _run}
