"""Compiles a seccomp profile with libseccomp(3). Imported only when nothing compiled is at hand.

Which rules hold for this machine and these capabilities is decided first, by `select_rules`,
which is pure; libseccomp then gets nothing but names, actions and comparisons.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any, NamedTuple

from rootless.errors import InvalidInput, NotSupported
from rootless.runtime.seccomp import newer_calls, socketcall

_ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
# uname -m -> the profile's word in includes.arches, and the OCI's in archMap.
_MACHINES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
}
_EPERM = 1
_ENOSYS = _ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS
_PERMISSIVE = (_ACTIONS["SCMP_ACT_TRACE"], _ACTIONS["SCMP_ACT_LOG"], _ACTIONS["SCMP_ACT_ALLOW"])
_EEXIST = -17
_ATTR_BAD_ARCH = 2
_ATTR_NO_NEW_PRIVS = 3
_ATTR_OPTIMIZE = 8
_NO_SUCH_SYSCALL = -1
_NATIVE = 0


class Comparison(NamedTuple):
    """A condition on argument number `argument`, as scmp_rule_add(3) has it."""

    argument: int
    operator: int
    value: int
    value_two: int


class SeccompRule(NamedTuple):
    """One action for some system calls when all comparisons hold."""

    names: tuple[str, ...]
    action: int
    comparisons: tuple[Comparison, ...]


class Selected(NamedTuple):
    """What of a profile holds here."""

    default_action: int
    architectures: tuple[str, ...]
    rules: tuple[SeccompRule, ...]
    names: tuple[str, ...]  # of all system calls that it names, those too for which it has no rule


def select_rules(
    profile: dict[str, Any], capabilities: frozenset[str], *, machine: str, release: str
) -> Selected:
    """The part of `profile` for this machine, kernel release and set of capabilities. Pure."""
    word, native = _MACHINES.get(machine, (machine, ""))
    default = _action(profile.get("defaultAction", ""), profile.get("defaultErrnoRet"))
    rules: list[SeccompRule] = []
    known: list[str] = []
    for entry in profile.get("syscalls") or []:
        if not _holds(entry, capabilities, word, release):
            continue
        action = _action(entry.get("action", ""), entry.get("errnoRet"))
        names = tuple(entry.get("names") or ((entry["name"],) if entry.get("name") else ()))
        known += names
        if action == default:
            continue  # libseccomp refuses a rule that changes nothing
        comparisons = tuple(_comparison(argument) for argument in entry.get("args") or [])
        if len({comparison.argument for comparison in comparisons}) < len(comparisons):
            # Several conditions on one argument mean "any of them", as runc reads them.
            rules += [SeccompRule(names, action, (comparison,)) for comparison in comparisons]
        else:
            rules.append(SeccompRule(names, action, comparisons))
    return Selected(default, _architectures(profile, native), tuple(rules), tuple(dict.fromkeys(known)))


def _architectures(profile: dict[str, Any], native: str) -> tuple[str, ...]:
    for entry in profile.get("archMap") or []:
        if entry.get("architecture") == native:
            return (native, *(entry.get("subArchitectures") or []))
    return tuple(profile.get("architectures") or ())


def _holds(entry: dict[str, Any], capabilities: frozenset[str], machine: str, release: str) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if any(name in capabilities for name in excludes.get("caps") or []):
        return False
    if machine in (excludes.get("arches") or []):
        return False
    if excludes.get("minKernel") and _version(release) >= _version(excludes["minKernel"]):
        return False
    if any(name not in capabilities for name in includes.get("caps") or []):
        return False
    if includes.get("arches") and machine not in includes["arches"]:
        return False
    return not includes.get("minKernel") or _version(release) >= _version(includes["minKernel"])


def _version(text: str) -> tuple[int, int]:
    words = text.split(".")
    digits = ["".join(character for character in word if character.isdigit()) for word in words[:2]]
    numbers = [int(word) if word else 0 for word in digits] + [0, 0]
    return numbers[0], numbers[1]


def _action(name: str, errno_ret: int | None) -> int:
    if name not in _ACTIONS:
        raise InvalidInput(f"seccomp action {name!r} is not supported")
    if name in _WITH_ERRNO:
        return _ACTIONS[name] | ((_EPERM if errno_ret is None else errno_ret) & 0xFFFF)
    return _ACTIONS[name]


def _comparison(argument: dict[str, Any]) -> Comparison:
    operator = _OPERATORS.get(argument.get("op", ""))
    if operator is None or not 0 <= argument.get("index", -1) <= 5:
        raise InvalidInput(f"seccomp argument {argument!r} is not understood")
    return Comparison(argument["index"], operator, argument.get("value", 0), argument.get("valueTwo", 0))


class _Argument(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


class _Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint)]


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise NotSupported(
            "libseccomp.so.2 is missing: the default system call filter cannot be made",
            hint="ask the administrator for the package libseccomp2, or turn the filter off "
            "for a container with --security-opt seccomp=unconfined",
        ) from None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_arch_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_arch_native.restype = ctypes.c_uint32
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_syscall_resolve_name_arch.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Argument),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_version.restype = ctypes.POINTER(_Version)
    return library


def library_version() -> str:
    """libseccomp's version, "2.5.4"."""
    version = _load().seccomp_version().contents
    return f"{version.major}.{version.minor}.{version.micro}"


def compile_profile(profile: dict[str, Any], capabilities: frozenset[str]) -> bytes:
    """The filter as an array of struct sock_filter; NotSupported without libseccomp."""
    system = os.uname()
    selected = select_rules(profile, capabilities, machine=system.machine, release=system.release)
    library = _load()
    context = library.seccomp_init(selected.default_action)
    if not context:
        raise InvalidInput("seccomp profile: libseccomp does not take its default action")
    try:
        _fill(library, context, selected)
        program = _newer(library, selected) + _export(library, context)
    finally:
        library.seccomp_release(context)
    return socketcall.REFUSED + program if _goes_round(selected) else program


def _goes_round(selected: Selected) -> bool:
    """Whether what the rules say of a socket's family has a way round it: on 32-bit x86, which 64-bit programs
    reach by `int 0x80`, libseccomp allows socketcall(SYS_SOCKET) along with socket, without its conditions."""
    return (
        "SCMP_ARCH_X86" in selected.architectures
        and any(rule.comparisons and {"socket", "socketpair"} & set(rule.names) for rule in selected.rules)
        and not any("socketcall" in rule.names for rule in selected.rules)
    )


def _fill(library: ctypes.CDLL, context: int, selected: Selected) -> None:
    library.seccomp_attr_set(context, _ATTR_NO_NEW_PRIVS, 0)
    # A search tree instead of a list; libseccomp before 2.5 does not know it.
    library.seccomp_attr_set(context, _ATTR_OPTIMIZE, 2)
    for name, token in _tokens(library, selected).items():
        code = library.seccomp_arch_add(context, token)
        if code not in (0, _EEXIST):
            raise InvalidInput(f"seccomp profile: architecture {name}: {os.strerror(-code)}")
    for rule in selected.rules:
        array = (_Argument * max(len(rule.comparisons), 1))(*(_Argument(*one) for one in rule.comparisons))
        for name in rule.names:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == _NO_SUCH_SYSCALL:
                continue  # newer than this libseccomp, or of another architecture
            code = library.seccomp_rule_add_array(context, rule.action, number, len(rule.comparisons), array)
            if code not in (0, _EEXIST):
                raise InvalidInput(f"seccomp profile: rule for {name}: {os.strerror(-code)}")


def _tokens(library: ctypes.CDLL, selected: Selected) -> dict[str, int]:
    """libseccomp's numbers of the profile's architectures; those newer than this libseccomp are left out."""
    words = {name: name.removeprefix("SCMP_ARCH_").lower().encode() for name in selected.architectures}
    found = {name: library.seccomp_arch_resolve_name(word) for name, word in words.items()}
    return {name: token for name, token in found.items() if token != _NATIVE}


def _newer(library: ctypes.CDLL, selected: Selected) -> bytes:
    """Instructions that answer what is newer than the profile; none where its default is to let pass what
    it does not name, to have it traced, or ENOSYS already."""
    if selected.default_action & 0xFFFF0000 in _PERMISSIVE or selected.default_action == _ENOSYS:
        return b""
    newest: dict[int, int] = {}
    x32 = None
    for name, token in {"": library.seccomp_arch_native(), **_tokens(library, selected)}.items():
        numbers = [library.seccomp_syscall_resolve_name_arch(token, word.encode()) for word in selected.names]
        known = max((number for number in numbers if number >= 0), default=None)
        if name == "SCMP_ARCH_X32":
            x32 = known
        elif known is not None:
            newest[token] = known
    return newer_calls.instructions(newest, x32) if newest else b""


def _export(library: ctypes.CDLL, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        code = library.seccomp_export_bpf(context, fd)
        if code != 0:
            raise InvalidInput(f"seccomp profile cannot be compiled: {os.strerror(-code)}")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
