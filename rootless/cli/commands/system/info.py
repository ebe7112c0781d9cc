"""`rootless info`."""

from __future__ import annotations

import sys
from typing import Any

from rootless.cli.grammar.command import VALUE, Args, Command, Option
from rootless.cli.output import units
from rootless.engine.views.info import info
from rootless.storage.store import Store


def show(args: Args) -> int:
    """The installation's figures, or --format of them."""
    found = info(Store.open())
    if args.format:
        from rootless.cli.output.format import print_object

        return print_object(found, args.format)
    print("\n".join(_lines(found)))
    for warning in found["Warnings"]:
        print(warning, file=sys.stderr)
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    here = found["Session"]
    running = (
        f"running, holder {here['HolderPid']}"
        if here["HolderPid"]
        else "running"
        if here["Running"]
        else "not started"
    )
    return [
        f"Containers: {found['Containers']}",
        f" Running: {found['ContainersRunning']}",
        f" Paused: {found['ContainersPaused']}",
        f" Stopped: {found['ContainersStopped']}",
        f"Images: {found['Images']}",
        f"Version: {found['ServerVersion']}",
        f"Storage Driver: {found['Driver']}",
        *(f" {name}: {value}" for name, value in found["DriverStatus"]),
        f"Logging Driver: {found['LoggingDriver']}",
        f"Cgroup Driver: {found['CgroupDriver']}",
        f"Cgroup Version: {found['CgroupVersion']}",
        "Plugins:",
        *(f" {kind}: {' '.join(found['Plugins'][kind])}" for kind in ("Volume", "Network", "Log")),
        f"Swarm: {found['Swarm']['LocalNodeState']}",
        f"Runtimes: {' '.join(found['Runtimes'])}",
        f"Default Runtime: {found['DefaultRuntime']}",
        f"Init Binary: {found['InitBinary']}",
        "Security Options:",
        *(f" {option.removeprefix('name=')}" for option in found["SecurityOptions"]),
        f"Session: {running}",
        f" User IDs: {_map(here['UidMap'])}",
        f" Group IDs: {_map(here['GidMap'])}",
        f" Emulated IDs: {here['EmulatedIds']['Level'] or 'none'}{' (' + why + ')' if (why := here['EmulatedIds']['Why']) else ''}",
        f"Kernel Version: {found['KernelVersion']}",
        f"Operating System: {found['OperatingSystem']}",
        f"OSType: {found['OSType']}",
        f"Architecture: {found['Architecture']}",
        f"CPUs: {found['NCPU']}",
        f"Total Memory: {units.binary_size(found['MemTotal'])}",
        f"Name: {found['Name']}",
        f"ID: {found['ID']}",
        f"Root Dir: {found['DockerRootDir']}",
        f"Runtime Dir: {found['RuntimeDir']}",
        f"User Config: {found['UserConfig']['Path']}{'' if found['UserConfig']['Exists'] else ' (none)'}",
        *(f" {value['Key']}: {value['Value']} ({value['Source']})" for value in found["UserConfig"]["Values"]),
    ]


def _map(parts: list[list[int]]) -> str:
    """`0-65536 -> 1000,100000-165535`."""
    return ", ".join(
        f"{inside} is {outside}"
        if size == 1
        else f"{inside}-{inside + size - 1} are {outside}-{outside + size - 1}"
        for inside, outside, size in parts
    )


COMMAND = Command(
    name="info",
    summary="Display system-wide information",
    usage="[OPTIONS]",
    options=(
        Option(("-f", "--format"), "format", VALUE, help="Format output using 'json' or a Go template like "
               "'{{.Driver}}'"),
    ),
    handler=show,
    max_args=0,
)  # fmt: skip
