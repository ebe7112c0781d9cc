"""Sequences of calls for ids_paths, by a seed: users who have dropped ids, and every way to a file."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# Before a name in the directory: nothing, or a way around by links, by /proc, by a descriptor.
WAYS = [
    "", "", "", "", "./", "d/../", "ld/../", "@d/", "../@n/", "/proc/self/cwd/", "/proc/self/root@d/", "/proc/self/fd/@0/", "/proc/@p/cwd/",
    "/proc/@p/root@d/", "/proc/@p/fd/@1/", "/proc/thread-self/cwd/", "/proc/self/task/@p/cwd/", "lcwd/", "lroot/", "lself/cwd/", "lfd/",
    "lself/fd/@1/", "//proc//self/cwd/", "/proc/./self/cwd/", "/dev/fd/@0/", "m/../", "c/../", "q/../", "lq/../", "t/../",
    "/proc/self/../@p/cwd/", "/proc/@t/cwd/", "/proc/@t/root@d/", "/proc/@t/fd/@0/", "/proc/../proc/self/cwd/",
]  # fmt: skip
FILES = [
    "a", "b", "r", "w", "u", "p", "n", "l", "la", "lc", "l1", "d/x", "d/y", "d/up", "d/out", "t/a", "t/b", "t/l", "G/f", "c/x", "c/e/z",
    "q/x", "lq/x", "ld/x", "ld/up", "s", "g", "ls", "prog", "m/x", "c/e/../x", "d/../a",
]  # fmt: skip
NEW = [
    "new", "none", "d/new", "ld/new", "t/new", "G/new", "c/new", "c/e/new", "q/new", "m/new", "other", "d/other", "G/other", "t/other",
    "none/", "new/",
]  # fmt: skip
DIRECTORIES = [
    "d", "t", "G", "c", "c/e", "q", "m", "ld", "lq", "lcwd", ".", "..", "t/d", "d/.", "d/..", "d/", "ld/", "lq/", "G/new", "lself",
]  # fmt: skip
ODD = [
    "loop", "a/", "a/x", "l/", "lself", "lcwd", "lfd", "lexe", "nothere", "nothere/x", "@e", "/", "/proc/self/fd/@2", "/proc/self/fd/@3",
    "lself/fd/@2",
    "/dev/fd/@3", "/proc/@p/exe", "/proc/self/cwd", "/proc/self/root", "/proc/@t/fd/@2", "/proc/@t/fd/@3", "/proc/@t/exe", "/proc/@t/cwd",
    "/proc/self", "/proc/self/fd/@0", "loop/x", "/proc/self/fd/99", "/proc/1/cwd",
    "none", "p/..",
]  # fmt: skip
STATUS = ["status", "/proc/@p/status", "/proc/@t/status", "/proc/self/status", "lself/status", "/proc/thread-self/status", "./status"]
IDS = [0, 0, 33, 33, 44, 1000, -1]
OPENED = [0o0, 0o0, 0o1, 0o2, 0o1001, 0o2001, 0o10000000, 0o400000, 0o200000, 0o1000000]
MAKES = [0o101, 0o102, 0o301, 0o1101, 0o400101, 0o101, 0o100]
MODES = [
    "0644", "0600", "0666", "0755", "02755", "04755", "06755", "02745", "0640", "0444", "0711", "0700", "02644", "0777", "0604",
]  # fmt: skip
DIRECTORY_MODES = ["0777", "0755", "0700", "01777", "02777", "02755", "0711", "0750", "03777"]
ALL_OF_32 = "0xffffffff"
NOFOLLOW, REMOVEDIR, FOLLOW, EMPTY, EACCESS = 0x100, 0x200, 0x400, 0x1000, 0x200


class Sequence:
    """One script. What differs from real ids (docs/development/decisions/ids.md) is not in it."""

    def __init__(self, seed: int, *, pipes: bool = True) -> None:
        self.random = Random(seed)
        self.files = FILES if pipes else [each for each in FILES if each != "p"]

    def pick(self, *of: object) -> str:
        return str(self.random.choice(of))

    def path(self) -> str:
        kind = self.random.random()
        if kind < 0.1:
            return self.pick(*ODD)
        return self.pick(*WAYS) + self.pick(
            *(self.files if kind < 0.62 else NEW if kind < 0.8 else DIRECTORIES)
        )

    def at(self) -> str:
        """A directory's descriptor and a path."""
        return f"{self.pick('-', '-', '-', 0, 0, 1, 1, 2, 3)} {self.path()}"

    def owners(self) -> str:
        return f"{self.pick(*IDS)} {self.pick(*IDS)}"

    def slot(self) -> str:
        number = self.random.randrange(4)
        if number < 2:
            return f"slot {number} - {self.pick(*DIRECTORIES)} {self.pick(0o10000000, 0o200000)} 0"
        return f"slot {number} {self.at()} {self.pick(*OPENED, *OPENED, *MAKES)} {self.pick(*MODES)}"

    def identity(self) -> list[str]:
        """A change of who the process is."""
        uid, gid = self.pick(33, 33, 1000), self.pick(33, 44, 44, 1000)
        groups = self.pick("setgroups", "setgroups 44", "setgroups 33 44", "setgroups 0", "setgroups 1000 5")
        return self.random.choice(
            [
                [groups, f"setresgid {gid} {gid} {gid}", f"setresuid {uid} {uid} {uid}"],
                [f"setresuid {uid} {uid} {uid}"],
                [groups, f"setresgid {gid} {gid} {gid}", f"setreuid -1 {uid}"],
                [f"setresuid 0 {uid} 0"],
                [f"setresuid {uid} 0 {uid}"],
                [f"setresuid {uid} 0 0"],
                [f"setfsgid {gid}", f"setfsuid {uid}"],
                [f"setfsuid {uid}"],
                [f"setresgid 0 {gid} 0", f"setresuid 0 {uid} {uid}"],
                [groups, "keep 1", f"setgid {gid}", f"setuid {uid}"],
                [f"setregid {gid} -1", f"setreuid {uid} 0"],
                [f"setreuid {uid} 1000"],
            ]
        )

    def named(self) -> str:
        """A list that names a user and a group."""
        pick = self.pick
        default = self.random.random() < 0.3  # not where sockets are made, whose bits are by the umask (ids.md)
        where = pick(*WAYS) + (pick("G", "c", "m") if default else pick("a", "b", "r", "d", "d", "c", "t", "G", "d/x", "c/x", "prog", "q"))
        return f"named {where} {int(default)} {pick(*MODES)} {pick(0, 4, 5, 7, 7)} {pick(0, 33, 1000)} {pick(0, 4, 5, 6, 7)} {pick(33, 44)}"

    def gifts(self) -> str:
        """What a file's capabilities are: permitted, inheritable, in force (CHOWN to FSETID, KILL, SETGID, SETUID, NET_RAW)."""
        pick = self.pick
        return f"{pick('0x2000', '0xff', '0x1', '0x2', '0x4', '0x8', '0x18', '0xc0', '0')} {pick('0', '0x2000', '0xff')} {pick(0, 1, 1)}"

    def capabilities(self) -> list[str]:
        """What a process does with its own. It gives none up: then the kernel has it for good (ids.md)."""
        pick = self.pick
        return self.random.choice(
            [
                [f"capset {ALL_OF_32} {ALL_OF_32} {pick('0', '0x2000', '0xff')}"],
                [f"capset {ALL_OF_32} {ALL_OF_32} 0x20ff", f"ambient 2 {pick(0, 1, 7, 13)}", f"ambient {pick(2, 3)} {pick(0, 7, 13)}"],
                [f"ambient {pick(2, 3)} {pick(0, 7, 13)}", "who"],
                ["ambient 4 0"],
            ]
        )

    def back(self) -> list[str]:
        return self.random.choice(
            [
                ["setreuid 0 0"],
                ["setresuid 0 0 0"],
                ["setfsuid 0"],
                ["setuid 0"],
                [f"exec - {self.pick('s', 'ls', 'u', 'g', 'prog', '@d/s')} 0"],
                ["setreuid -1 33"],
            ]
        )

    def mounts(self) -> str:
        return f"mount {self.pick('tmpfs', 'bind', 'readonly')} {self.pick('m', 'm', 'c/e')}"

    def changes(self) -> str:
        """A call that changes something."""
        pick, at = self.pick, self.at
        calls: list[Callable[[], str]] = [
            lambda: f"open {at()} {pick(*MAKES)} {pick(*MODES)}",
            lambda: (
                f"open {pick('-', 0, 1)} {pick(*WAYS)}{pick(*DIRECTORIES[:-1])} {0o20200000 | self.random.choice((1, 2))} "
                f"{pick(*MODES)}"
            ),
            lambda: f"chown {at()} {self.owners()} {pick(0, 0, NOFOLLOW, EMPTY, EMPTY | NOFOLLOW)}",
            lambda: f"chown {pick(0, 1, 2, 3)} @e {self.owners()} {EMPTY}",
            lambda: f"chown {at()} {self.owners()} {pick(0, NOFOLLOW)}",
            lambda: f"fchown {pick(0, 1, 2, 3)} {self.owners()}",
            lambda: f"chmod {at()} {pick(*MODES)}",
            lambda: f"chmod2 {at()} {pick(*MODES)} {pick(0, NOFOLLOW, EMPTY, EMPTY | NOFOLLOW)}",
            lambda: f"fchmod {pick(0, 1, 2, 3)} {pick(*MODES, *DIRECTORY_MODES)}",
            lambda: f"chmod - {pick(*DIRECTORIES)} {pick(*DIRECTORY_MODES)}",
            lambda: f"times {at()} {pick(-1, 0, 1, 2, 3, 4)} {pick(0, 0, NOFOLLOW, EMPTY)}",
            lambda: f"ftimes {pick(0, 1, 2, 3)} {pick(-1, 0, 1, 3)}",
            lambda: f"mkdir {at()} {pick(*DIRECTORY_MODES)}",
            lambda: f"mknod {at()} {pick('010644', '0100644', '0140755', '0644', '020600')}",
            lambda: (
                f"symlink {at()} {pick('a', '../b', '@d/c/x', '/proc/self/cwd/a', 'd', '/proc/self/fd/@2', 'c/new', 'l1')}"
            ),
            lambda: f"link {at()} {at()} {pick(0, 0, FOLLOW)}",
            lambda: f"link {pick('-', 2, 3)} /proc/self/fd/{pick('@2', '@3')} {at()} {FOLLOW}",
            lambda: f"rename {at()} {at()} {pick(0, 0, 0, 1, 2, 2, 4, 4, 5, 6)}",
            lambda: (
                f"rename - {pick('t/a', 't/b', 't/d', 'a', 'd', 'c', 'G/f', 'l', 'n')} - "
                f"{pick(*self.files, *NEW, *DIRECTORIES)} {pick(0, 1, 2, 4)}"
            ),
            lambda: f"unlink {at()} {pick(0, 0, REMOVEDIR)}",
            lambda: f"write {pick(2, 3)}",
            lambda: f"ftruncate {pick(2, 3)}",
            lambda: f"truncate {self.path()}",
            lambda: f"setx {self.path()} user.x {pick(0, 0, 1)}",
            lambda: f"removex {self.path()} user.x {pick(0, 1)}",
            lambda: f"fsetx {pick(0, 2, 3)} user.x",
            lambda: f"acl {self.path()} {pick(0, 0, 1)} {pick(*MODES)} -1",
            lambda: self.named(),
            lambda: self.named(),
            lambda: f"facl {pick(0, 2, 3)} {pick(0, 1)} {pick(*MODES)} -1",
            lambda: f"removex {self.path()} {pick('system.posix_acl_access', 'system.posix_acl_default')} 0",
            lambda: f"setcap {pick(*WAYS)}{pick('a', 'n', 'l', 'c/x', 't/a', 'prog', 'prog', 's', 'u', 'g')} {self.gifts()}",
        ]
        return self.random.choice(calls)()

    def looks(self) -> str:
        """A call that asks."""
        pick, at = self.pick, self.at
        calls: list[Callable[[], str]] = [
            lambda: f"stat {at()} {pick(0, 0, NOFOLLOW, EMPTY, EMPTY | NOFOLLOW)}",
            lambda: f"stat {at()} {pick(0, NOFOLLOW)}",
            lambda: f"statx {at()} {pick(0, NOFOLLOW, EMPTY)}",
            lambda: f"open {at()} {pick(*OPENED)} 0",
            lambda: f"open {at()} {pick(*OPENED)} 0",
            lambda: f"open2 {at()} {pick(*OPENED)} 0 {pick(0, 1, 2, 4, 8, 9, 2 | 4, 8 | 2, 8 | 4)}",
            lambda: (
                f"access {at()} {self.random.randrange(8)} {pick(0, EACCESS, NOFOLLOW, EACCESS | NOFOLLOW, EMPTY, EMPTY | EACCESS)}"
            ),
            lambda: f"readlink {at()}",
            lambda: f"statfs {self.path()}",
            lambda: f"watch {self.path()} {pick(0, 1)}",
            lambda: f"chdir {pick(*WAYS)}{pick(*DIRECTORIES)}" if self.random.random() < 0.5 else "chdir @d",
            lambda: f"fchdir {pick(0, 1)}",
            lambda: self.slot(),
            lambda: f"exec {at()} {pick(0, 0, NOFOLLOW, EMPTY)}",
            lambda: f"exec {pick(2, 3)} @e {EMPTY}",
            lambda: f"badexec {at()}",
        ]
        return self.random.choice(calls)()

    def others(self) -> list[str]:
        pick = self.pick
        return self.random.choice(
            [
                [
                    f"serve {pick('sock', 'd/sock', 't/sock', 'c/e/sock', 'lcwd/sock', 'q/sock')} {pick(0, 33, 1000)} {pick(0, 33, 44)}"
                ],
                [
                    f"target {pick(0, 33, 1000)} {pick(0, 33, 1000)} {pick(0, 33)} {pick(0, 33)}",
                    f"signal {pick(0, 18, 23)}",
                    "priority",
                ],
                ["who"],
                self.capabilities(),
                [f"getacl {pick(*WAYS)}{pick('a', 'b', 'd', 'd/new', 'd/x', 'c', 'G/new', 'q/x')} {pick(0, 0, 1)}"],
                [f"slot 0 - {pick('/proc/@p', '/proc/@t', '/proc/self/task/@p')} 2097152 0", f"status {pick(0, '-')} {pick(*STATUS)}"],
                [f"getcap @d/{pick('a', 'n', 'prog', 's', 'u', 'g')}"],
                [f"umask {pick('0', '022', '027', '077')}"],
                ["fork"],
            ]
        )

    def lines(self) -> list[str]:
        chance = self.random.random
        # What is opened before a mount namespace is made lies in another one, where the kernel gives no program its set-id bits.
        script = [self.mounts()] if chance() < 0.25 else []
        script += [self.slot() for _ in range(self.random.randrange(1, 4))]
        if chance() < 0.2:
            script.append(f"target {self.pick(0, 33, 33)} {self.pick(0, 33, 33)} 33 33")
        script += [
            self.changes() if chance() < 0.7 else self.looks() for _ in range(self.random.randrange(6))
        ]
        if chance() < 0.12:
            script += [
                f"chroot {self.pick('d', '.', 'c/e', 'ld', 'm', '/proc/self/cwd')}",
                self.pick("chdir /", "chdir .", "stat - / 0"),
            ]
        if chance() < 0.2:
            script.append(f"setcap {self.pick('prog', 'prog', 's', 'u', 'g')} {self.gifts()}")
        if chance() < 0.1:
            script += self.capabilities()
        if chance() < 0.05:
            script.append("nnp")
        for _ in range(self.random.randrange(1, 4)):
            script += self.identity()
            for _ in range(self.random.randrange(3, 12)):
                script += (
                    self.others()
                    if chance() < 0.08
                    else [self.changes() if chance() < 0.55 else self.looks()]
                )
            if chance() < 0.5:
                script += self.back()
        return [*script, "who"]
