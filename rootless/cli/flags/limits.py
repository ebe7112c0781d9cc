"""The limits that `run`, `create` and `update` take. Hot path."""

from __future__ import annotations

from rootless.cli.grammar.command import LIST, VALUE, Option, choice, integer

# fmt: off
# What a running container can be given anew.
CHANGEABLE: tuple[Option, ...] = (
    Option(("--blkio-weight",), "blkio_weight", VALUE, metavar="uint16", convert=integer,
           help="Block IO (relative weight), between 10 and 1000, or 0 to disable"),
    Option(("--cpu-period",), "cpu_period", VALUE, metavar="int", convert=integer,
           help="Limit CPU CFS (Completely Fair Scheduler) period"),
    Option(("--cpu-quota",), "cpu_quota", VALUE, metavar="int", convert=integer,
           help="Limit CPU CFS (Completely Fair Scheduler) quota"),
    Option(("-c", "--cpu-shares"), "cpu_shares", VALUE, metavar="int", convert=integer, help="CPU shares (relative weight)"),
    Option(("--cpus",), "cpus", VALUE, metavar="decimal", default="", help="Number of CPUs"),
    Option(("--cpuset-cpus",), "cpuset_cpus", VALUE, metavar="string", default="",
           help="CPUs in which to allow execution (0-3, 0,1)"),
    Option(("--cpuset-mems",), "cpuset_mems", VALUE, metavar="string", default="",
           help="MEMs in which to allow execution (0-3, 0,1)"),
    Option(("-m", "--memory"), "memory", VALUE, metavar="bytes", default="", help="Memory limit: bytes, or 512m, 2g"),
    Option(("--memory-reservation",), "memory_reservation", VALUE, metavar="bytes", default="", help="Memory soft limit"),
    Option(("--memory-swap",), "memory_swap", VALUE, metavar="bytes", default="",
           help="Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    Option(("--memory-swappiness",), "memory_swappiness", VALUE, metavar="int", convert=integer, hidden=True,
           help="Tune container memory swappiness (cgroup v1 only: refused)"),
    Option(("--pids-limit",), "pids_limit", VALUE, metavar="int", convert=integer,
           help="Tune container pids limit (set -1 for unlimited; default 2048)"),
)

LIMITS: tuple[Option, ...] = (
    *CHANGEABLE,
    Option(("--cgroup-parent",), "cgroup_parent", VALUE, metavar="string", default="",
           help="Parent cgroup for the container: a slice of the user's systemd, or a path in our subtree"),
    Option(("--cgroups",), "cgroups", VALUE, metavar="string", default="enabled",
           convert=choice("enabled", "disabled", "inherit"), complete="enabled|disabled|inherit",
           help="Cgroup of the container: enabled, disabled (none), or inherit (below the one this command is in, or none)"),
    Option(("--device-read-bps",), "device_read_bps", LIST, metavar="list", help="Limit read rate (bytes per second) from a device"),
    Option(("--device-read-iops",), "device_read_iops", LIST, metavar="list", help="Limit read rate (IO per second) from a device"),
    Option(("--device-write-bps",), "device_write_bps", LIST, metavar="list", help="Limit write rate (bytes per second) to a device"),
    Option(("--device-write-iops",), "device_write_iops", LIST, metavar="list", help="Limit write rate (IO per second) to a device"),
)
# fmt: on
