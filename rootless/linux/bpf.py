"""bpf(2) for programs on a cgroup: the system calls, no policy.

For root of the initial user namespace only: CAP_BPF and CAP_SYS_ADMIN there.
"""

from __future__ import annotations

import errno
import os

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall

BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6
BPF_F_ALLOW_MULTI = 2
BPF_F_REPLACE = 4

_PROG_LOAD = 5
_PROG_ATTACH = 8
_PROG_DETACH = 9
_PROG_GET_FD_BY_ID = 13
_PROG_QUERY = 16
_INSTRUCTION_BYTES = 8
_MAX_PROGRAMS = 64  # of one type on one cgroup: BPF_CGROUP_MAX_PROGS
_LOG_BYTES = 1 << 16


class _LoadAttr(ctypes.Structure):
    _fields_ = [
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_uint64),
    ]


class _AttachAttr(ctypes.Structure):
    _fields_ = [
        ("target_fd", ctypes.c_uint32),
        ("attach_bpf_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("replace_bpf_fd", ctypes.c_uint32),
    ]


class _QueryAttr(ctypes.Structure):
    _fields_ = [
        ("target_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("query_flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("prog_ids", ctypes.c_uint64),
        ("prog_cnt", ctypes.c_uint32),
    ]


class _IdAttr(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint32), ("next_id", ctypes.c_uint32), ("open_flags", ctypes.c_uint32)]


def _bpf(command: int, attr: ctypes.Structure) -> int:
    return syscall(number("bpf"), command, ctypes.byref(attr), ctypes.sizeof(attr))


def load(instructions: bytes, kind: int) -> int:
    """BPF_PROG_LOAD: a descriptor, the caller's. EINVAL or EACCES, with the verifier's last line as
    the file name, where it refuses the program."""
    count, rest = divmod(len(instructions), _INSTRUCTION_BYTES)
    if rest or not count:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    code = ctypes.create_string_buffer(instructions, len(instructions))
    license_name = ctypes.create_string_buffer(b"Apache-2.0")
    attr = _LoadAttr(kind, count, ctypes.addressof(code), ctypes.addressof(license_name))
    try:
        return _bpf(_PROG_LOAD, attr)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise
    # Once more, with an answer. (With a log a program that is right could be refused: ENOSPC.)
    log = ctypes.create_string_buffer(_LOG_BYTES)
    attr.log_level, attr.log_size, attr.log_buf = 1, _LOG_BYTES, ctypes.addressof(log)
    try:
        return _bpf(_PROG_LOAD, attr)
    except OSError as error:
        lines = log.value.decode(errors="replace").splitlines()
        told = [line for line in lines if line and not line.startswith("processed ")]
        raise OSError(error.errno, error.strerror, told[-1] if told else None) from None


def attach(cgroup: int, program: int, kind: int, *, replaces: int = -1) -> None:
    """BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI: beside the programs that are there, all of which have to
    agree, or in place of the program `replaces` (Linux 5.6)."""
    flags = BPF_F_ALLOW_MULTI | (BPF_F_REPLACE if replaces >= 0 else 0)
    _bpf(_PROG_ATTACH, _AttachAttr(cgroup, program, kind, flags, max(replaces, 0)))


def detach(cgroup: int, program: int, kind: int) -> None:
    """BPF_PROG_DETACH."""
    _bpf(_PROG_DETACH, _AttachAttr(cgroup, program, kind, 0, 0))


def attached(cgroup: int, kind: int) -> list[int]:
    """BPF_PROG_QUERY: descriptors, the caller's, of the programs attached to this very cgroup."""
    ids = (ctypes.c_uint32 * _MAX_PROGRAMS)()
    attr = _QueryAttr(cgroup, kind, 0, 0, ctypes.addressof(ids), _MAX_PROGRAMS)
    _bpf(_PROG_QUERY, attr)
    found: list[int] = []
    try:
        for index in range(attr.prog_cnt):
            found.append(_bpf(_PROG_GET_FD_BY_ID, _IdAttr(ids[index])))
    except OSError:
        for fd in found:
            os.close(fd)
        raise
    return found
