"""What a container uses: by its cgroup where that tells, else by its processes in /proc."""

from __future__ import annotations

import os

from rootless.cgroup import cgroupfs
from rootless.record import Record

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CgroupUsage(Record):
    """Figures at one moment; bytes and microseconds since the start. `limit_bytes` 0: no limit of its own."""

    cpu_us: int
    memory_bytes: int
    limit_bytes: int
    processes: int
    processes_limit: int
    read_bytes: int
    written_bytes: int
    received_bytes: int
    sent_bytes: int


def usage(path: str, pids: list[int], *, own_network: bool) -> CgroupUsage:
    """The figures of the container in the cgroup `path` ("" for none), whose processes are `pids`, PID 1
    first. Page cache that can be reclaimed is no memory of the container (as Docker counts)."""
    cpu = cgroupfs.events(path, "cpu.stat").get("usage_usec") if path else None
    current = cgroupfs.read(path, "memory.current") if path else ""
    count = cgroupfs.read(path, "pids.current") if path else ""
    blocks = cgroupfs.read(path, "io.stat") if path and os.path.exists(path + "/io.stat") else None
    memory = 0
    if current:
        memory = max(0, int(current) - cgroupfs.events(path, "memory.stat").get("inactive_file", 0))
    read, written = _blocks(blocks) if blocks is not None else _process_blocks(pids)
    received, sent = _network(pids[0]) if own_network and pids else (0, 0)
    return CgroupUsage(
        sum(map(_cpu_us, pids)) if cpu is None else cpu,
        memory if current else sum(map(_anonymous_bytes, pids)),
        _number(cgroupfs.read(path, "memory.max") if path else ""),
        int(count) if count else sum(map(_threads, pids)),
        _number(cgroupfs.read(path, "pids.max") if path else ""),
        read,
        written,
        received,
        sent,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _blocks(text: str) -> tuple[int, int]:
    read = written = 0
    for line in text.splitlines():
        for word in line.split()[1:]:
            key, _, value = word.partition("=")
            read += int(value) if key == "rbytes" else 0
            written += int(value) if key == "wbytes" else 0
    return read, written


def _proc(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # ended, or not ours to look at


def _cpu_us(pid: int) -> int:
    return sum(processor_us(pid))


def processor_us(pid: int) -> tuple[int, int]:
    """Microseconds in its own code and in the kernel of the process and of the children that it has reaped."""
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    if len(fields) <= 14:
        return 0, 0
    user, system, of_children, in_kernel = (int(field) * 1_000_000 // _TICKS for field in fields[11:15])
    return user + of_children, system + in_kernel


def _threads(pid: int) -> int:
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    return int(fields[17]) if len(fields) > 17 else 0


def _anonymous_bytes(pid: int) -> int:
    """Resident pages that no file backs."""
    fields = _proc(pid, "statm").split()
    return max(0, int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else 0


def _process_blocks(pids: list[int]) -> tuple[int, int]:
    read = written = 0
    for pid in pids:
        for line in _proc(pid, "io").splitlines():
            key, _, value = line.partition(": ")
            read += int(value) if key == "read_bytes" else 0
            written += int(value) if key == "write_bytes" else 0
    return read, written


def _network(pid: int) -> tuple[int, int]:
    """Bytes in and out of all interfaces but lo in the process's network namespace."""
    every = interfaces(pid).values()
    return sum(one[0] for one in every), sum(one[8] for one in every)


def interfaces(pid: int) -> dict[str, list[int]]:
    """The interfaces but lo in the process's network namespace, by name: proc_pid_net(5)'s 16 figures of each,
    received bytes, packets, errors, dropped ... and from the ninth on the same of what was sent."""
    found = {}
    for line in _proc(pid, "net/dev").splitlines()[2:]:
        name, _, rest = line.rpartition(":")
        fields = rest.split()
        if name.strip() != "lo" and len(fields) >= 16:
            found[name.strip()] = [int(field) for field in fields[:16]]
    return found


def machine_processor() -> tuple[int, int]:
    """Nanoseconds of all processors since the boot, idle ones too, and how many processors there are."""
    total = count = 0
    for line in _proc_file("/proc/stat"):
        name, *fields = line.split() or [""]
        if name == "cpu":
            total = sum(map(int, fields[:8])) * (1_000_000_000 // _TICKS)
        elif name.startswith("cpu"):
            count += 1
    return total, count


def block_devices(path: str) -> list[tuple[int, int, int, int]]:
    """Major, minor, bytes read and written of each device that the cgroup `path` used; [] where nothing tells."""
    found = []
    text = cgroupfs.read(path, "io.stat") if path and os.path.exists(path + "/io.stat") else ""
    for line in text.splitlines():
        device, *words = line.split()
        major, _, minor = device.partition(":")
        figures = dict(word.split("=", 1) for word in words if "=" in word)
        if major.isdecimal() and minor.isdecimal():
            found.append((int(major), int(minor), int(figures.get("rbytes", 0)), int(figures.get("wbytes", 0))))
    return found


def memory_total_bytes() -> int:
    """The machine's memory: the limit of a container without one."""
    for line in _proc_file("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _proc_file(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.readlines()
    except OSError:
        return []
